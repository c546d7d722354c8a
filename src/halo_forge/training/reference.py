"""The start model, as the values its trained weights had: put in place for a forward pass, then taken out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from halo_forge.models.load import Policy
from halo_forge.training.parts import put


class Reference:
    """What the policy is held near.

    Takes the memory of the trained weights once more: little for an adapter, a whole model in full training.
    """

    def __init__(self, start: Policy) -> None:
        self._values = {name: weight.detach().clone() for name, weight in start.trained_weights.items()}

    @property
    def weights(self) -> Mapping[str, torch.Tensor]:
        """Its values of the trained weights."""
        return self._values

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return sum(value.numel() * value.element_size() for value in self._values.values())

    def restore(self, policy: Policy) -> None:
        """Make the policy the start model for good."""
        put(policy, self._values)

    @contextmanager
    def in_place(self, policy: Policy) -> Iterator[None]:
        """Make the policy the start model, without dropout and gradients, and then itself again."""
        trained = {n: p for n, p in policy.model.named_parameters() if n in self._values}
        own: Mapping[str, torch.Tensor] = {name: parameter.data for name, parameter in trained.items()}
        training = policy.model.training
        policy.model.eval()
        try:
            for name, parameter in trained.items():
                parameter.data = self._values[name]
            with torch.no_grad():
                yield
        finally:
            for name, parameter in trained.items():
                parameter.data = own[name]
            policy.model.train(training)
