"""Rows of any local table: what takes a JSONL file takes JSON, CSV, TSV and Parquet as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from halo_forge.core.errors import DataError
from halo_forge.data import jsonl
from halo_forge.data.jsonl import JsonObject, Row, located
from halo_forge.data.tables import FORMATS, has_lines, read_table

T = TypeVar("T")


def open_rows(path: Path) -> Iterator[JsonObject]:
    """Yield the rows of a local file, one after the other.

    Raises:
        DataError: the file cannot be used; the text names the line or row.
    """
    for row in read_rows(path):
        yield row.values


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a local file with the numbers of their lines, or of the rows where it has no lines.

    A name with no ending that is known is read as JSONL.

    Raises:
        DataError: the file is missing, a folder, unreadable, without rows or not of its format.
    """
    if has_lines(path.name):
        yield from jsonl.read_rows(path)
        return
    empty = True
    try:
        with path.open("rb") as file:
            for number, values in read_table(file, path.name):
                empty = False
                yield Row(number, _without_bytes(path, number, values))
    except DataError as error:
        raise error if str(error).startswith(str(path)) else DataError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; give the path of a file of rows ({', '.join(FORMATS)})") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if empty:
        raise DataError(f"{path} holds no rows")


def parse_rows(path: Path, parse: Callable[[Row], T]) -> Iterator[tuple[int, T]]:
    """Yield number and parsed item for each row; a DataError of `parse` gets the file and the number put before it.

    Raises:
        DataError: as `read_rows`, or whatever `parse` refuses.
    """
    for row in read_rows(path):
        try:
            item = parse(row)
        except DataError as error:
            raise located(path, row.line, error) from error
        yield row.line, item


def _without_bytes(path: Path, number: int, values: JsonObject) -> JsonObject:
    for key, value in values.items():
        held = value.values() if isinstance(value, dict) else [value]
        if any(isinstance(item, bytes) for item in held):
            raise DataError(
                f"{path}, row {number}: column {key!r} holds bytes, such as an image: describe the file in YAML and "
                "prepare it (`halo-forge data prepare --dataset FILE.yaml`)"
            )
    return values
