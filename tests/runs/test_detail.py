from __future__ import annotations

from pathlib import Path

import pytest
from sample_runs import opened

from halo_forge.core.errors import DataError, Interrupted
from halo_forge.core.events import FREQUENT, EventType, read_events
from halo_forge.runs.detail import read_detail
from halo_forge.runs.state import read_status


def steps(folder: Path, attempt: int) -> None:
    """An attempt with many steps, notices between them, and a stop."""
    with pytest.raises(Interrupted), opened(folder) as run:
        run.events.emit(EventType.PHASE_STARTED, cycle=1, phase="train", total=400)
        for step in range(200):
            run.events.emit(EventType.STEP, cycle=1, phase="train", step=step, loss=0.5)
            if step % 50 == 3:
                run.events.notice(f"said at {attempt}.{step}")
        raise Interrupted("stopped at a safe point")


def test_attempts_are_told_as_if_every_event_were_read(tmp_path: Path) -> None:
    for attempt in (1, 2):
        steps(tmp_path / "run", attempt)
    events = list(read_events(tmp_path / "run" / "events.jsonl"))
    lines = (tmp_path / "run" / "events.jsonl").read_bytes().splitlines()
    passed_over = [event.type for event, line in zip(events, lines, strict=True) if FREQUENT.match(line)]
    assert set(passed_over) == {EventType.STEP} and len(passed_over) == 400
    detail = read_detail(tmp_path / "run")
    for attempt in detail.attempts:
        own = [event.t for event in events if event.attempt == attempt.number]
        assert (attempt.started, attempt.heard, attempt.ended) == (own[0], own[-1], "stopped")
    assert len(detail.attempts) == 2
    assert detail.notices == tuple(f"said at {attempt}.{step}" for attempt in (1, 2) for step in (3, 53, 103, 153))


def test_the_last_of_many_steps_says_when_a_lost_run_was_heard(tmp_path: Path) -> None:
    steps(tmp_path / "run", 1)
    events = tmp_path / "run" / "events.jsonl"
    kept = [line for line in events.read_bytes().splitlines(keepends=True) if b'"run_stopped"' not in line]
    events.write_bytes(b"".join(kept) + b'{"v":1,"seq":999,"t":1,"attempt":1,"type":"st')
    *_, last = read_events(events)
    (attempt,) = read_detail(tmp_path / "run").attempts
    assert last.type is EventType.STEP and (attempt.heard, attempt.ended) == (last.t, None)


def test_a_line_that_is_no_event_is_not_passed_over(tmp_path: Path) -> None:
    steps(tmp_path / "run", 1)
    with (tmp_path / "run" / "events.jsonl").open("ab") as file:
        file.write(b'{"v":1,"type":"step"}\n')
    with pytest.raises(DataError, match="cannot be read"):
        read_detail(tmp_path / "run")


def test_a_total_among_many_steps_is_found(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as run:
        run.events.emit(EventType.PHASE_STARTED, cycle=1, phase="train", total=400)
        for step in range(300):
            more = {"total": 500} if step == 7 else {}
            run.events.emit(EventType.STEP, cycle=1, phase="train", step=step, loss=0.5, **more)
        at = read_status(tmp_path / "run").progress
    assert at is not None and (at.step, at.total) == (299, 500)
