"""How many rows are in memory at once: as asked, and half of that after each time memory ran out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

CPU_MESSAGE = "can't allocate memory"


class MicroBatch:
    """The rows in memory at once at each step of a run.

    Halvings are kept in a file for the rest of the run. Each applies from the step it happened at, so that a run which
    goes on from an older state cuts every batch as the first attempt did and ends with the same weights.

    Args:
        file: where halvings are kept.
        asked: rows at once in a run that never runs out of memory.
    """

    def __init__(self, file: Path, asked: int) -> None:
        self._file = file
        self._asked = asked
        self._halvings: list[tuple[int, int, int]] = []
        if file.exists():
            self._halvings = [tuple(entry) for entry in json.loads(file.read_text(encoding="utf-8"))]

    def at(self, cycle: int, step: int) -> int:
        """Rows at once."""
        sizes = [rows for *when, rows in self._halvings if tuple(when) <= (cycle, step)]
        return min([self._asked, *sizes])

    def halve(self, cycle: int, step: int, rows: int) -> int | None:
        """Note that `rows` were too many from this step on; returns what to try next, None if it was a single row."""
        if rows == 1:
            return None
        half = -(-rows // 2)
        self._halvings.append((cycle, step, half))
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(self._halvings, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)
        return half


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch failed for want of memory, on an accelerator or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or CPU_MESSAGE in str(error)
