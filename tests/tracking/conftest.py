"""A run folder with events in it, as `open_run` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from halo_forge.config.load import load
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.events import EventLog, EventType, Listener
from halo_forge.runs.run_dir import open_run

Attempt = Callable[..., Path]


def two_cycles(events: EventLog) -> None:
    """Emit what two cycles would: drawing, training, measuring."""
    for cycle in (1, 2):
        for step in (64, 128):
            events.emit(EventType.PROGRESS, cycle=cycle, phase="generate", step=step, passed=16, verified=64)
        for step in (1, 2, 3):
            events.emit(EventType.STEP, cycle=cycle, phase="train", step=step, total=3, loss=1.5 / cycle / step)
        events.emit(EventType.CYCLE_FINISHED, cycle=cycle, pass_at_1=0.25 * cycle, kept=10)
    events.emit(EventType.RESULT, pass_at_1=0.5)


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    """Run once more in the folder `run`, with listeners, doing what `work` does."""

    def make(listeners: Iterable[Listener] = (), work: Callable[[EventLog], None] = two_cycles) -> Path:
        loaded = load(SftTrainConfig, {"model": "m", "data": Path("rows.jsonl"), "output": tmp_path / "run"})
        with open_run("sft", loaded, tmp_path / "run", {}, listeners=tuple(listeners)) as run:
            (run.path / "work_begun").touch()
            work(run.events)
        return tmp_path / "run"

    return make
