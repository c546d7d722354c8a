"""What the first process does with a model that lies in parts: the others are asked to do the same with theirs.

All of it leaves a model alone that this process holds whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from halo_forge.core.protocols import Generator
from halo_forge.core.types import Completion, Prompt, Sampling
from halo_forge.models.load import Policy
from halo_forge.training.orders import Asked, Cut, Order
from halo_forge.training.sharding import Sharding
from halo_forge.training.team import current_team


def share_out(policy: Policy) -> None:
    """Leave each process a part of the model, if the run is to go so; one that was put together is taken apart again.

    Raises:
        ConfigError: it cannot be trained in parts.
        EnvironmentFault: a helper cannot.
    """
    team = current_team()
    if team is None or team.sharding is None or not team.leads:
        return
    from halo_forge.training.likeness import likeness

    if team.sharding.is_cut(policy):
        take_apart(policy)
        return
    team.sharding.check(policy)
    team.busy = True
    team.say(Cut(likeness(policy)))
    team.confirm(None)
    team.send(policy.trained_weights)
    team.busy = False
    team.sharding.cut(policy, team.size)


def have_done(policy: Policy, asked: Asked) -> Sharding | None:
    """Have the others do something with their parts, with every layer apart.

    Returns:
        How the model lies in parts, if there is something to be done here as well.
    """
    team = current_team()
    if team is None or team.sharding is None:
        return None
    if team.leads:
        take_apart(policy)
        team.say(asked)
    return team.sharding


def take_apart(policy: Policy) -> None:
    """End what `put_together` began, if it did."""
    team = current_team()
    if team is None or team.sharding is None or not team.leads or not team.together:
        return
    team.say(Order.TAKE_APART)
    team.sharding.take_apart(policy)
    team.together = False


def put_together(policy: Policy) -> None:
    """Hold every layer whole until something else is asked of the parts, so that this process can compute by itself."""
    team = current_team()
    if team is None or team.together or (sharding := have_done(policy, Order.PUT_TOGETHER)) is None:
        return
    sharding.put_together(policy)
    team.together = True


def gather(policy: Policy) -> Mapping[str, torch.Tensor] | None:
    """The trained weights, whole, on the CPU; None where the model itself holds them whole."""
    sharding = have_done(policy, Order.GATHER)
    return None if sharding is None else sharding.gather(policy)


def put(policy: Policy, values: Mapping[str, torch.Tensor]) -> None:
    """Set the trained weights."""
    if (sharding := have_done(policy, Order.PUT)) is not None:
        sharding.put(policy, values)
        return
    with torch.no_grad():
        for name, weight in policy.trained_weights.items():
            weight.copy_(values[name])


class TogetherGenerator:
    """Draws from a model in parts, which is put together for that."""

    def __init__(self, policy: Policy, drawn_by: Generator) -> None:
        self._policy = policy
        self._drawn_by = drawn_by

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
        """See the protocol."""
        put_together(self._policy)
        return self._drawn_by.generate(prompts, sampling, seed)
