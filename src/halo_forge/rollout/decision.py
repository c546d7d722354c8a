"""Why a rollout was trained on, or not: one line of `kept/cycle_N.jsonl`."""

from __future__ import annotations

from enum import StrEnum

from halo_forge.core.types import Record


class Reason(StrEnum):
    """The rule that decided."""

    KEPT = "kept"
    KEPT_LOWERED = "kept: threshold lowered to reach min_samples"
    KEPT_AT_RANDOM = "kept at random: rewards ignored"
    UNVERIFIABLE = "dropped: could not be verified"
    TRUNCATED = "dropped: cut at max_new_tokens"
    BELOW_THRESHOLD = "dropped: reward below the threshold"
    DUPLICATE = "dropped: same text as another kept for this prompt"
    PROMPT_FULL = "dropped: this prompt has its share"
    KEEP_FRACTION = "dropped: beyond the fraction to keep"


class Decision(Record):
    """What selection decided about one rollout."""

    cycle: int
    prompt_id: str
    index: int
    kept: bool
    reason: Reason
