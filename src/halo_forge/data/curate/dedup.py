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
from hashlib import blake2b
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from halo_forge.config.curate import DedupConfig
from halo_forge.core.events import EventLog
from halo_forge.core.types import Record
from halo_forge.data.curate.chunks import Chunk, as_lines, decode_lines, in_order, processes_for, read_chunks
from halo_forge.data.curate.grams import Hashes, hash_grams, hash_words
from halo_forge.data.curate.minhash import PERMUTATIONS, fold_bands, min_hashes
from halo_forge.data.curate.near import Sketches, compared, find_near
from halo_forge.data.curate.rewriting import Telling, count_rows, rewriting
from halo_forge.data.curate.texts import RowText, normalised, row_text


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
    total = count_rows(path)
    with rewriting(config.output, path) as output, as_lines(path, config.output) as lines:
        kept_for, similarity = _find(path, lines, config, events, total)
        telling = Telling(events, "write", total)
        kept = kept_for == np.arange(len(kept_for))
        row = 0
        for chunk in read_chunks(lines):
            output.append_all(list(compress(chunk.lines, kept[row : row + len(chunk.lines)].tolist())))
            row += len(chunk.lines)
            telling.add(len(chunk.lines))
        telling.finish()
        if config.report is not None:
            _report(lines, config.report, kept_for, similarity)
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
    path: Path, lines: Path, config: DedupConfig, events: EventLog, total: int | None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find for each row the one that is kept in its place, often itself, and how similar they are."""
    telling = Telling(events, "compare", total)
    found: list[Sketches] = []
    offsets: list[NDArray[np.int64]] = []
    work = in_order(_sketch, read_chunks(lines), processes_for(lines, config.processes), _set_up, path, config)
    for chunk, sketches in work:
        found.append(sketches)
        offsets.append(np.array(chunk.offsets, np.int64))
        telling.add(len(chunk.lines))
    telling.finish()
    kept_for = _first_equal(np.concatenate([part.equal for part in found] or [np.zeros((0, 2), np.uint64)]))
    similarity = np.ones(len(kept_for), np.float32)
    if not config.exact and len(kept_for):
        for near in find_near(lines, config, events, found, np.concatenate(offsets), kept_for):
            kept_for[near.row], similarity[near.row] = near.of, near.similarity
        # Equals of a row that was then left out are left out for the same row.
        similarity = np.minimum(similarity, similarity[kept_for])
        kept_for = kept_for[kept_for]
    return kept_for, similarity


def _set_up(path: Path, config: DedupConfig) -> None:
    _Job.path, _Job.config = path, config


def _sketch(chunk: Chunk) -> Sketches:
    """Hash the rows of a chunk."""
    config = _Job.config
    rows = decode_lines(_Job.path, chunk)
    said = [row_text(values) for values in rows]
    texts = [compared(one, config) for one in said]
    equal = np.frombuffer(b"".join(_digest(one, config) for one in said), dtype=np.uint64).reshape(-1, 2)
    if config.exact or not rows:
        nothing = np.zeros((0, PERMUTATIONS), np.uint32)
        bands = fold_bands(nothing, config.threshold)
        return Sketches(equal, nothing.astype(np.uint8), bands, np.zeros(len(rows), bool))
    grams = hash_grams(hash_words(texts), config.ngram)
    hashes = min_hashes(grams)
    media = np.array([one.media for one in said])
    return Sketches(
        equal,
        (hashes & 0xFF).astype(np.uint8),
        fold_bands(hashes, config.threshold),
        media | (np.diff(grams.starts) == 0),
    )


def _digest(said: RowText, config: DedupConfig) -> bytes:
    rest = "" if config.compare == "question" else normalised(said.rest)
    whole = f"{normalised(said.question)}\0{rest}\0{said.beside}"
    return blake2b(whole.encode("utf-8", "replace"), digest_size=16).digest()


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


def _report(path: Path, report: Path, kept_for: NDArray[np.int32], similarity: NDArray[np.float32]) -> None:
    """Write one line a group: the line of the row that is kept, and those of its duplicates."""
    numbers = np.fromiter((number for chunk in read_chunks(path) for number in chunk.numbers), np.int64)
    removed = np.flatnonzero(kept_for != np.arange(len(kept_for)))
    removed = removed[np.argsort(kept_for[removed], kind="stable")]
    with rewriting(report) as file:
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
