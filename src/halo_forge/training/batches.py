"""Which rows meet in which optimiser step: shuffled, yet with little padding, and fixed by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from halo_forge.core.seeds import derive

POOL_BATCHES = 32


def count_steps(rows: int, batch_size: int, epochs: float, max_steps: int | None = None) -> int:
    """Optimiser steps of a training: the last batch of an epoch may be smaller."""
    if max_steps is not None:
        return max_steps
    whole, part = divmod(epochs, 1)
    per_epoch = -(-rows // batch_size)
    return max(1, int(whole) * per_epoch + round(part * per_epoch))


def plan_batches(lengths: Sequence[int], batch_size: int, steps: int, seed: int) -> list[list[int]]:
    """Choose the rows of each step.

    Each epoch shuffles the rows, sorts pools of 32 batches by length so that a batch holds rows of like length, and
    shuffles the batches again.

    Args:
        lengths: tokens of each row.

    Returns:
        Row indices of each of the `steps` batches.
    """
    batches: list[list[int]] = []
    epoch = 0
    while len(batches) < steps:
        random = Random(derive(seed, "epoch", epoch))
        order = list(range(len(lengths)))
        random.shuffle(order)
        pool = batch_size * POOL_BATCHES
        grouped: list[list[int]] = []
        for start in range(0, len(order), pool):
            alike = sorted(order[start : start + pool], key=lambda row: lengths[row])
            grouped += [alike[i : i + batch_size] for i in range(0, len(alike), batch_size)]
        random.shuffle(grouped)
        batches += grouped
        epoch += 1
    return batches[:steps]


def padding_waste(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Share of the processed token places that are padding, 0 to 1."""
    places = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    tokens = sum(lengths[row] for batch in batches for row in batch)
    return 1 - tokens / places if places else 0.0
