"""Supervised rows mixed into every cycle, so that what they teach is not forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from halo_forge.core.protocols import TrainingRow
from halo_forge.core.seeds import derive


def draw_replay(rows: Sequence[TrainingRow], share: float, beside: int, seed: int) -> list[TrainingRow]:
    """Draw rows so that they make up a share of a cycle's training; the seed fixes which.

    Args:
        share: of all rows trained on, above 0 and below 1.
        beside: rows of the cycle's own.

    Returns:
        As many as the share asks for, at most all there are, none twice.
    """
    wanted = min(round(beside * share / (1 - share)), len(rows))
    return Random(derive(seed, "replay")).sample(list(rows), wanted)
