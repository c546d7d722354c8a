"""Trackers at work on a run, with TensorBoard as the one that needs no server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from halo_forge.cli.app import run
from halo_forge.core.errors import DataError, EnvironmentFault, RunLockedError
from halo_forge.core.events import EventLog, EventType, read_events
from halo_forge.runs.lock import hold_lock
from halo_forge.tracking.export import export_run
from halo_forge.tracking.live import LiveTracker, open_trackers

pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install 'halo-forge[tensorboard]'")

KILLED = """
import os, signal, sys
from pathlib import Path
from halo_forge.core.events import EventLog, EventType
from halo_forge.tracking.live import LiveTracker
folder = Path(sys.argv[1])
with EventLog(folder / "events.jsonl") as events:
    events.listen(LiveTracker("tensorboard", "p"))
    events.emit(EventType.RUN_STARTED, output=str(folder))
    events.emit(EventType.STEP, phase="train", step=1, loss=0.125)
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Scalar(NamedTuple):
    tag: str
    step: int
    t: float
    value: float


def scalars(folder: Path) -> list[Scalar]:
    """Read back what TensorBoard would, over all event files."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    found = []
    for file in sorted((folder / "tracking" / "tensorboard").iterdir()):
        for record in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(record)
            values = [value for value in event.summary.value if value.HasField("simple_value")]
            found += [Scalar(value.tag, event.step, event.wall_time, value.simple_value) for value in values]
    return found


def notices(folder: Path) -> list[str]:
    events = read_events(folder / "events.jsonl")
    return [str(event.m["message"]) for event in events if event.type is EventType.NOTICE]


def test_live_and_exported_are_the_same(attempt: Any) -> None:
    complaints: list[str] = []
    with open_trackers(["tensorboard"], "p", complaints) as trackers:
        folder = attempt(trackers)
    live = scalars(folder)
    assert not complaints and not notices(folder)
    assert [s[:2] for s in live if s.tag == "train/loss"] == [("train/loss", n) for n in range(1, 7)]
    assert {"generate/pass_rate", "cycle/pass_at_1", "cycle/kept", "result/pass_at_1"} < {s.tag for s in live}
    for _ in range(2):
        export_run(folder, "tensorboard", "p")
        assert scalars(folder) == live


def test_a_resumed_run_is_tracked_on_without_repetitions(attempt: Any) -> None:
    def torn(events: EventLog) -> None:
        for step in (1, 2):
            events.emit(EventType.STEP, cycle=1, phase="train", step=step, total=3, loss=1.5 / step)
        raise KeyError("killed here")

    with pytest.raises(KeyError), open_trackers(["tensorboard"], "p", []) as trackers:
        attempt(trackers, torn)
    with open_trackers(["tensorboard"], "p", []) as trackers:
        folder = attempt(trackers)
    assert len(list((folder / "tracking" / "tensorboard").iterdir())) == 2
    assert [s.step for s in scalars(folder) if s.tag == "train/loss"] == [1, 2, 3, 4, 5, 6]


def test_a_tracker_added_on_resume_gets_everything(attempt: Any) -> None:
    attempt()
    with open_trackers(["tensorboard"], "p", []) as trackers:
        folder = attempt(trackers, lambda events: None)
    assert [s.step for s in scalars(folder) if s.tag == "train/loss"] == [1, 2, 3, 4, 5, 6]


def test_a_tracker_that_fails_is_one_notice_and_the_run_goes_on(attempt: Any, tmp_path: Path) -> None:
    tracker = LiveTracker("tensorboard", "p")

    def work(events: EventLog) -> None:
        (tmp_path / "run" / "tracking" / "tensorboard").write_text("in the way of the tracker's folder")
        deadline = time.monotonic() + 60
        while not notices(tmp_path / "run") and time.monotonic() < deadline:
            events.emit(EventType.PROGRESS, phase="train", step=1)
            time.sleep(0.05)
        events.emit(EventType.STEP, phase="train", step=1, loss=0.5)

    folder = attempt([tracker], work)
    (told,) = notices(folder)
    assert "tracker 'tensorboard' failed and is left out: FileExistsError" in told
    assert f"runs export {folder} --to tensorboard" in told
    assert tracker.finish(10) is None
    assert (folder / "exit.json").read_text().count("succeeded") == 1


def test_a_tracker_that_fails_after_the_last_event_is_told(attempt: Any, tmp_path: Path) -> None:
    complaints: list[str] = []

    def work(events: EventLog) -> None:
        (tmp_path / "run" / "tracking" / "tensorboard").write_text("in the way")

    with open_trackers(["tensorboard"], "p", complaints) as trackers:
        folder = attempt(trackers, work)
    assert [*complaints, *notices(folder)][0].startswith("tracker 'tensorboard' failed")
    assert len([*complaints, *notices(folder)]) == 1


def test_a_tracker_outlives_a_killed_run_until_all_is_written(attempt: Any) -> None:
    folder = attempt(work=lambda events: None)
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while not (folder / "tracking" / "tensorboard.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [s.value for s in scalars(folder) if s.tag == "train/loss"] == [0.125]


def test_a_tracker_that_does_not_end_is_ended(attempt: Any) -> None:
    tracker = LiveTracker("tensorboard", "p")
    attempt([tracker], lambda events: None)
    process = tracker._process
    assert process is not None
    os.kill(process._process.pid, signal.SIGSTOP)
    complaint = tracker.finish(0.2)
    assert complaint is not None and "not done 0 s after the run ended" in complaint
    assert process._process.returncode == -signal.SIGKILL


def test_what_cannot_be_exported(attempt: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run to export"):
        export_run(tmp_path, "tensorboard", "p")
    folder = attempt(work=lambda events: None)
    with hold_lock(folder), pytest.raises(RunLockedError):
        export_run(folder, "tensorboard", "p")
    (folder / "tracking").mkdir()
    (folder / "tracking" / "tensorboard").write_text("in the way")
    with pytest.raises(EnvironmentFault, match="FileExistsError"):
        export_run(folder, "tensorboard", "p")


def test_the_command_exports_by_run_id(attempt: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = attempt()
    assert run(["runs", "export", "run", "--root", str(tmp_path), "--to", "tensorboard"]) == 0
    assert f"{folder} is in tensorboard" in capsys.readouterr().out
    assert [s.step for s in scalars(folder) if s.tag == "train/loss"] == [1, 2, 3, 4, 5, 6]


def test_a_real_benchmark_reports_its_result(
    nano_model: Path, write_jsonl: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = write_jsonl("prompts.jsonl", *({"id": f"p{i}", "prompt": "say ok"} for i in range(4)))
    flags = ["--model", str(nano_model), "--prompts", str(prompts), "--output", str(tmp_path / "out"), "--samples", "2"]
    flags += ["--k", "1,2", "--max-new-tokens", "4", "--verifier", "gcc", "--report-to", "tensorboard"]
    assert run(["benchmark", "run", *flags]) == 0
    assert f"tracked {tmp_path / 'out' / 'tracking'}" in capsys.readouterr().out
    found = {s.tag: s.value for s in scalars(tmp_path / "out")}
    assert found["result/pass_at_1"] == found["result/pass_at_1_high"] == 0.0
    assert "sampled/tokens_per_s" in found
