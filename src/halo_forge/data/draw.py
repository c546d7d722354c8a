"""Drawing some of many rows by the seed."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TypeVar

from halo_forge.core.seeds import derive

T = TypeVar("T")


def draw(rows: Sequence[T], count: int | None, seed: int) -> list[T]:
    """Draw `count` rows without replacement and keep their order; all of them where there are no more, or for None.

    With the same seed a smaller draw is part of a larger one.
    """
    if count is None or count >= len(rows):
        return list(rows)
    chosen = heapq.nsmallest(count, range(len(rows)), key=lambda index: derive(seed, "draw", index))
    return [rows[index] for index in sorted(chosen)]
