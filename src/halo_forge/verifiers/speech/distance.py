"""Edit distance (Levenshtein 1966): least number of insertions, deletions and substitutions between two sequences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Count the edits between two sequences of words or of characters.

    A row of the table at a time: along the row an insertion costs 1 a step, so the least over all of them is a running
    minimum of what is left after taking the step's number away.
    """
    short, long = sorted((one, other), key=len)
    if not short:
        return len(long)
    numbers: dict[Hashable, int] = {}
    left, right = (_numbered(sequence, numbers) for sequence in (short, long))
    places = np.arange(len(right) + 1)
    row = places.copy()
    for item in left:
        above = row[1:] + 1
        diagonal = row[:-1] + (right != item)
        row = np.concatenate([row[:1] + 1, np.minimum(above, diagonal)])
        row = np.minimum.accumulate(row - places) + places
    return int(row[-1])


def _numbered(sequence: Sequence[Hashable], numbers: dict[Hashable, int]) -> NDArray[np.int64]:
    return np.array([numbers.setdefault(item, len(numbers)) for item in sequence], dtype=np.int64)
