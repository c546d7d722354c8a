"""What came of each prompt in a cycle: all that a curriculum or a threshold of a later cycle goes by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from halo_forge.rollout.sketch import Sketch


class Tally(NamedTuple):
    """What came of a prompt's completions in a cycle.

    Args:
        verified: completions with a verdict.
        passed: those that passed everything.
        best: the highest reward among them, None when none was verified.
    """

    verified: int = 0
    passed: int = 0
    best: float | None = None


# Prompt id -> what came of it, for the prompts that a cycle took.
Tallies = Mapping[str, Tally]


def tally(rollouts: Iterable[Sketch]) -> Tallies:
    """Count by prompt; a completion that could not be verified counts neither as right nor as wrong."""
    found: dict[str, Tally] = {}
    for rollout in rollouts:
        before = found.setdefault(rollout.prompt_id, Tally())
        if rollout.reward is not None:
            best = rollout.reward if before.best is None else max(before.best, rollout.reward)
            found[rollout.prompt_id] = Tally(before.verified + 1, before.passed + rollout.passed, best)
    return found
