"""The file of verdicts and, beside it, how far it has come: what makes a killed command go on where it was.

`OUT.jsonl.state.json` holds a point up to which verdicts are known to be on disk, with the input read up to there. On
the way in the output is cut back to that point, so that no verdict is lost or doubled; what came after it is judged
again, which the verdict cache makes cheap.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from pydantic import JsonValue

from halo_forge.core.errors import DataError, EnvironmentFault, RunConflictError, RunLockedError
from halo_forge.core.types import Record
from halo_forge.rollout.records import write_atomically
from halo_forge.verify.rows import SourceRow
from halo_forge.verify.summary import Counts

READ_BYTES = 1 << 20
EMPTY_SHA256 = sha256().hexdigest()


class State(Record):
    """A point that the file has reached.

    Args:
        settings: what the verdicts depend on, by name; what follows from others comes after them.
        lines: lines of the input before it.
        input_bytes: their length.
        input_sha256: their hash.
        output_bytes: length of their verdicts.
        complete: whether the input ended there.
    """

    settings: dict[str, JsonValue]
    lines: int = 0
    input_bytes: int = 0
    input_sha256: str = EMPTY_SHA256
    output_bytes: int = 0
    counts: Counts = Counts()
    complete: bool = False


class _Read:
    """The start of the input: what has verdicts."""

    def __init__(self) -> None:
        self.lines = self.length = 0
        self._digest = sha256()

    def add(self, content: bytes) -> None:
        self.lines += content.count(b"\n")
        self.length += len(content)
        self._digest.update(content)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class Output:
    """An open file of verdicts, which nobody else is writing."""

    def __init__(self, file: IO[bytes], state_file: Path, state: State, read: _Read) -> None:
        self.state = state
        self._file = file
        self._state_file = state_file
        self._read = read

    def append(self, row: SourceRow, line: bytes) -> None:
        """Write one verdict."""
        self._file.write(line)
        self._read.add(row.raw)

    def save(self, counts: Counts, *, complete: bool = False) -> None:
        """Put what is written on disk, and note the point reached."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.state = State(
            settings=self.state.settings,
            lines=self._read.lines,
            input_bytes=self._read.length,
            input_sha256=self._read.sha256,
            output_bytes=self._file.tell(),
            counts=counts,
            complete=complete,
        )
        write_atomically(self._state_file, self.state.model_dump_json() + "\n")


@contextmanager
def open_output(path: Path, settings: dict[str, JsonValue], source: Path) -> Iterator[Output]:
    """Begin the file, or go on where it was left.

    Raises:
        RunConflictError: it is something else, or was begun with other settings or another input; nothing is changed.
        RunLockedError: another process is writing it.
        EnvironmentFault: it cannot be written.
    """
    state_file = path.with_name(path.name + ".state.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise EnvironmentFault(f"cannot write --output {path}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunLockedError(f"{path} is being written by another process; wait for it, or stop it") from error
        state = _earlier(path, state_file, settings) or State(settings=settings)
        read = _read_start(source, state.input_bytes)
        if read.sha256 != state.input_sha256:
            raise RunConflictError(
                f"{path} holds verdicts on the first {state.counts.rows} rows of a file that began otherwise than "
                f"{source} does: give the same file to continue, or another --output"
            )
        file.truncate(state.output_bytes)
        file.seek(0, os.SEEK_END)
        output = Output(file, state_file, state, read)
        output.save(state.counts)
        yield output


def _earlier(path: Path, state_file: Path, settings: dict[str, JsonValue]) -> State | None:
    written = path.stat().st_size
    if written == 0:
        return None
    try:
        state = State.model_validate_json(state_file.read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise RunConflictError(
            f"{path} was not written by this command, or its {state_file.name} is gone: "
            "remove the file to begin again, or choose another --output"
        ) from error
    _refuse_changes(path, state.settings, settings)
    if written < state.output_bytes:
        return None  # somebody emptied it, or took lines away: nothing in it can be relied on
    return state


def _refuse_changes(path: Path, before: dict[str, JsonValue], now: dict[str, JsonValue]) -> None:
    changes = [
        f"{name} was {before.get(name)!r}, now {value!r}" for name, value in now.items() if before.get(name) != value
    ]
    if changes:
        raise RunConflictError(
            f"{path} was begun with other settings: {changes[0]}. Give the same to continue it, or another --output"
        )


def _read_start(source: Path, length: int) -> _Read:
    """Read the first `length` bytes of a file, or all of a shorter one."""
    read = _Read()
    try:
        with source.open("rb") as file:
            while read.length < length and (block := file.read(min(READ_BYTES, length - read.length))):
                read.add(block)
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror}; give a JSONL file of rows") from error
    return read
