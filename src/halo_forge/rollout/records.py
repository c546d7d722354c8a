"""Files of one record a line: a torn tail is passed over, a whole write is synced."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from halo_forge.core.folders import sync_folder
from halo_forge.core.types import Record, Rollout

R = TypeVar("R", bound=Record)


def read_records(path: Path, record: type[R]) -> Iterator[R]:
    """Yield the complete lines of a file; none if there is no file."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield record.model_validate_json(line)


def append_records(path: Path, records: Iterable[Record]) -> None:
    """Append records and wait until they are on disk."""
    with path.open("ab") as file:
        file.write(b"".join(record.model_dump_json().encode() + b"\n" for record in records))
        file.flush()
        os.fsync(file.fileno())


def write_atomically(path: Path, content: str) -> None:
    """Write a file so that it is either the old one or the new one, whole."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def read_rollouts(path: Path) -> list[Rollout]:
    """Read a file of rollouts."""
    return list(read_records(path, Rollout))
