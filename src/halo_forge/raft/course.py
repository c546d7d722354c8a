"""The course of a value over the cycles of a run.

`horizon` is the number of cycles a run was started with. Cycles added to it later keep the values of the last one, so
that adding them changes nothing that was decided before.
"""

from __future__ import annotations


def progress(cycle: int, horizon: int) -> float:
    """How far through its cycles a run is: 0 in the first, 1 in the last and after it."""
    return min(1.0, (cycle - 1) / (horizon - 1)) if horizon > 1 else 0.0


def between(start: float, end: float, share: float) -> float:
    """Return the value at a share of 0 to 1 on the way from `start` to `end`, both of which it meets exactly."""
    return start * (1 - share) + end * share
