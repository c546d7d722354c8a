"""A file of rows written whole or not at all, and the progress of whoever writes it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from halo_forge.core.errors import ConfigError, DataError, EnvironmentFault
from halo_forge.core.events import EventLog, EventType
from halo_forge.core.folders import sync_folder
from halo_forge.data.jsonl import decode_object
from halo_forge.data.parts import reanchored
from halo_forge.data.tables import FORMATS, declared_rows, has_lines, require_name_of_lines

TELL_PACE_S = 1.0
READ_BYTES = 1 << 20


class Rewriting:
    """A file under way: lines are appended to `FILE.partial`, which takes the file's name at the end.

    Args:
        path: the file.
        source: the file whose rows they are. Where it lies in another folder, the media that rows name from there are
            named from here.
    """

    def __init__(self, path: Path, source: Path | None = None) -> None:
        self.path = path
        self.rows = 0
        self._moved = None if source is None or source.parent.resolve() == path.parent.resolve() else source.parent
        self._digest = sha256()
        self._partial = path.with_name(path.name + ".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")

    def append(self, line: bytes) -> None:
        """Add a line, given without its end."""
        self.append_all((line,))

    def append_all(self, lines: Sequence[bytes]) -> None:
        """Add lines, each given without its end."""
        if not lines:
            return
        if self._moved is not None:
            lines = [self._renamed(line) for line in lines]
        whole = b"\n".join(lines) + b"\n"
        self._digest.update(whole)
        self._file.write(whole)
        self.rows += len(lines)

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

    def _renamed(self, line: bytes) -> bytes:
        """Name a row's media from the folder of this file."""
        if b'"path"' not in line or self._moved is None:
            return line
        values = decode_object(line)
        renamed = reanchored(values, self._moved, self.path.parent)
        return line if renamed == values else json.dumps(renamed, ensure_ascii=False).encode()


@contextmanager
def rewriting(path: Path, source: Path | None = None) -> Iterator[Rewriting]:
    """Write a file that appears when the block ends without an error.

    Args:
        source: the file whose rows they are, which it must not replace while that is read.

    Raises:
        ConfigError: both are the same file, or its name says that it is no JSON Lines.
        EnvironmentFault: it cannot be written.
    """
    require_name_of_lines(path)
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise ConfigError(f"--output {path} is the file that is read: name another")
    try:
        file = Rewriting(path, source)
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
        total: rows of the file; None where nobody knows.
    """

    def __init__(self, events: EventLog, phase: str, total: int | None) -> None:
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


def count_rows(path: Path) -> int | None:
    """Count the rows of a file, for the progress; None where that takes as long as reading them.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if has_lines(path.name) and not path.name.endswith(".gz"):
                return sum(block.count(b"\n") for block in iter(lambda: file.read(READ_BYTES), b""))
            return declared_rows(file, path.name)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; give the path of a file of rows ({', '.join(FORMATS)})") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
