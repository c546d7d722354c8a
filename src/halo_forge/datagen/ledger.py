"""The ledger: what was asked, what came back, and what it cost, each on disk before anything follows from it.

{"kind": "ledger", "settings": {…}}
{"kind": "asked", "item": 7, "attempt": 1, "most_in": 1840, "most_out": 4096}
{"kind": "answer", "item": 7, "attempt": 1, "text": "…", "finish": "stop", "tokens_in": 412, "tokens_out": 903, …}
{"kind": "failed", "item": 8, "attempt": 1, "reason": "503: overloaded", "maybe_paid": false}

A request without an end was in flight when the process died: nobody knows whether it was paid, so it counts at the most
that it can have cost.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Literal, NamedTuple

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from halo_forge.core.errors import DataError, EnvironmentFault, RunConflictError, RunLockedError
from halo_forge.core.events import drop_torn_tail
from halo_forge.core.types import Record

SUFFIX = ".ledger.jsonl"
Finish = Literal["stop", "length", "refused", "unknown"]


class Header(Record):
    """What all answers of the ledger follow from."""

    kind: Literal["ledger"] = "ledger"
    settings: dict[str, JsonValue]


class Asked(Record):
    """A request that is about to be sent.

    Args:
        attempt: 1, 2 … for the same item, over all starts.
        most_in: tokens of the prompt at most.
        most_out: tokens of the answer at most.
    """

    kind: Literal["asked"] = "asked"
    item: int
    attempt: int
    most_in: int
    most_out: int


class Answer(Record):
    """What came back, and what the server says that it took.

    Args:
        finish: why it ended: `stop` is whole, `length` cut at the most tokens, `refused` by the model or a filter.
        model: what the server says that answered.
        told: whether the counts are the server's; else they are the most that the request can have taken.
    """

    kind: Literal["answer"] = "answer"
    item: int
    attempt: int
    text: str
    finish: Finish
    model: str
    tokens_in: int
    tokens_out: int
    told: bool


class Failed(Record):
    """A request that came to nothing.

    Args:
        maybe_paid: whether the server may have worked on it all the same.
    """

    kind: Literal["failed"] = "failed"
    item: int
    attempt: int
    reason: str
    maybe_paid: bool


Entry = Annotated[Header | Asked | Answer | Failed, Field(discriminator="kind")]
_ENTRY: TypeAdapter[Header | Asked | Answer | Failed] = TypeAdapter(Entry)


class Use(NamedTuple):
    """Tokens and requests so far.

    Args:
        tokens_in: of answers, and of requests that may have been paid at their most.
        tokens_out: likewise.
        requests: all that were sent.
        maybe_paid: those that brought nothing and may have cost something; requests under way are among them.
        untold: answers whose tokens the server did not tell in a way that can be true.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    requests: int = 0
    maybe_paid: int = 0
    untold: int = 0

    def plus(self, **changes: int) -> Use:
        """Add to some of the counts."""
        return self._replace(**{name: getattr(self, name) + value for name, value in changes.items()})


class Ledger:
    """An open ledger, which nobody else is writing."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.use = Use()
        self._file = file
        self._places: dict[int, tuple[int, int]] = {}
        self._attempts: dict[int, int] = {}
        self._open: dict[tuple[int, int], Asked] = {}

    @property
    def answered(self) -> set[int]:
        """Items that have an answer."""
        return set(self._places)

    def ask(self, item: int, most_in: int, most_out: int) -> Asked:
        """Note that a request is about to be sent."""
        asked = Asked(item=item, attempt=self._attempts.get(item, 0) + 1, most_in=most_in, most_out=most_out)
        self._append(asked)
        self._take(asked, 0, 0)
        return asked

    def end(self, entry: Answer | Failed) -> None:
        """Note what became of a request."""
        place = self._append(entry)
        self._take(entry, *place)

    def read(self, item: int) -> Answer:
        """Return an answer that is there."""
        offset, length = self._places[item]
        with self.path.open("rb") as file:
            file.seek(offset)
            return Answer.model_validate_json(file.read(length))

    def load(self) -> Header | None:
        """Read what earlier attempts left, without its last line if that is torn; None if there is nothing.

        Raises:
            RunConflictError: a line is no entry of a ledger.
        """
        drop_torn_tail(self.path)
        header: Header | None = None
        offset = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                entry = self._parse(line, number)
                if isinstance(entry, Header):
                    header = entry
                elif header is None or not (isinstance(entry, Asked) or (entry.item, entry.attempt) in self._open):
                    raise self._foreign(number)
                else:
                    self._take(entry, offset, len(line))
                offset += len(line)
        return header

    def begin(self, settings: dict[str, JsonValue]) -> None:
        """Write the first line."""
        self._append(Header(settings=settings))
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the file's name, too, has to outlive a power cut
        finally:
            os.close(folder)

    def _parse(self, line: bytes, number: int) -> Header | Asked | Answer | Failed:
        try:
            return _ENTRY.validate_json(line)
        except ValidationError as error:
            raise self._foreign(number) from error

    def _foreign(self, number: int) -> RunConflictError:
        return RunConflictError(
            f"{self.path}, line {number}, is no entry of a ledger, or stands in the wrong place: restore the file, "
            "or choose another --output"
        )

    def _append(self, entry: Record) -> tuple[int, int]:
        """Write a line and wait until it is on disk; return where it lies. A write that fails leaves no part behind."""
        line = entry.model_dump_json().encode() + b"\n"
        offset = self._file.seek(0, os.SEEK_END)
        try:
            left = memoryview(line)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(offset)
            raise
        return offset, len(line)

    def _take(self, entry: Asked | Answer | Failed, offset: int, length: int) -> None:
        key = (entry.item, entry.attempt)
        if isinstance(entry, Asked):
            self._attempts[entry.item] = entry.attempt
            self._open[key] = entry
            self.use = self.use.plus(tokens_in=entry.most_in, tokens_out=entry.most_out, requests=1, maybe_paid=1)
            return
        asked = self._open.pop(key)
        if isinstance(entry, Answer):
            self._places.setdefault(entry.item, (offset, length))
            self.use = self.use.plus(
                tokens_in=entry.tokens_in - asked.most_in,
                tokens_out=entry.tokens_out - asked.most_out,
                maybe_paid=-1,
                untold=not entry.told,
            )
        elif not entry.maybe_paid:
            self.use = self.use.plus(tokens_in=-asked.most_in, tokens_out=-asked.most_out, maybe_paid=-1)


@contextmanager
def open_ledger(output: Path, settings: dict[str, JsonValue], *, resume: bool = False) -> Iterator[Ledger]:
    """Begin the ledger beside an output, or go on where it was left.

    Args:
        settings: what the answers follow from, by name.
        resume: refuse to begin a new one.

    Raises:
        RunConflictError: the output is something else, or was begun with other settings; nothing is changed.
        RunLockedError: another process is writing it.
        EnvironmentFault: it cannot be written.
        DataError: there is nothing to resume.
    """
    path = output.with_name(output.name + SUFFIX)
    if not path.exists():
        if resume:
            raise DataError(f"--resume: there is no ledger {path}; leave --resume out to begin one")
        if output.exists():
            raise RunConflictError(
                f"{output} was not written by this command, or its ledger is gone: name another file"
            )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what a write leaves undone is known at once, and nothing is written again when the file is closed.
        file = path.open("ab", buffering=0)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunLockedError(f"{path} is being written by another process; wait for it, or stop it") from error
        ledger = Ledger(path, file)
        header = ledger.load()
        if header is None:
            ledger.begin(settings)
        else:
            _refuse_changes(output, header.settings, settings)
        yield ledger


def _refuse_changes(output: Path, before: dict[str, JsonValue], now: dict[str, JsonValue]) -> None:
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            raise RunConflictError(
                f"{output} was begun with other settings: {name} was {before.get(name)!r}, now {now.get(name)!r}. "
                "Give the same to continue it, or another --output"
            )
