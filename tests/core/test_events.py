from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from halo_forge.core.events import Event, EventLog, EventType, drop_torn_tail, read_events


def test_events_are_numbered_over_restarts_and_attempts_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.emit(EventType.RUN_STARTED, kind="raft")
        log.notice("three rows were dropped")
    with EventLog(path) as log:
        log.emit(EventType.STEP, cycle=1, phase="train", step=4, loss=0.5)
    events = list(read_events(path))
    assert [event.seq for event in events] == [0, 1, 2]
    assert [event.attempt for event in events] == [1, 1, 2]
    assert events[2].m == {"loss": 0.5}


def test_listeners_hear_every_event() -> None:
    heard: list[Event] = []
    log = EventLog()
    log.listen(heard.append)
    log.notice("a word")
    assert [event.m["message"] for event in heard] == ["a word"]


def test_non_finite_numbers_become_null(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.emit(EventType.STEP, loss=float("nan"), nested={"a": [float("inf"), 1]})
    assert json.loads(path.read_text())["m"] == {"loss": None, "nested": {"a": [None, 1]}}


def test_a_torn_tail_is_left_out_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.notice("whole")
    with path.open("ab") as file:
        file.write(b'{"v":1,"seq":1,"t":')
    assert len(list(read_events(path))) == 1
    with EventLog(path) as log:
        log.notice("after")
    assert [event.seq for event in read_events(path)] == [0, 1]


@given(lines=st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b" "))), tail=st.binary(max_size=70_000))
def test_cutting_a_torn_tail_keeps_exactly_the_whole_lines(lines: list[bytes], tail: bytes, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("torn") / "file"
    whole = b"".join(line + b"\n" for line in lines)
    path.write_bytes(whole + tail.replace(b"\n", b" "))
    drop_torn_tail(path)
    assert path.read_bytes() == whole
