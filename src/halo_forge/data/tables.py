"""Rows of JSONL, JSON, CSV, TSV and Parquet, read as a stream: memory does not grow with the file.

A row's values are JSON, with two exceptions that Parquet brings: bytes stay bytes, for whoever stores media.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path, PurePath
from typing import IO, Any, Literal

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.data.jsonl import json_type, parse_object

RawRow = dict[str, Any]


class BrokenRow(RawRow):
    """A line that is no row, in place of one.

    Args:
        detail: what is wrong with it.
    """

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail


READ_BYTES = 1 << 20
ROWS_A_BATCH = 64
# One row of an array may be this long before it is taken for a file that is cut or no JSON at all.
LONGEST_ROW = 256 << 20
BLANK = " \t\r\n"
FORMATS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
}  # fmt: skip


def table_format(name: str) -> str | None:
    """Return the format a file's name stands for, with or without `.gz` behind; None for names of no table."""
    path = PurePath(name)
    suffixes = path.suffixes
    last = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else path.suffix
    return FORMATS.get(last.lower())


def has_lines(name: str) -> bool:
    """Whether a file of that name is read as JSON Lines, packed or not, as is every name that tells no format."""
    return table_format(name) in (None, "jsonl")


def require_name_of_lines(path: Path) -> None:
    """Refuse a name under which the rows that are written could not be read again.

    Raises:
        ConfigError: it says that the file is another table, or packed.
    """
    if table_format(path.name) not in (None, "jsonl", "json") or path.name.lower().endswith(".gz"):
        raise ConfigError(f"{path}: rows are written as JSON Lines, so give a name that ends with .jsonl")


def read_table(
    file: IO[bytes], name: str, *, columns: Iterable[str] | None = None, skip: int = 0, lenient: bool = False
) -> Iterator[tuple[int, RawRow]]:
    """Yield the rows of a table with their numbers, counted from 1: lines in files of lines, else rows.

    Args:
        file: open for reading; Parquet seeks in it.
        name: tells the format by its end.
        columns: the columns that are of use, where the format can leave out the others.
        skip: rows at the beginning that are passed over, in Parquet without reading most of them.
        lenient: give a `BrokenRow` for a line of JSONL that is no row, and go on.

    Raises:
        DataError: the name tells no format, or the content is not of it; the text names the line or row.
    """
    form = table_format(name)
    if form is None:
        raise DataError(f"{name} is no table: its name must end with one of {', '.join(FORMATS)} (or that and .gz)")
    if name.lower().endswith(".gz"):
        file = gzip.GzipFile(fileobj=file)  # type: ignore[assignment]
    if form == "parquet":
        yield from _read_parquet(file, columns, skip)
        return
    rows = (
        _read_json(file) if form == "json" else _read_lines(file, lenient) if form == "jsonl" else _read_csv(file, form)
    )
    for place, row in enumerate(rows):
        if place >= skip:
            yield row


def header(file: IO[bytes], name: str) -> tuple[str, ...] | None:
    """Return the columns of a table that declares them, or None for formats that do not."""
    if table_format(name) != "parquet":
        return None
    return tuple(_parquet(file).schema_arrow.names)


def declared_rows(file: IO[bytes], name: str) -> int | None:
    """Return the number of rows of a table that declares it, or None for formats that do not."""
    if table_format(name) != "parquet":
        return None
    return int(_parquet(file).metadata.num_rows)


def _read_lines(lines: Iterable[bytes], lenient: bool = False) -> Iterator[tuple[int, RawRow]]:
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if text.strip():
            try:
                values = parse_object(text, lenient=lenient)
            except DataError as error:
                if not lenient:
                    raise DataError(f"line {number}: {error}") from error
                yield number, BrokenRow(f"line {number}: {error}")
            else:
                yield number, values


def _read_json(file: IO[bytes]) -> Iterator[tuple[int, RawRow]]:
    """Read an array of objects; a file that begins with an object is taken for lines of them."""
    with _as_text(file) as reader:
        buffer = reader.read(READ_BYTES).lstrip(BLANK)
        if buffer.startswith("["):
            yield from _array_items(reader, buffer[1:])
        else:
            reader.seek(0)
            yield from _read_lines(line.encode() for line in reader)


@contextmanager
def _as_text(file: IO[bytes], newline: str | None = None) -> Iterator[io.TextIOWrapper]:
    """Read a file as UTF-8, with or without a byte-order mark; it stays open.

    Raises:
        DataError: it is not UTF-8.
    """
    reader = io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline)
    try:
        yield reader
    except UnicodeDecodeError as error:
        wrong = error.object[error.start]
        raise DataError(f"byte 0x{wrong:02x} is not UTF-8; save the file in that encoding") from error
    finally:
        if not file.closed:
            reader.detach()


def _array_items(reader: io.TextIOWrapper, buffer: str) -> Iterator[tuple[int, RawRow]]:
    decoder = json.JSONDecoder()
    number, place, ended = 0, 0, False
    while True:
        while place < len(buffer) and (buffer[place] in BLANK or buffer[place] == ","):
            place += 1
        if place < len(buffer) and buffer[place] == "]":
            return
        try:
            value, end = decoder.raw_decode(buffer, place)
            # A number at the buffer's end may go on after it; an object may not.
            whole = end < len(buffer) or isinstance(value, dict)
        except (ValueError, RecursionError) as error:
            whole = False
            if ended or len(buffer) - place > LONGEST_ROW:
                raise DataError(f"row {number + 1} of the array is not JSON, or the file is cut: {error}") from error
        if not whole:
            more = reader.read(max(READ_BYTES, len(buffer) - place))
            ended = not more
            buffer, place = buffer[place:] + more, 0
            if ended and not buffer:
                raise DataError(f"the file is cut: its array is not closed after {number} rows")
            continue
        number, place = number + 1, end
        if not isinstance(value, dict):
            raise DataError(f"row {number} of the array must be an object, not {json_type(value)}")
        yield number, value


def _read_csv(file: IO[bytes], form: str) -> Iterator[tuple[int, RawRow]]:
    """Read a table with a header; a field that is empty is None. In TSV quotes are ordinary characters."""
    csv.field_size_limit(sys.maxsize)
    quoting: Literal[0, 3] = csv.QUOTE_NONE if form == "tsv" else csv.QUOTE_MINIMAL
    with _as_text(file, newline="") as text:
        reader = csv.DictReader(text, delimiter="\t" if form == "tsv" else ",", quoting=quoting, strict=form == "csv")
        try:
            for number, row in enumerate(reader, start=1):
                if None in row:
                    raise DataError(f"row {number} has more fields than the header has columns")
                yield number, {key: value if value != "" else None for key, value in row.items()}
        except csv.Error as error:
            raise DataError(f"line {reader.line_num} is not {form.upper()}: {error}") from error


def _parquet(file: IO[bytes]) -> Any:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(file)
    except (ArrowInvalid, OSError) as error:
        raise DataError(f"not a Parquet file, or a cut one: {error}") from error


def _read_parquet(file: IO[bytes], columns: Iterable[str] | None, skip: int) -> Iterator[tuple[int, RawRow]]:
    from pyarrow import ArrowInvalid

    table = _parquet(file)
    names: list[str] = table.schema_arrow.names
    wanted = None if columns is None else [name for name in names if name in set(columns)]
    labels = _class_names(table.schema_arrow.metadata or {})
    group, before = 0, 0
    while group < table.num_row_groups and before + table.metadata.row_group(group).num_rows <= skip:
        before += table.metadata.row_group(group).num_rows
        group += 1
    number = before
    # One group after the other: what is read ahead for a reader is held until it is done.
    groups = ([one] for one in range(group, table.num_row_groups))
    batches = (table.iter_batches(batch_size=ROWS_A_BATCH, row_groups=one, columns=wanted) for one in groups)
    try:
        for batch in chain.from_iterable(batches):
            for row in batch.to_pylist():
                number += 1
                if number > skip:
                    yield number, {key: _plain(_labelled(value, labels.get(key))) for key, value in row.items()}
    except (ArrowInvalid, OSError) as error:
        raise DataError(f"row {number + 1} of the Parquet file cannot be read: {error}") from error


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Return column -> names of its classes, as the `datasets` library notes them in a Parquet file."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {
        name: feature["names"]
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }


def _labelled(value: Any, names: list[str] | None) -> Any:
    known = names is not None and isinstance(value, int) and 0 <= value < len(names)
    return names[value] if known and names is not None else value


def _plain(value: Any) -> Any:
    """Turn what JSON does not have into text, at any depth; bytes stay."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (timedelta, Decimal)):
        return str(value)
    return value
