"""Commands that wait for one another, a few at a time, each followed through the events of its run folder."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halo_forge.core.errors import HaloError
from halo_forge.core.events import Event, EventLog, EventType
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Record

POLL_S = 0.2
STOP_GRACE_S = 60.0


class Job(Record):
    """One halo-forge command.

    Args:
        name: how it is called in events and in `after`.
        arguments: what follows `halo-forge`.
        output: its run folder.
        after: jobs that must have ended well before it starts.
    """

    name: str
    arguments: tuple[str, ...]
    output: Path
    after: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command as a person would type it."""
        return "halo-forge " + " ".join(self.arguments)


@dataclass
class _Running:
    """A started job, its console, and how much of its events has been read."""

    job: Job
    process: subprocess.Popen[bytes]
    console: Path
    offset: int
    started: float
    done: float = 0.0
    units: dict[str, float] = field(default_factory=dict)


def run_jobs(jobs: Sequence[Job], slots: int, logs: Path, events: EventLog, stop: StopRequest) -> dict[str, float]:
    """Run every job, at most `slots` at a time; a job that already ended well is over at once.

    Args:
        logs: folder for what each command prints.

    Returns:
        Seconds each job took, by name.

    Raises:
        HaloError: a command failed; the text ends with its last line.
        Interrupted: a stop was asked for; the running commands have stopped at safe points.
    """
    logs.mkdir(parents=True, exist_ok=True)
    waiting, running, seconds = list(jobs), list[_Running](), dict[str, float]()
    try:
        while waiting or running:
            for job in [job for job in waiting if all(name in seconds for name in job.after)]:
                if len(running) < slots:
                    waiting.remove(job)
                    running.append(_start(job, logs, events))
            time.sleep(POLL_S)
            for item in running:
                _follow(item, events)
            for item in [item for item in running if item.process.poll() is not None]:
                running.remove(item)
                _follow(item, events)
                seconds[item.job.name] = _end(item, events)
            stop.check()
    finally:
        _stop_all(running)
    return seconds


def _start(job: Job, logs: Path, events: EventLog) -> _Running:
    console = logs / f"{job.name}.log"
    events.emit(EventType.PHASE_STARTED, phase=job.name, total=100, done=0, command=job.command)
    file = job.output / "events.jsonl"
    offset = file.stat().st_size if file.exists() else 0
    with console.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "halo_forge", *job.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _Running(job, process, console, offset, time.perf_counter())


def _follow(item: _Running, events: EventLog) -> None:
    """Pass on what the command's run has reported since the last look."""
    file = item.job.output / "events.jsonl"
    if not file.exists():
        return
    with file.open("rb") as lines:
        lines.seek(item.offset)
        for line in lines:
            if not line.endswith(b"\n"):
                break
            item.offset += len(line)
            _pass_on(item, Event.model_validate_json(line), events)


def _pass_on(item: _Running, event: Event, events: EventLog) -> None:
    if event.type is EventType.NOTICE:
        events.notice(f"{item.job.name}: {event.m.get('message')}")
    elif event.type is EventType.CYCLE_FINISHED:
        events.emit(EventType.CYCLE_FINISHED, cycle=event.cycle, phase=item.job.name, **dict[str, Any](event.m))
    elif event.type is EventType.PHASE_STARTED:
        item.units[f"{event.cycle}/{event.phase}"] = float(_number(event.m.get("total")) or 0)
    elif event.type in (EventType.PROGRESS, EventType.STEP) and event.step is not None:
        total = _number(event.m.get("total")) or item.units.get(f"{event.cycle}/{event.phase}") or 0
        where = f"cycle {event.cycle} {event.phase}" if event.cycle else str(event.phase)
        share = round(100 * event.step / total) if total else 0
        events.emit(EventType.PROGRESS, phase=item.job.name, step=share, at=where)


def _end(item: _Running, events: EventLog) -> float:
    seconds = time.perf_counter() - item.started
    events.emit(EventType.PHASE_FINISHED, phase=item.job.name, wall_s=seconds)
    if item.process.returncode != 0:
        lines = item.console.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it printed nothing"
        raise HaloError(
            f"'{item.job.command}' ended with status {item.process.returncode}: {last} (see {item.console})"
        )
    return seconds


def _stop_all(running: Iterable[_Running]) -> None:
    """Ask the commands to stop at a safe point, and end those that do not in time."""
    items = list(running)
    for item in items:
        item.process.terminate()
    deadline = time.monotonic() + STOP_GRACE_S
    for item in items:
        try:
            item.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            item.process.kill()
            item.process.wait()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def arguments(command: str, **options: object) -> tuple[str, ...]:
    """Spell a command's options as flags: `arguments("sft train", max_steps=5)` -> `sft train --max-steps 5`."""
    words = command.split()
    for name, value in options.items():
        words += ["--" + name.replace("_", "-"), str(value)]
    return tuple(words)
