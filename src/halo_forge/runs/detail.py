"""One run in full, as far as a person asks: settings, inputs, cycles, places, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue, ValidationError

from halo_forge.core.errors import DataError
from halo_forge.core.events import FREQUENT, Event, EventType
from halo_forge.core.types import Record
from halo_forge.rollout.records import read_records
from halo_forge.runs.launch import InputFile, LaunchContext
from halo_forge.runs.lock import Holder
from halo_forge.runs.overview import Overview, overview
from halo_forge.runs.relaunch import changed_settings, resume_command
from halo_forge.runs.run_dir import CYCLES_FILE, REPORT_FILE, SUMMARY_FILE, read_launch
from halo_forge.runs.state import read_status
from halo_forge.runs.summary import CycleSummary

PLACES = {
    "model": "final_model",
    "summary": SUMMARY_FILE,
    "report": REPORT_FILE,
    "rollouts": "rollouts",
    "kept": "kept",
    "settings": "config.yaml",
    "events": "events.jsonl",
    "log": "console.log",
}


class Attempt(Record):
    """One start of the run; `ended` is None for one under way and for one that was killed.

    Args:
        started: seconds since 1970, as are the others.
        heard: time of its last event.
    """

    number: int
    started: float
    heard: float
    ended: str | None = None
    message: str = ""


class Detail(Record):
    """Everything `runs show` tells.

    Args:
        settings: those that are not the defaults.
        places: name -> path, of what is there.
        resume: the command that goes on with the run, if it has not finished.
    """

    run: Overview
    holder: Holder | None
    cwd: str
    settings: dict[str, JsonValue]
    inputs: dict[str, InputFile]
    versions: dict[str, str]
    verifier_version: str | None
    attempts: tuple[Attempt, ...]
    cycles: tuple[CycleSummary, ...]
    notices: tuple[str, ...]
    places: dict[str, Path]
    resume: str | None


def read_detail(folder: Path) -> Detail:
    """Read a run in full; unlike a list of runs this goes through all of its events.

    Raises:
        RunConflictError: the folder holds no run that can be read.
        DataError: its events or its cycles are broken.
    """
    seen = overview(folder)
    context = read_launch(folder)
    assert isinstance(context, LaunchContext)
    try:
        attempts, notices = _attempts(folder)
        cycles = tuple(read_records(folder / CYCLES_FILE, CycleSummary))
    except ValidationError as error:
        raise DataError(f"the events or cycles of {folder} have a line that cannot be read: {error}") from error
    return Detail(
        run=seen,
        holder=read_status(folder).holder,
        cwd=context.cwd,
        settings=changed_settings(context),
        inputs=context.inputs,
        versions=context.versions,
        verifier_version=context.verifier_version,
        attempts=attempts,
        cycles=cycles,
        notices=notices,
        places={name: folder / part for name, part in PLACES.items() if (folder / part).exists()},
        resume=resume_command(folder),
    )


def _attempts(folder: Path) -> tuple[tuple[Attempt, ...], tuple[str, ...]]:
    attempts: dict[int, Attempt] = {}
    notices: list[str] = []
    for event in _telling_events(folder / "events.jsonl"):
        before = attempts.get(event.attempt) or Attempt(number=event.attempt, started=event.t, heard=event.t)
        changes: dict[str, object] = {"heard": event.t}
        if event.type in ENDED:
            changes |= {"ended": ENDED[event.type], "message": str(event.m.get("message", ""))}
        if event.type is EventType.NOTICE:
            notices.append(str(event.m.get("message", "")))
        attempts[event.attempt] = before.model_copy(update=changes)
    return tuple(attempts.values()), tuple(dict.fromkeys(notices))


def _telling_events(path: Path) -> Iterator[Event]:
    """Yield a run's events; of steps and progress in a row only the first and the last, for when they were."""
    if not path.exists():
        return
    row: list[bytes] = []
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                if not FREQUENT.match(line):
                    yield from map(Event.model_validate_json, [*row, line])
                    row = []
                elif len(row) < 2:
                    row.append(line)
                else:
                    row[1] = line
    yield from map(Event.model_validate_json, row)


ENDED = {
    EventType.RUN_FINISHED: "finished",
    EventType.RUN_STOPPED: "stopped",
    EventType.RUN_FAILED: "failed",
}
