"""A file of lines, many lines at a time: a million rows are read in seconds, and a line without an end is not held."""

from __future__ import annotations

import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.data.jsonl import LONGEST_LINE, open_lines

READ_BYTES = 1 << 20


class Block(NamedTuple):
    """Consecutive lines.

    Args:
        number: of the first, counted from 1.
        offset: bytes of the file before the first.
        lines: their contents without the line break; a carriage return before it stays.
        passed_over: the line behind them, as (number, bytes), if it was too long to be held.
    """

    number: int
    offset: int
    lines: list[bytes]
    passed_over: list[tuple[int, int]]


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the lines of a file, packed or not, without a byte-order mark at its start.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with open_lines(path) as file:
            yield from _blocks(file)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; give the path of a file of rows") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder; name the file of rows in it") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut, or damaged where it is packed: {error}") from error


def _blocks(file: IO[bytes]) -> Iterator[Block]:
    number, offset, begun = 1, 0, b""
    first = file.read(len(BOM_UTF8))
    if first == BOM_UTF8:
        offset = len(BOM_UTF8)
    else:
        begun = first
    while True:
        read = file.read(READ_BYTES)
        *lines, begun = (begun + read).split(b"\n")
        if not read and begun:
            lines.append(begun)
            begun = b""
        # Only the first can be long: the others lie in what was just read.
        if lines and len(lines[0]) >= LONGEST_LINE:
            length = len(lines.pop(0)) + bool(read)
            yield Block(number, offset, [], [(number, length)])
            number, offset = number + 1, offset + length
        passed_over: list[tuple[int, int]] = []
        behind = offset + sum(map(len, lines)) + len(lines)
        after = number + len(lines)
        if len(begun) >= LONGEST_LINE:
            length, begun = _pass_over(file, len(begun))
            passed_over.append((after, length))
            behind, after = behind + length, after + 1
        if lines or passed_over:
            yield Block(number, offset, lines, passed_over)
        number, offset = after, behind
        if not read:
            return


def _pass_over(file: IO[bytes], length: int) -> tuple[int, bytes]:
    """Read to the end of a line of which so many bytes were read; return its length, and what was read behind it."""
    while read := file.read(READ_BYTES):
        before, end, behind = read.partition(b"\n")
        length += len(before) + len(end)
        if end:
            return length, behind
    return length, b""
