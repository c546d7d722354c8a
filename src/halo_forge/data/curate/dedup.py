"""Rows that are there already: exact ones by a hash of what they say, near ones by MinHash and then for certain.

Near duplicates are those whose sets of word 5-grams have a Jaccard similarity of at least 0.8, the parameters of Lee et
al. 2022, *Deduplicating training data makes language models better* (arXiv 2107.06499). As there, MinHash (Broder 1997)
with bands finds the pairs worth comparing. Deviations: 126 permutations in 21 bands instead of 9,000 in 20, the exact
Jaccard similarity of the pair instead of its edit similarity decides, and a row is left out only if one that is *kept*
resembles it, so that no chain of small changes removes a row that resembles none. A pair at the threshold is compared
with a probability of 99.8% (1 - (1 - 0.8^6)^21), a more similar one more surely; no pair below it is ever taken. Rows
are compared by what is asked and answered; system turns, tools and media have to be equal.

Memory: about 300 bytes a row (sketches, bands and where the row lies); texts are read again from the file when a pair
is compared.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from halo_forge.config.curate import DedupConfig
from halo_forge.core.events import EventLog
from halo_forge.core.types import Record
from halo_forge.data.curate.chunks import Chunk, decode_lines, in_order, processes_for, read_chunks
from halo_forge.data.curate.grams import Hashes, hash_grams, hash_words
from halo_forge.data.curate.rewriting import Telling, count_lines, rewriting
from halo_forge.data.curate.texts import RowText, normalised, row_text
from halo_forge.data.jsonl import decode_object

PERMUTATIONS = 126
BANDINGS = (1, 2, 3, 6, 7, 9, 14, 18, 21)  # rows a band; each divides the permutations
LEAST_RECALL = 0.995
SEED = 20_220_613
# The sketch keeps a byte of each hash; its estimate has a standard error of 0.036 at 0.8, so this loses one in 10,000.
MARGIN = 0.13
SHINGLES_HELD = 4096
ALONE = -1


class Near(NamedTuple):
    """A row that resembles an earlier one, and how much, 0 to 1."""

    row: int
    of: int
    similarity: float


class DedupSummary(Record):
    """Result of `data dedup`.

    Args:
        rows: rows read.
        exact: rows left out because an equal one comes before.
        near: rows left out because a similar one that is kept comes before.
        groups: rows that are kept and have duplicates.
    """

    path: str
    output: str
    rows: int
    kept: int
    exact: int
    near: int
    groups: int
    largest_group: int
    threshold: float | None


class _Sketches(NamedTuple):
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


class _Job:
    """What a process was set up with."""

    path: Path
    config: DedupConfig


def dedup_file(path: Path, config: DedupConfig, events: EventLog) -> DedupSummary:
    """Copy the rows of a file that are not there already.

    Raises:
        DataError: a line is no row; the text says how to leave such lines out.
        ConfigError, EnvironmentFault: the output cannot be written.
    """
    total = count_lines(path)
    with rewriting(config.output, path) as output:
        kept_for, similarity = _find(path, config, events, total)
        telling = Telling(events, "write", total)
        row = 0
        for chunk in read_chunks(path):
            for line in chunk.lines:
                if kept_for[row] == row:
                    output.append(line.content)
                row += 1
            telling.add(len(chunk.lines))
        telling.finish()
        if config.report is not None:
            _report(path, config.report, kept_for, similarity)
    removed = kept_for != np.arange(len(kept_for))
    sizes = np.unique(kept_for[removed], return_counts=True)[1]
    return DedupSummary(
        path=str(path),
        output=str(config.output),
        rows=len(kept_for),
        kept=output.rows,
        exact=int((removed & (similarity == 1)).sum()),
        near=int((removed & (similarity < 1)).sum()),
        groups=len(sizes),
        largest_group=int(sizes.max(initial=0)) + 1 if len(sizes) else 0,
        threshold=None if config.exact else config.threshold,
    )


def _find(
    path: Path, config: DedupConfig, events: EventLog, total: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find for each row the one that is kept in its place, often itself, and how similar they are."""
    telling = Telling(events, "compare", total)
    found: list[_Sketches] = []
    offsets: list[NDArray[np.int64]] = []
    work = in_order(_sketch, read_chunks(path), processes_for(path, config.processes), _set_up, path, config)
    for chunk, sketches in work:
        found.append(sketches)
        offsets.append(np.array([line.offset for line in chunk.lines], np.int64))
        telling.add(len(chunk.lines))
    telling.finish()
    kept_for = _first_equal(np.concatenate([part.equal for part in found] or [np.zeros((0, 2), np.uint64)]))
    similarity = np.ones(len(kept_for), np.float32)
    if not config.exact and len(kept_for):
        for near in _near(path, config, events, found, np.concatenate(offsets), kept_for):
            kept_for[near.row], similarity[near.row] = near.of, near.similarity
        # Equals of a row that was then left out are left out for the same row.
        similarity = np.minimum(similarity, similarity[kept_for])
        kept_for = kept_for[kept_for]
    return kept_for, similarity


def _set_up(path: Path, config: DedupConfig) -> None:
    _Job.path, _Job.config = path, config


def _sketch(chunk: Chunk) -> _Sketches:
    """Hash the rows of a chunk."""
    from rensa import RMinHash

    config = _Job.config
    rows = decode_lines(_Job.path, chunk)
    said = [row_text(values) for values in rows]
    texts = [_compared(one, config) for one in said]
    width = PERMUTATIONS // rows_a_band(config.threshold)
    equal = np.frombuffer(b"".join(_digest(one, config) for one in said), dtype=np.uint64).reshape(-1, 2)
    if config.exact or not rows:
        none = np.zeros((0, PERMUTATIONS), np.uint8)
        return _Sketches(equal, none, np.zeros((0, width), np.uint32), np.zeros(len(rows), bool))
    grams = hash_grams(hash_words(texts), config.ngram)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        grams.hashes, grams.starts.astype(np.uint64), PERMUTATIONS, SEED
    )
    hashes = np.array(matrix.to_rows(), np.uint32)
    media = np.array([one.media for one in said])
    return _Sketches(
        equal, (hashes & 0xFF).astype(np.uint8), _bands(hashes, width), media | (np.diff(grams.starts) == 0)
    )


def _digest(said: RowText, config: DedupConfig) -> bytes:
    rest = "" if config.compare == "question" else normalised(said.rest)
    whole = f"{normalised(said.question)}\0{rest}\0{said.beside}"
    return blake2b(whole.encode("utf-8", "replace"), digest_size=16).digest()


def _compared(said: RowText, config: DedupConfig) -> str:
    return said.question if config.compare == "question" else said.whole


@cache
def rows_a_band(threshold: float) -> int:
    """Return the most rows a band with which a pair at the threshold is compared almost surely."""
    fitting = [rows for rows in BANDINGS if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= LEAST_RECALL]
    return max(fitting, default=1)


def _bands(hashes: NDArray[np.uint32], width: int) -> NDArray[np.uint32]:
    """Fold each band of (N, 126) hashes into one, (N, width)."""
    folded = np.zeros((len(hashes), width), np.uint64)
    for column in hashes.astype(np.uint64).reshape(len(hashes), width, -1).transpose(2, 0, 1):
        folded = (folded ^ column) * np.uint64(0x9E3779B97F4A7C15)
    return (folded >> np.uint64(32)).astype(np.uint32)


def _first_equal(equal: Hashes) -> NDArray[np.int32]:
    """Return for each row the first that is equal to it."""
    if not len(equal):
        return np.zeros(0, np.int32)
    order = np.lexsort((equal[:, 1], equal[:, 0]))  # stable, so that the first of equals comes first
    ranked = equal[order]
    new = np.concatenate([[True], (ranked[1:] != ranked[:-1]).any(axis=1)])
    first = np.empty(len(equal), np.int32)
    first[order] = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    return first


def _near(
    path: Path,
    config: DedupConfig,
    events: EventLog,
    found: list[_Sketches],
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
    with _Shingles(path, offsets, config) as shingles:
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


def _buckets(found: list[_Sketches], single: NDArray[np.bool_]) -> NDArray[np.int32]:
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


class _Shingles:
    """The sets of grams of rows, read from the file when they are asked for; some of them are held."""

    def __init__(self, path: Path, offsets: NDArray[np.int64], config: DedupConfig) -> None:
        self._path, self._offsets, self._config = path, offsets, config
        self._held: OrderedDict[int, tuple[Hashes, str]] = OrderedDict()
        self._file: Any = None

    def __enter__(self) -> _Shingles:
        self._file = self._path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def compare(self, row: int, earlier: int) -> Near | None:
        """Return how similar two rows are if they are near duplicates."""
        (one, beside), (other, beside_other) = self._get(row), self._get(earlier)
        if beside != beside_other:
            return None
        shared = len(np.intersect1d(one, other, assume_unique=True))
        similarity = shared / (len(one) + len(other) - shared)
        # A reordered text can have all of its shingles in common; only equal ones are called equal.
        return Near(row, earlier, min(similarity, 0.9999)) if similarity >= self._config.threshold else None

    def _get(self, row: int) -> tuple[Hashes, str]:
        if row in self._held:
            self._held.move_to_end(row)
            return self._held[row]
        self._file.seek(int(self._offsets[row]))
        said = row_text(decode_object(self._file.readline()))
        grams = hash_grams(hash_words([_compared(said, self._config)]), self._config.ngram)
        self._held[row] = np.unique(grams.hashes), said.beside
        if len(self._held) > SHINGLES_HELD:
            self._held.popitem(last=False)
        return self._held[row]


def _report(path: Path, report: Path, kept_for: NDArray[np.int32], similarity: NDArray[np.float32]) -> None:
    """Write one line a group: the line of the row that is kept, and those of its duplicates."""
    numbers = np.fromiter((line.number for chunk in read_chunks(path) for line in chunk.lines), np.int64)
    removed = np.flatnonzero(kept_for != np.arange(len(kept_for)))
    removed = removed[np.argsort(kept_for[removed], kind="stable")]
    with rewriting(report, path) as file:
        for group in np.split(removed, np.flatnonzero(np.diff(kept_for[removed])) + 1) if len(removed) else []:
            duplicates = [
                {
                    "line": int(numbers[row]),
                    "kind": "exact" if similarity[row] == 1 else "near",
                    "similarity": round(float(similarity[row]), 4),
                }
                for row in group
            ]
            kept = int(numbers[kept_for[group[0]]])
            file.append(json.dumps({"kept_line": kept, "left_out": duplicates}).encode())
