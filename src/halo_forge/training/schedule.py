"""The course of the learning rate."""

from __future__ import annotations

from math import ceil, cos, pi
from typing import Literal

Schedule = Literal["cosine", "linear", "constant"]


def learning_rate_at(step: int, steps: int, peak: float, warmup_ratio: float, schedule: Schedule) -> float:
    """Learning rate of a step; never 0, so that even a single step trains.

    Args:
        step: 0 … steps-1.
        warmup_ratio: share of the steps over which the rate rises linearly to `peak`.
    """
    warmup = ceil(steps * warmup_ratio) if warmup_ratio else 0
    warmup = min(warmup, steps - 1)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if schedule == "constant":
        return peak
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.5 * (1 + cos(pi * progress)) if schedule == "cosine" else 1 - progress)
