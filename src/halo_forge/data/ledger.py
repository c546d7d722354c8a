"""How far a file of rows is made: what is settled survives a kill, the rest is made again.

The rows lie in `FILE.partial` until all are there, and `FILE.ledger` notes what is settled.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from halo_forge.core.errors import EnvironmentFault, RunLockedError
from halo_forge.core.types import Record
from halo_forge.data.sidecar import Counts


class Ledger(Record):
    """How far a file is settled.

    Args:
        fingerprint: of everything that decides the content.
        revision: commit of the source, to which a resumed command keeps.
        file: index of the source file that is being read.
        row: rows of it that are settled.
        bytes: length of the partial file with these rows.
        complete: whether all is read.
    """

    fingerprint: str
    revision: str
    file: int = 0
    row: int = 0
    bytes: int = 0
    counts: Counts = Counts()
    example: str = ""
    complete: bool = False


def partial_path(output: Path) -> Path:
    """Where the rows lie while the file is made."""
    return output.with_name(output.name + ".partial")


def ledger_path(output: Path) -> Path:
    """Where it is noted how far they are settled."""
    return output.with_name(output.name + ".ledger")


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keep a second process from writing the same file; the lock ends with the process.

    Raises:
        RunLockedError: another process has it.
        EnvironmentFault: nothing can be written there.
    """
    path = output.with_name(output.name + ".lock")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise EnvironmentFault(f"cannot write in {output.parent}: {error.strerror}") from error
    try:
        if not _taken(descriptor, path):
            raise RunLockedError(f"another process is writing {output}; wait for it or choose another --output")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, path: Path) -> bool:
    """Take the lock; a file that its last holder has just removed does not count."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def forget(output: Path) -> None:
    """Remove what an attempt has left."""
    for path in (partial_path(output), ledger_path(output)):
        path.unlink(missing_ok=True)


def read_ledger(output: Path) -> Ledger | None:
    """Return how far an earlier attempt came; None where there was none, or its rows are gone."""
    path = ledger_path(output)
    partial = partial_path(output)
    try:
        ledger = Ledger.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return ledger if partial.exists() and partial.stat().st_size >= ledger.bytes else None
