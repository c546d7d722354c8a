"""Files of one JSON object a line, read line by line; every way such a file can be wrong is one clear sentence."""

from __future__ import annotations

import gzip
import json
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

from pydantic import JsonValue
from pydantic_core import from_json

from halo_forge.core.errors import DataError

JsonObject = dict[str, JsonValue]
T = TypeVar("T")

# A row of text is never so long; a line that goes on is passed over without being held.
LONGEST_LINE = 16 << 20
STRICT, LENIENT = json.JSONDecoder(), json.JSONDecoder(strict=False)
# Files whose rows are counted, and not their lines.
OF_ROWS = (".parquet", ".csv", ".tsv", ".json")


class Line(NamedTuple):
    """One line of a file as it is.

    Args:
        number: counted from 1.
        content: with its end; None for a line longer than `LONGEST_LINE`.
        length: bytes, its end included.
    """

    number: int
    content: bytes | None
    length: int


class Row(NamedTuple):
    """One line of a file.

    Args:
        line: its number, counted from 1.
        values: column -> value.
    """

    line: int
    values: JsonObject


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a JSONL file in order.

    Blank lines are passed over; a byte-order mark at the start and Windows line ends are allowed.

    Raises:
        DataError: the file is missing, a folder, unreadable or without rows, or a line is not UTF-8, not JSON or
            not an object; the text names the line.
    """
    empty = True
    for number, line, length in read_lines(path):
        if line is None:
            too_long = DataError(f"it has {length:,} bytes, and at most {LONGEST_LINE:,} are read")
            raise located(path, number, too_long)
        if line.strip():
            empty = False
            try:
                yield Row(number, decode_object(line))
            except DataError as error:
                raise located(path, number, error) from error
    if empty:
        raise DataError(f"{path} holds no rows; expected one JSON object a line")


def located(path: Path, line: int, error: DataError) -> DataError:
    """Put the file and the line, or the row of a table, before an error's text."""
    return DataError(f"{path}, {counted_as(path)} {line}: {error}")


def counted_as(path: Path) -> str:
    """Return what the numbers of a file's rows count: `line`, or `row` in a table."""
    return "row" if path.name.lower().removesuffix(".gz").endswith(OF_ROWS) else "line"


def open_lines(path: Path) -> IO[bytes]:
    """Open a file of lines, packed (`.gz`) or not."""
    if path.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def parse_rows(path: Path, parse: Callable[[Row], T]) -> Iterator[tuple[int, T]]:
    """Yield line number and parsed item for each row; a DataError of `parse` gets the file and the line put before it.

    Raises:
        DataError: as `read_rows`, or whatever `parse` refuses.
    """
    for row in read_rows(path):
        try:
            item = parse(row)
        except DataError as error:
            raise located(path, row.line, error) from error
        yield row.line, item


def decode_object(line: bytes) -> JsonObject:
    """Decode one line.

    Raises:
        DataError: it is not UTF-8, not JSON or not an object.
    """
    value = parse_object(line)
    if b"\\u" in line and not _is_encodable(value):
        raise DataError("a text holds half of a surrogate pair (\\ud800 to \\udfff), which is not a character")
    return value


def parse_object(line: bytes, *, lenient: bool = False) -> JsonObject:
    """Decode one line; a text in it may hold half of a surrogate pair, which no file can hold.

    Args:
        lenient: allow control characters that a text holds as they are, where JSON demands an escape.

    Raises:
        DataError: it is not UTF-8, not JSON or not an object.
    """
    try:
        value: JsonValue = from_json(line)
    except ValueError:
        value = _parse_slowly(line, lenient=lenient)
    if not isinstance(value, dict):
        array = "; the file looks like one JSON array: write each of its objects on a line of its own"
        kind = json_type(value)
        raise DataError(f"expected a JSON object, got {kind}{array if kind == 'an array' else ''}")
    return value


def _parse_slowly(line: bytes, *, lenient: bool) -> JsonValue:
    """Parse what the quick parser refuses: some of it is JSON all the same, and of the rest this one says why not."""
    try:
        value: JsonValue = (LENIENT if lenient else STRICT).decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte {error.start + 1} (0x{line[error.start]:02x}) is not UTF-8; save the file in that encoding"
        ) from error
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"not usable JSON: {error}") from error
    return value


def json_type(value: JsonValue) -> str:
    """Name the JSON type of a value, with its article."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names: dict[type, str] = {dict: "an object", list: "an array", str: "a text"}
    return names.get(type(value), "a number")


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a file, without a byte-order mark at its start; memory does not grow with a line.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with open_lines(path) as file:
            for number in count(1):
                content = file.readline(LONGEST_LINE + 1)
                if not content:
                    return
                length = len(content)
                if length <= LONGEST_LINE:
                    yield Line(number, content.removeprefix(BOM_UTF8) if number == 1 else content, length)
                    continue
                while content and not content.endswith(b"\n"):
                    content = file.readline(LONGEST_LINE)
                    length += len(content)
                yield Line(number, None, length)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; give the path of a JSONL file") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder; name the JSONL file in it") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut, or damaged where it is packed: {error}") from error


def _is_encodable(value: JsonValue) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
