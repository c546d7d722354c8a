"""Why a rollout was trained on, or not: one line of `kept/cycle_N.jsonl`."""

from __future__ import annotations

from enum import StrEnum

from halo_forge.core.types import Record


class Reason(StrEnum):
    """The rule that decided."""

    KEPT = "kept"
    KEPT_LOWERED = "kept: threshold lowered to reach min_samples"
    KEPT_WRONG = "kept: a wrong answer to move away from"
    KEPT_AT_RANDOM = "kept at random: rewards ignored"
    ALL_ALIKE = "dropped: every answer to its prompt earned the same"
    NO_ADVANTAGE = "dropped: it earned its prompt's mean"
    UNVERIFIABLE = "dropped: could not be verified"
    TRUNCATED = "dropped: cut at max_new_tokens"
    ALL_WRONG = "dropped: nothing this prompt got reached the threshold"
    BELOW_THRESHOLD = "dropped: reward below the threshold"
    DUPLICATE = "dropped: same program as another of this prompt"
    PROMPT_SOLVED = "dropped: every completion of this prompt passed, and enough are kept"
    PROMPT_FULL = "dropped: this prompt has its share"
    KEEP_FRACTION = "dropped: beyond the fraction to keep"


class Decision(Record):
    """What selection decided about one rollout.

    Args:
        weight: of a kept one in the loss: 1, or its advantage under an objective that has one.
    """

    cycle: int
    prompt_id: str
    index: int
    kept: bool
    reason: Reason
    weight: float = 1.0
