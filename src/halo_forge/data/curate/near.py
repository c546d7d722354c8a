"""Pairs of rows of a file that are near duplicates: those that MinHash puts side by side, compared for certain."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from halo_forge.config.curate import DedupConfig
from halo_forge.core.events import EventLog
from halo_forge.data.curate.grams import Hashes, hash_grams, hash_words
from halo_forge.data.curate.minhash import PERMUTATIONS, similarity
from halo_forge.data.curate.rewriting import Telling
from halo_forge.data.curate.texts import RowText, row_text
from halo_forge.data.jsonl import decode_object

# The sketch keeps a byte of each hash; its estimate has a standard error of 0.036 at 0.8, so this loses one in 10,000.
MARGIN = 0.13
SHINGLES_HELD = 4096
ALONE = -1


class Near(NamedTuple):
    """A row that resembles an earlier one, and how much, 0 to 1."""

    row: int
    of: int
    similarity: float


class Sketches(NamedTuple):
    """What one process finds out about a chunk of N rows.

    Args:
        equal: (N, 2) uint64, a hash of what is said and shown.
        sketch: (N, 126) uint8; (0, 126) without near duplicates.
        bands: (N, B) uint32.
        skipped: (N,) bool, rows compared exactly only: those with media, or without words.
    """

    equal: Hashes
    sketch: NDArray[np.uint8]
    bands: NDArray[np.uint32]
    skipped: NDArray[np.bool_]


def find_near(
    path: Path,
    config: DedupConfig,
    events: EventLog,
    found: list[Sketches],
    offsets: NDArray[np.int64],
    kept_for: NDArray[np.int32],
) -> list[Near]:
    """Go through the rows in order, and leave out each that resembles one kept before."""
    single = (kept_for == np.arange(len(kept_for))) & ~np.concatenate([part.skipped for part in found])
    buckets = _buckets(found, single)
    sketch = np.concatenate([part.sketch for part in found])
    found.clear()
    least = (config.threshold - MARGIN) * PERMUTATIONS
    heads = np.full(int(buckets.max(initial=ALONE)) + 1, ALONE, np.int32)
    links = np.full(buckets.shape, ALONE, np.int32)
    left_out: list[Near] = []
    rows = np.flatnonzero((buckets != ALONE).any(axis=1))
    telling = Telling(events, "near duplicates", len(rows))
    with Shingles(path, offsets, config) as shingles:
        for row in rows.tolist():
            places = [(band, bucket) for band, bucket in enumerate(buckets[row].tolist()) if bucket != ALONE]
            candidates = sorted(_members(heads, links, places))
            if candidates:
                alike = (sketch[candidates] == sketch[row]).sum(axis=1) >= least
                candidates = [one for one, similar in zip(candidates, alike.tolist(), strict=True) if similar]
            match = next((near for one in candidates if (near := shingles.compare(row, one))), None)
            if match is not None:
                left_out.append(match)
            else:
                for band, bucket in places:
                    links[row, band], heads[bucket] = heads[bucket], row
            telling.add(1)
    telling.finish()
    return left_out


def compared(said: RowText, config: DedupConfig) -> str:
    """What of a row is compared."""
    return said.question if config.compare == "question" else said.whole


def _buckets(found: list[Sketches], single: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the hashes that two rows share in a band, (N, B) int32; `ALONE` where no other row has it."""
    width = found[0].bands.shape[1]
    buckets = np.full((len(single), width), ALONE, np.int32)
    used = 0
    for band in range(width):
        hashes = np.concatenate([part.bands[:, band] for part in found])[single]
        _, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        shared = counts > 1
        numbers = np.full(len(counts), ALONE, np.int32)
        numbers[shared] = np.arange(used, used + shared.sum(), dtype=np.int32)
        used += int(shared.sum())
        buckets[single, band] = numbers[places]
    return buckets


def _members(heads: NDArray[np.int32], links: NDArray[np.int32], places: list[tuple[int, int]]) -> set[int]:
    """Rows kept so far in any of these buckets."""
    members: set[int] = set()
    for band, bucket in places:
        member = int(heads[bucket])
        while member != ALONE:
            members.add(member)
            member = int(links[member, band])
    return members


class Shingles:
    """The sets of grams of rows, read from the file when they are asked for; some of them are held."""

    def __init__(self, path: Path, offsets: NDArray[np.int64], config: DedupConfig) -> None:
        self._path, self._offsets, self._config = path, offsets, config
        self._held: OrderedDict[int, tuple[Hashes, str]] = OrderedDict()
        self._file: Any = None

    def __enter__(self) -> Shingles:
        self._file = self._path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def compare(self, row: int, earlier: int) -> Near | None:
        """Return how similar two rows are if they are near duplicates."""
        (one, beside), (other, beside_other) = self._get(row), self._get(earlier)
        if beside != beside_other:
            return None
        alike = similarity(one, other)
        # A reordered text can have all of its shingles in common; only equal ones are called equal.
        return Near(row, earlier, min(alike, 0.9999)) if alike >= self._config.threshold else None

    def _get(self, row: int) -> tuple[Hashes, str]:
        if row in self._held:
            self._held.move_to_end(row)
            return self._held[row]
        self._file.seek(int(self._offsets[row]))
        said = row_text(decode_object(self._file.readline()))
        grams = hash_grams(hash_words([compared(said, self._config)]), self._config.ngram)
        self._held[row] = np.unique(grams.hashes), said.beside
        if len(self._held) > SHINGLES_HELD:
            self._held.popitem(last=False)
        return self._held[row]
