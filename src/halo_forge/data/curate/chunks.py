"""A file of rows in chunks, worked on by a few processes; results come back in the file's order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from halo_forge.core.errors import DataError
from halo_forge.data.jsonl import LONGEST_LINE, JsonObject, decode_object, located, read_lines

T = TypeVar("T")
R = TypeVar("R")

ROWS_A_CHUNK = 2000
BYTES_A_CHUNK = 4 << 20
WAITING_A_PROCESS = 2
# Below this size a process takes longer to start than it saves.
WORTH_PROCESSES = 16 << 20


class RawLine(NamedTuple):
    """A line that is not blank.

    Args:
        number: counted from 1.
        offset: bytes of the file before it.
        content: without its end.
    """

    number: int
    offset: int
    content: bytes


class Chunk(NamedTuple):
    """Consecutive lines of a file.

    Args:
        passed_over: lines that were too long to be held, as (number, bytes).
    """

    lines: list[RawLine]
    passed_over: list[tuple[int, int]]


def read_chunks(path: Path) -> Iterator[Chunk]:
    """Yield the lines of a file in chunks, always cut at the same places.

    Raises:
        DataError: the file cannot be read.
    """
    chunk, held, offset = Chunk([], []), 0, 0
    for number, content, length in read_lines(path):
        if content is None:
            chunk.passed_over.append((number, length))
        elif content.strip():
            # A byte-order mark at the start was taken off.
            chunk.lines.append(RawLine(number, offset + length - len(content), content.rstrip(b"\r\n")))
            held += length
        offset += length
        if len(chunk.lines) >= ROWS_A_CHUNK or held >= BYTES_A_CHUNK:
            yield chunk
            chunk, held = Chunk([], []), 0
    if chunk.lines or chunk.passed_over:
        yield chunk


def decode_lines(path: Path, chunk: Chunk) -> list[JsonObject]:
    """Decode a chunk all of whose lines have to be rows.

    Raises:
        DataError: one is not; the text says how to leave such lines out.
    """
    remedy = f"; `halo-forge data validate {path} --fix OUT` leaves such lines out"
    if chunk.passed_over:
        number, length = chunk.passed_over[0]
        raise located(
            path, number, DataError(f"it has {length:,} bytes, and at most {LONGEST_LINE:,} are read{remedy}")
        )
    rows = []
    for line in chunk.lines:
        try:
            rows.append(decode_object(line.content))
        except DataError as error:
            raise located(path, line.number, DataError(f"{error}{remedy}")) from error
    return rows


def processes_for(path: Path, asked: int | None) -> int:
    """Return how many processes a file is worth: those asked for, else one, or two for a large file."""
    if asked is not None:
        return asked
    return 2 if path.is_file() and path.stat().st_size >= WORTH_PROCESSES else 1


def in_order(
    work: Callable[[T], R], items: Iterable[T], processes: int, setup: Callable[..., None], *given: Any
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
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=setup, initargs=given)
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
