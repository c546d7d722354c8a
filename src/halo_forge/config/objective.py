"""Settings of what a RAFT cycle learns from its verified completions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import DATA, TRAINING

Objective = Literal["raft", "raft++", "reinforce-rej", "grpo"]
LEARNS_FROM_WRONG: frozenset[Objective] = frozenset({"reinforce-rej", "grpo"})


class ObjectiveOptions(CommandConfig):
    """The loss on a cycle's completions, and what holds the policy near its start."""

    objective: Objective = option(
        "raft",
        "raft: likelihood of what is kept; raft++: that with clipped importance ratios; reinforce-rej and grpo also "
        "learn from wrong completions.",
        section=TRAINING,
    )
    clip_range: float = option(
        0.2,
        "Ratios of new to old probability count up to 1 ± this; for every objective but raft.",
        section=TRAINING,
        gt=0,
        lt=1,
    )
    advantage_std: bool = option(
        False, "Divide grpo's advantages by the standard deviation of their prompt's rewards.", section=TRAINING
    )
    kl_coefficient: float = option(
        0.0,
        "Weight a token of the divergence from the start model; above 0 a copy of the start's trained weights is kept.",
        section=TRAINING,
        ge=0,
    )
    replay: Path | None = option(
        None, "JSONL file of conversations as for SFT, some of which are mixed into every cycle.", section=DATA
    )
    replay_share: float = option(
        0.1, "Share of a cycle's training rows drawn from --replay, 0 to 1.", section=DATA, gt=0, lt=1
    )

    @property
    def uses_ratios(self) -> bool:
        """Whether the loss weighs tokens by their probability now against when they were drawn."""
        return self.objective != "raft"
