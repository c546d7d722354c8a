"""Drawing rows by the seed while they stream past, without holding them."""

from __future__ import annotations

import heapq
import json
import os
from pathlib import Path
from typing import IO

from halo_forge.core.seeds import derive


class SeededDraw:
    """Keeps the rows with the lowest numbers, which depend on the seed and the row's id alone.

    A row is written when it is among the lowest so far; those that fall out later are left out at the end. With the
    same seed a smaller draw is part of a larger one.

    Args:
        count: rows to draw.
        seed: of the draw.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._lowest: list[tuple[int, str]] = []  # a heap of (-number, id): the highest number on top

    def __len__(self) -> int:
        return len(self._lowest)

    def take(self, id: str) -> bool:
        """Tell whether a row is to be written."""
        entry = (-derive(self._seed, "draw", id), id)
        if len(self._lowest) < self._count:
            heapq.heappush(self._lowest, entry)
            return True
        return heapq.heappushpop(self._lowest, entry) != entry

    def read_again(self, file: IO[bytes]) -> None:
        """Take the rows that an earlier attempt has written."""
        file.seek(0)
        for line in file:
            self.take(str(json.loads(line)["id"]))

    def write(self, partial: Path) -> Path:
        """Write the rows that were drawn into a file beside the partial one, and return its path."""
        drawn = {name for _, name in self._lowest}
        path = partial.with_name(partial.name + ".drawn")
        with partial.open("rb") as source, path.open("wb") as target:
            for line in source:
                if str(json.loads(line)["id"]) in drawn:
                    target.write(line)
            target.flush()
            os.fsync(target.fileno())
        return path
