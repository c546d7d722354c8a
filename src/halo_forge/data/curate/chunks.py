"""The rows of a file in chunks, worked on by a few processes; results come back in the file's order.

Lines of JSON Lines are handed on as they are. Rows of other tables are written as such lines first.
"""

from __future__ import annotations

import gc
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from math import isfinite
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

from halo_forge.core.errors import DataError, EnvironmentFault
from halo_forge.data.curate.blocks import read_blocks
from halo_forge.data.jsonl import LONGEST_LINE, JsonObject, counted_as, decode_object, located
from halo_forge.data.source import read_rows
from halo_forge.data.tables import has_lines

T = TypeVar("T")
R = TypeVar("R")

ROWS_A_CHUNK = 2000
BYTES_A_CHUNK = 1 << 20
WAITING_A_PROCESS = 2
# Below this size a process takes longer to start than it saves.
WORTH_PROCESSES = 16 << 20


class Chunk(NamedTuple):
    """Consecutive rows of a file.

    Args:
        numbers: of the lines that are not blank, or of the rows, counted from 1.
        offsets: bytes of the file before each of them, where it is a file of lines.
        lines: their contents, without their ends.
        passed_over: lines that were too long to be held, as (number, bytes).
    """

    numbers: list[int]
    offsets: list[int]
    lines: list[bytes]
    passed_over: list[tuple[int, int]]


def read_chunks(path: Path) -> Iterator[Chunk]:
    """Yield the rows of a file of any format in chunks, always cut at the same places.

    Raises:
        DataError: the file cannot be read.
    """
    return _chunks_of_lines(path) if has_lines(path.name) else _chunks_of_rows(path)


def decode_lines(path: Path, chunk: Chunk) -> list[JsonObject]:
    """Decode a chunk all of whose lines have to be rows.

    Args:
        path: the file, for the text of an error.

    Raises:
        DataError: one is not; the text says how to leave such lines out.
    """
    remedy = f"; `halo-forge data validate {path} --fix OUT` leaves such {counted_as(path)}s out"
    if chunk.passed_over:
        number, length = chunk.passed_over[0]
        raise located(
            path, number, DataError(f"it has {length:,} bytes, and at most {LONGEST_LINE:,} are read{remedy}")
        )
    rows = []
    for number, line in zip(chunk.numbers, chunk.lines, strict=True):
        try:
            rows.append(decode_object(line))
        except DataError as error:
            raise located(path, number, DataError(f"{error}{remedy}")) from error
    return rows


@contextmanager
def as_lines(path: Path, beside: Path) -> Iterator[Path]:
    """Give a file whose lines can be read by their places: the file itself, or a copy of its rows with their numbers.

    Args:
        beside: a file in whose folder there is room; the copy is removed in the end.

    Raises:
        DataError: the file cannot be read.
        EnvironmentFault: the copy cannot be written.
    """
    if has_lines(path.name) and not path.name.lower().endswith(".gz"):
        next(read_blocks(path), None)  # says in words why it cannot be read
        yield path
        return
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        folder = TemporaryDirectory(dir=beside.parent, prefix=".rows-")
    except OSError as error:
        raise EnvironmentFault(f"cannot write in {beside.parent}: {error.strerror or error}") from error
    with folder as name:
        copy = Path(name) / "rows.jsonl"
        with copy.open("wb") as file:
            written = 0
            for chunk in read_chunks(path):
                decode_lines(path, chunk)
                for number, line in zip(chunk.numbers, chunk.lines, strict=True):
                    file.write(b"\n" * (number - written - 1) + line + b"\n")
                    written = number
        yield copy


def processes_for(path: Path, asked: int | None) -> int:
    """Return how many processes a file is worth: those asked for, else one, or two for a large file."""
    if asked is not None:
        return asked
    return 2 if path.is_file() and path.stat().st_size >= WORTH_PROCESSES else 1


def in_order(
    work: Callable[[T], R], items: Iterator[T], processes: int, setup: Callable[..., None], *given: Any
) -> Iterator[tuple[T, R]]:
    """Yield each item with `work(item)`, in order; at most a few items are held at a time.

    Args:
        work: a function of a module, which a process can import.
        setup: called with `given` once in each process, before any work.
    """
    if processes <= 1:
        setup(*given)
        for item in items:
            yield item, work(item)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_begin, initargs=(setup, *given))
    waiting: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) > processes * WAITING_A_PROCESS:
                done, result = waiting.popleft()
                yield done, result.result()
        while waiting:
            done, result = waiting.popleft()
            yield done, result.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(setup: Callable[..., None], *given: Any) -> None:
    """Set up a process whose modules are there for good: the collector need not look at them again and again."""
    setup(*given)
    gc.freeze()


def _chunks_of_lines(path: Path) -> Iterator[Chunk]:
    for block in read_blocks(path):
        chunk = Chunk([], [], [], block.passed_over)
        offset = block.offset
        for number, line in enumerate(block.lines, block.number):
            content = line.rstrip(b"\r")
            if content and not content.isspace():
                chunk.numbers.append(number)
                chunk.offsets.append(offset)
                chunk.lines.append(content)
            offset += len(line) + 1
        if chunk.lines or chunk.passed_over:
            yield chunk


def _chunks_of_rows(path: Path) -> Iterator[Chunk]:
    chunk, held = Chunk([], [], [], []), 0
    for number, values in read_rows(path):
        line = _written(values)
        if len(line) > LONGEST_LINE:
            chunk.passed_over.append((number, len(line)))
        else:
            chunk.numbers.append(number)
            chunk.lines.append(line)
            held += len(line)
        if len(chunk.lines) >= ROWS_A_CHUNK or held >= BYTES_A_CHUNK:
            yield chunk
            chunk, held = Chunk([], [], [], []), 0
    if chunk.lines or chunk.passed_over:
        yield chunk


def _written(values: JsonObject) -> bytes:
    """Write a row as JSON: what is no number there becomes null, and half of a surrogate pair stays an escape."""
    try:
        return json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return json.dumps(_finite(values)).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
