"""A file of rows written whole or not at all, and the progress of whoever writes it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from halo_forge.core.errors import ConfigError, DataError, EnvironmentFault
from halo_forge.core.events import EventLog, EventType
from halo_forge.core.folders import sync_folder

TELL_PACE_S = 1.0
READ_BYTES = 1 << 20


class Rewriting:
    """A file under way: lines are appended to `FILE.partial`, which takes the file's name at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._digest = sha256()
        self._partial = path.with_name(path.name + ".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")

    def append(self, line: bytes) -> None:
        """Add a line, given without its end."""
        whole = line + b"\n"
        self._digest.update(whole)
        self._file.write(whole)
        self.rows += 1

    @property
    def sha256(self) -> str:
        """Hash of what was written, 64 hexadecimal digits."""
        return self._digest.hexdigest()

    def publish(self) -> None:
        """Give the file its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self.path)
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


@contextmanager
def rewriting(path: Path, source: Path | None = None) -> Iterator[Rewriting]:
    """Write a file that appears when the block ends without an error.

    Args:
        source: a file that it must not replace while it is read.

    Raises:
        ConfigError: both are the same file.
        EnvironmentFault: it cannot be written.
    """
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise ConfigError(f"--output {path} is the file that is read: name another")
    try:
        file = Rewriting(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield file
        file.publish()
    except BaseException:
        file.discard()
        raise


class Telling:
    """Tells how many rows are done, at most once a second.

    Args:
        phase: its name.
        total: rows of the file.
    """

    def __init__(self, events: EventLog, phase: str, total: int) -> None:
        self._events, self._phase = events, phase
        self._begun = self._told = time.monotonic()
        self._done = 0
        events.emit(EventType.PHASE_STARTED, phase=phase, unit="rows", total=total)

    def add(self, rows: int) -> None:
        """Count rows as done."""
        self._done += rows
        if time.monotonic() - self._told >= TELL_PACE_S:
            self._told = time.monotonic()
            self._events.emit(EventType.PROGRESS, phase=self._phase, step=self._done)

    def finish(self) -> None:
        """Say that all are done."""
        self._events.emit(EventType.PROGRESS, phase=self._phase, step=self._done)
        wall_s = time.monotonic() - self._begun
        self._events.emit(EventType.PHASE_FINISHED, phase=self._phase, wall_s=wall_s)


def count_lines(path: Path) -> int:
    """Count the lines of a file, for the progress.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(READ_BYTES), b""))
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; give the path of a JSONL file") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
