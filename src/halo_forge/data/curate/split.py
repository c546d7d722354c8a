"""Splitting a file so that no group is in two parts.

The hash of a group's key and the seed is its rank. The lowest ranks, up to its share of the rows, are the first part's,
and so on: where a row goes depends neither on its place in the file nor on chance, and adding rows moves only groups at
an edge. Shares are met as closely as whole groups allow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from halo_forge.config.curate import SplitConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventLog
from halo_forge.core.types import Record
from halo_forge.data.curate.chunks import Chunk, decode_lines, in_order, processes_for, read_chunks
from halo_forge.data.curate.grams import Hashes, words_of
from halo_forge.data.curate.rewriting import Telling, count_rows, rewriting
from halo_forge.data.curate.texts import row_text
from halo_forge.data.fields import known_keys
from halo_forge.data.jsonl import JsonObject, located

SPEAKER_COLUMNS = ("speaker_id", "speaker", "client_id")


class Part(Record):
    """A part of the file."""

    name: str
    path: str
    rows: int
    groups: int


class SplitSummary(Record):
    """Result of `data split`."""

    path: str
    by: str
    seed: int
    rows: int
    groups: int
    parts: tuple[Part, ...]


class _Job:
    """What a process was set up with."""

    path: Path
    by: str
    seed: int


def split_file(path: Path, config: SplitConfig, events: EventLog) -> SplitSummary:
    """Write the parts of a file, each row unchanged and in the file's order.

    Raises:
        DataError: a line is no row, has nothing to be grouped by, or there are fewer groups than parts.
        ConfigError, EnvironmentFault: a part cannot be written.
    """
    total = count_rows(path)
    telling = Telling(events, "group", total)
    found = []
    processes = processes_for(path, config.processes)
    for chunk, hashes in in_order(_ranks, read_chunks(path), processes, _set_up, path, config.by, config.seed):
        found.append(hashes)
        telling.add(len(chunk.lines))
    telling.finish()
    ranks = np.concatenate(found or [np.zeros(0, np.uint64)])
    groups, sizes = np.unique(ranks, return_counts=True)
    bounds = _bounds(sizes, config.fractions, path, config.by)
    # The part of a group is the number of bounds at or below its place among the groups.
    part_of = np.searchsorted(bounds, np.searchsorted(groups, ranks), side="right")
    targets = [config.output_folder / f"{name}.jsonl" for name in config.parts]
    with ExitStack() as stack:
        files = [stack.enter_context(rewriting(target, path)) for target in targets]
        row = 0
        telling = Telling(events, "write", total)
        for chunk in read_chunks(path):
            parts_of = part_of[row : row + len(chunk.lines)]
            for number, file in enumerate(files):
                file.append_all([chunk.lines[place] for place in np.flatnonzero(parts_of == number).tolist()])
            row += len(chunk.lines)
            telling.add(len(chunk.lines))
        telling.finish()
    edges = np.concatenate([[0], bounds, [len(groups)]])
    parts = tuple(
        Part(name=name, path=str(file.path), rows=file.rows, groups=int(count))
        for name, file, count in zip(config.parts, files, np.diff(edges), strict=True)
    )
    return SplitSummary(
        path=str(path), by=config.by, seed=config.seed, rows=len(ranks), groups=len(groups), parts=parts
    )


def group_key(values: JsonObject, by: str) -> str:
    """Return what a row's group has in common.

    Args:
        by: `problem` (what is asked, whatever its case, blanks and punctuation), `tools` (the set of tools, in whatever
            order), `speaker` (the first column of `SPEAKER_COLUMNS`), `none` (all that it says), or a column.

    Raises:
        DataError: the row has no such column.
    """
    if by == "none":
        said = row_text(values)
        return json.dumps([said.question, said.rest, said.beside])
    if by == "problem":
        said = row_text(values)
        shown = said.beside if said.media else ""
        # A question without words, such as a formula, is told from others by its characters.
        return json.dumps([words_of(said.question) or said.question.split(), shown])
    if by == "tools":
        tools = values.get("tools")
        if isinstance(tools, str):
            try:
                tools = json.loads(tools)
            except ValueError:
                return json.dumps(tools)
        return json.dumps(sorted(json.dumps(tool, sort_keys=True) for tool in tools) if isinstance(tools, list) else [])
    columns = SPEAKER_COLUMNS if by == "speaker" else (by,)
    value = next((values[column] for column in columns if values.get(column) is not None), None)
    if value is None:
        raise DataError(f"no {' or '.join(columns)} to group it by (columns it has: {known_keys(values)})")
    return json.dumps(value, sort_keys=True)


def _set_up(path: Path, by: str, seed: int) -> None:
    _Job.path, _Job.by, _Job.seed = path, by, seed


def _ranks(chunk: Chunk) -> Hashes:
    hashes = []
    for number, values in zip(chunk.numbers, decode_lines(_Job.path, chunk), strict=True):
        try:
            key = group_key(values, _Job.by)
        except DataError as error:
            raise located(_Job.path, number, error) from error
        digest = blake2b(f"{_Job.seed}\0{key}".encode("utf-8", "replace"), digest_size=8).digest()
        hashes.append(int.from_bytes(digest, "big"))
    return np.array(hashes, np.uint64)


def _bounds(sizes: NDArray[np.int64], fractions: Sequence[float], path: Path, by: str) -> NDArray[np.int64]:
    """Return after how many groups each part but the last ends; each part gets at least one group."""
    if len(sizes) < len(fractions):
        raise DataError(
            f"{path} has {len(sizes)} groups by {by}, too few for {len(fractions)} parts: group by something finer"
        )
    filled = np.concatenate([[0], np.cumsum(sizes)])
    bounds: list[int] = []
    for number, share in enumerate(np.cumsum(fractions)[:-1].tolist(), start=1):
        nearest = int(np.argmin(np.abs(filled - share * filled[-1])))
        first, last = (bounds[-1] if bounds else 0) + 1, len(sizes) - (len(fractions) - number)
        bounds.append(min(max(nearest, first), last))
    return np.array(bounds, np.int64)
