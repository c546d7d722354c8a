"""What a run is doing, told from its folder alone and cheaply: of the events only the tail is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from halo_forge.core.events import FREQUENT, Event, EventType
from halo_forge.core.types import Record
from halo_forge.runs.attempt import QUEUED_FILE
from halo_forge.runs.lock import Holder, read_holder
from halo_forge.runs.run_dir import Exit

TAIL_BLOCK = 16_384
TAIL_MOST = 1 << 19
ENDINGS = {
    EventType.RUN_FINISHED: "succeeded",
    EventType.RUN_STOPPED: "stopped",
    EventType.RUN_FAILED: "failed",
}
UNDER_WAY = frozenset({EventType.PHASE_STARTED, EventType.PROGRESS, EventType.STEP})


class RunState(StrEnum):
    """How a run stands."""

    QUEUED = "queued"
    """Put on record, and waiting for the page's server to start it."""
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"
    """No process works on it, and none said how it ended: killed, or the machine went down."""


FROM_EXIT = {"succeeded": RunState.FINISHED, "stopped": RunState.STOPPED, "failed": RunState.FAILED}


class Progress(Record):
    """How far a run is.

    Args:
        step: rollouts or optimiser steps done in the phase, of `total`.
        heard: time of the last event, seconds since 1970.
    """

    attempt: int
    heard: float
    cycle: int | None = None
    phase: str | None = None
    step: int | None = None
    total: int | None = None
    holdout_pass_at_1: float | None = None


class Status(NamedTuple):
    """State, who writes the run, what was said at its end, and how far it is (None before the first event)."""

    state: RunState
    holder: Holder | None
    message: str
    progress: Progress | None


def read_status(folder: Path) -> Status:
    """Tell how the run in a folder stands."""
    events = list(_last_events(folder / "events.jsonl"))
    progress = _progress(events)
    holder = read_holder(folder)
    ended = _read_exit(folder)
    if holder is not None and (ended is None or not _ended(events)):
        return Status(RunState.RUNNING, holder, "", progress)
    if (folder / QUEUED_FILE).exists():
        return Status(RunState.QUEUED, None, "", progress)
    if ended is not None:
        return Status(FROM_EXIT[ended.status], None, ended.message, progress)
    if events and events[0].type in ENDINGS:  # a full disk can leave no room for exit.json
        return Status(FROM_EXIT[ENDINGS[events[0].type]], None, str(events[0].m.get("message", "")), progress)
    return Status(RunState.LOST, None, "", progress)


def _read_exit(folder: Path) -> Exit | None:
    try:
        return Exit.model_validate_json((folder / "exit.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _ended(events: list[Event]) -> bool:
    return bool(events) and events[0].type in ENDINGS


def _progress(newest_first: list[Event]) -> Progress | None:
    """Put together what the last events say of the phase under way."""
    if not newest_first:
        return None
    last = newest_first[0]
    current = next((event for event in newest_first if event.type in UNDER_WAY), None)
    measured = next(
        (e.m.get("holdout_pass_at_1") for e in newest_first if e.type is EventType.CYCLE_FINISHED),
        None,
    )
    figures = Progress(
        attempt=last.attempt,
        heard=last.t,
        holdout_pass_at_1=float(measured) if isinstance(measured, (int, float)) else None,
    )
    if current is None:
        return figures
    totals = (e.m.get("total") for e in newest_first if (e.cycle, e.phase) == (current.cycle, current.phase))
    total = next((value for value in totals if isinstance(value, (int, float))), None)
    done = current.m.get("done") if current.step is None else current.step
    return figures.model_copy(
        update={
            "cycle": current.cycle,
            "phase": current.phase,
            "step": int(done) if isinstance(done, (int, float)) else None,
            "total": None if total is None else int(total),
        }
    )


def _last_events(path: Path) -> Iterator[Event]:
    """Yield the last events, the newest first, back to the start of the phase under way.

    Steps and progress before the newest are left out, unless they hold a total.
    """
    moved = False
    for line in _last_lines(path):
        if moved and FREQUENT.match(line) and b'"total"' not in line:
            continue
        try:
            event = Event.model_validate_json(line)
        except ValidationError:
            continue
        yield event
        moved = moved or event.type in UNDER_WAY
        if event.type in (EventType.PHASE_STARTED, EventType.RUN_STARTED):
            return


def _last_lines(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a file, the last one first, as far back as half a megabyte."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        start = os.fstat(descriptor).st_size
        furthest, unread, torn = max(0, start - TAIL_MOST), b"", True
        while start > furthest:
            end, start = start, max(0, start - TAIL_BLOCK)
            block = os.pread(descriptor, end - start, start) + unread
            if torn:  # what stands behind the last line end is no line yet
                cut = block.rfind(b"\n")
                if cut < 0:
                    continue
                block, torn = block[:cut], False
            lines = block.split(b"\n")
            unread = lines[0]
            yield from reversed(lines[1:] if start else lines)
    finally:
        os.close(descriptor)
