"""What moves the weights: AdamW on the gradient of a whole batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

BETAS = (0.9, 0.95)  # a short memory of squared gradients suits rounds of few steps
MOMENTS = ("exp_avg", "exp_avg_sq")  # what AdamW keeps of each weight
Weights = Mapping[str, torch.nn.Parameter]


class Optimiser(Protocol):
    """Adds up gradients and uses them; of a model in parts every process calls all of it at the same time."""

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradient of a loss, and where the model lies in parts those of the other processes' losses."""
        ...

    def move(self, rate: float, max_grad_norm: float) -> None:
        """Clip the gradient, use it, and clear it."""
        ...

    def hold(self) -> dict[str, Any]:
        """The state, whole, in the form that AdamW gives it in a process alone; of use in the first process only."""
        ...

    def restore(self, saved: Mapping[str, Any] | None) -> None:
        """Set the state to one that the first process has; the others give None."""
        ...


class WholeOptimiser:
    """AdamW of a process that holds every weight.

    Args:
        scaler: of losses in float16.
    """

    def __init__(
        self, weights: Weights, learning_rate: float, weight_decay: float, scaler: torch.amp.GradScaler
    ) -> None:
        self._weights = weights
        self._scaler = scaler
        self._adamw = new_adamw(weights, learning_rate, weight_decay)

    def backward(self, loss: torch.Tensor) -> None:
        """See the protocol."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def move(self, rate: float, max_grad_norm: float) -> None:
        """See the protocol."""
        for group in self._adamw.param_groups:
            group["lr"] = rate
        self._scaler.unscale_(self._adamw)
        torch.nn.utils.clip_grad_norm_(list(self._weights.values()), max_grad_norm)
        self._scaler.step(self._adamw)
        self._scaler.update()
        self._adamw.zero_grad(set_to_none=True)

    def hold(self) -> dict[str, Any]:
        """See the protocol."""
        return self._adamw.state_dict()

    def restore(self, saved: Mapping[str, Any] | None) -> None:
        """See the protocol."""
        if saved is not None:
            self._adamw.load_state_dict(dict(saved))


def new_adamw(weights: Weights, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW without a past."""
    return torch.optim.AdamW(weights.values(), lr=learning_rate, weight_decay=weight_decay, betas=BETAS, fused=True)
