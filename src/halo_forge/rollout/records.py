"""Files of one record a line: a torn tail is passed over, a whole write is synced."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from halo_forge.core.files import write_atomically as write_atomically
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


def read_rollouts(path: Path) -> list[Rollout]:
    """Read a file of rollouts."""
    return list(read_records(path, Rollout))
