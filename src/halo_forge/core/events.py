"""The event stream: one line of JSON an event, which the terminal, the web page and trackers all read.

`{"v": 1, "seq": 7, "t": 1764.2, "attempt": 1, "type": "step", "cycle": 2, "phase": "train", "step": 40, "m": {…}}`
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import Field, JsonValue

from halo_forge.core.types import Record

SCHEMA_VERSION = 1
FREQUENT = re.compile(rb'\{"v":\d+,"seq":\d+,"t":[\d.]+,"attempt":\d+,"type":"(?:step|progress)"')
"""How a line begins that tells of a step or of progress. Nearly all lines of a long run do, so that who is after
something else passes over them unread; a line that is written in another way is no worse for being read."""


class EventType(StrEnum):
    """What can happen in a run."""

    RUN_STARTED = "run_started"
    RUN_FINISHED = "run_finished"
    RUN_STOPPED = "run_stopped"
    RUN_FAILED = "run_failed"
    PHASE_STARTED = "phase_started"
    PROGRESS = "progress"
    PHASE_FINISHED = "phase_finished"
    STEP = "step"
    CYCLE_FINISHED = "cycle_finished"
    CHECKPOINT = "checkpoint"
    RESULT = "result"
    NOTICE = "notice"


class Event(Record):
    """One thing that happened.

    Args:
        seq: 0, 1, 2 … without gaps over the whole life of the run, resumes included.
        t: seconds since 1970, UTC.
        attempt: 1 for the first start, one more for each resume.
        cycle: RAFT cycle it belongs to, if any.
        phase: `generate`, `verify`, `train`, `evaluate`, …
        step: optimiser step or items done.
        m: measurements and words of this event; non-finite numbers are written as null.
    """

    v: int = SCHEMA_VERSION
    seq: int
    t: float
    attempt: int
    type: EventType
    cycle: int | None = None
    phase: str | None = None
    step: int | None = None
    m: dict[str, JsonValue] = Field(default_factory=dict)


# Hears of every event; a text that it returns is recorded as a notice.
Listener = Callable[[Event], str | None]


class EventLog:
    """Appends events to a file (or to none) and hands each to the listeners."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._listeners: list[Listener] = []
        self._seq = 0
        self._attempt = 1
        self._descriptor: int | None = None
        if path is not None:
            for event in read_events(path):
                self._seq, self._attempt = event.seq + 1, event.attempt + 1
            drop_torn_tail(path)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def listen(self, listener: Listener) -> None:
        """Hand every further event to `listener` as well."""
        self._listeners.append(listener)

    def emit(
        self,
        type: EventType,
        *,
        cycle: int | None = None,
        phase: str | None = None,
        step: int | None = None,
        **m: Any,
    ) -> None:
        """Record one event; `m` takes JSON values.

        Raises:
            OSError: it cannot be written; the file is as it was.
        """
        event = Event(
            seq=self._seq,
            t=round(time.time(), 3),
            attempt=self._attempt,
            type=type,
            cycle=cycle,
            phase=phase,
            step=step,
            m={key: _finite(value) for key, value in m.items()},
        )
        if self._descriptor is not None:
            self._write(event.model_dump_json(exclude_none=True).encode() + b"\n")
        self._seq += 1
        for said in [listener(event) for listener in self._listeners]:
            if said is not None:
                self.notice(said)

    def _write(self, line: bytes) -> None:
        """Append a line whole or not at all: on a disk that fills up a write can end in the middle without an error."""
        assert self._descriptor is not None
        written = os.write(self._descriptor, line)
        if written < len(line):
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def notice(self, message: str, **m: Any) -> None:
        """Say that something was adjusted, dropped or substituted; nothing is so silently."""
        self.emit(EventType.NOTICE, message=message, **m)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a file in order; a torn last line is left out."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield Event.model_validate_json(line)


def drop_torn_tail(path: Path) -> None:
    """Cut a file of lines after its last complete one (a write that a kill or a full disk tore)."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        position = end
        while position > 0:
            start = max(0, position - 65_536)
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline >= 0:
                file.truncate(start + newline + 1)
                return
            position = start
        if end:
            file.truncate(0)


def _finite(value: Any) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    json.dumps(value)
    result: JsonValue = value
    return result
