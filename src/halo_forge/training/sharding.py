"""The ways in which the processes of a team hold one model in parts, and which of them a launcher asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Protocol

import torch

from halo_forge.core.errors import EnvironmentFault
from halo_forge.models.load import Policy
from halo_forge.training.optimiser import Optimiser

Tensors = Mapping[str, torch.Tensor]


class Sharding(Protocol):
    """Holds a model in parts, one a process.

    All processes call everything but the first two methods at the same time. What is gathered lies whole on the first
    process's CPU, in the form that a process alone would have it in.

    Args:
        name: by which errors call it.
        option: its value of `--sharding`.
    """

    name: str
    option: str

    def check(self, policy: Policy) -> None:
        """See whether a model can be trained in parts here.

        Raises:
            ConfigError: it cannot.
        """
        ...

    def is_cut(self, policy: Policy) -> bool:
        """Whether this process holds a part of the model only."""
        ...

    def cut(self, policy: Policy, processes: int) -> None:
        """Keep this process's part of a model whose weights are the same in every process."""
        ...

    def whole(self, policy: Policy) -> Callable[..., Any]:
        """What computes the output of a model that is cut: no part of it may be called by itself."""
        ...

    def gather(self, policy: Policy) -> dict[str, torch.Tensor]:
        """The trained weights, whole."""
        ...

    def put(self, policy: Policy, values: Tensors | None) -> None:
        """Set the trained weights to values that the first process has; the others give None."""
        ...

    def put_together(self, policy: Policy) -> None:
        """Hold every layer whole in every process, so that one of them can compute without the others."""
        ...

    def take_apart(self, policy: Policy) -> None:
        """End that."""
        ...

    def optimiser(self, policy: Policy, learning_rate: float, weight_decay: float) -> Optimiser:
        """An optimiser without a past."""
        ...


def asked_sharding() -> Sharding | None:
    """The way that accelerate's config asks for, by the variables that it set; None to hold the model whole.

    Raises:
        ConfigError: it asks for what is not done here.
        EnvironmentFault: it asks for what is not installed.
    """
    if _asks_for("DEEPSPEED"):
        if find_spec("deepspeed") is None:
            raise EnvironmentFault("accelerate's config asks for DeepSpeed: pip install 'halo-forge[deepspeed]'")
        from halo_forge.training.zero import Zero

        return Zero()
    if _asks_for("FSDP"):
        from halo_forge.training.shards import FullySharded

        return FullySharded()
    return None


def _asks_for(name: str) -> bool:
    return os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true"
