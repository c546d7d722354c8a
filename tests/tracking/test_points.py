from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from halo_forge.core.events import EventType, read_events
from halo_forge.tracking.points import Point, PointMaker


def read(folder: Path) -> list[Point]:
    return list(PointMaker().points(read_events(folder / "events.jsonl")))


def on_axis(points: list[Point], axis: str) -> list[tuple[int, dict[str, float]]]:
    return [(point.step, point.values) for point in points if point.axis == axis]


def test_counts_go_on_from_cycle_to_cycle(attempt: Any) -> None:
    points = read(attempt())
    assert [step for step, _ in on_axis(points, "train")] == [1, 2, 3, 4, 5, 6]
    assert on_axis(points, "train")[3] == (4, {"loss": 0.75})
    assert on_axis(points, "generate") == [(n, {"pass_rate": 0.25}) for n in (64, 128, 192, 256)]
    assert on_axis(points, "cycle") == [(n, {"pass_at_1": 0.25 * n, "kept": 10.0}) for n in (1, 2)]
    assert on_axis(points, "result") == [(0, {"pass_at_1": 0.5})]


def test_steps_that_a_resumed_attempt_repeats_are_told_once(attempt: Any) -> None:
    def torn(events: Any) -> None:
        for step in (1, 2):
            events.emit(EventType.STEP, cycle=1, phase="train", step=step, total=3, loss=1.5 / step)
        raise KeyError("killed here")

    with pytest.raises(KeyError):
        attempt(work=torn)
    points = read(attempt())
    assert [step for step, _ in on_axis(points, "train")] == [1, 2, 3, 4, 5, 6]
    assert [value["loss"] for _, value in on_axis(points, "train")][:3] == [1.5, 0.75, 0.5]


def test_what_is_no_number_is_no_point(attempt: Any) -> None:
    def odd(events: Any) -> None:
        events.emit(EventType.STEP, phase="train", step=1, loss=float("nan"))
        events.emit(EventType.PROGRESS, phase="raft", step=10, at="cycle 1 train")
        events.emit(EventType.PROGRESS, phase="sampled", step=10, passed=0, verified=0)
        events.notice("something was dropped")

    assert read(attempt(work=odd)) == []
