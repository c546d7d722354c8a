from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sample_runs import finished_run, opened

from halo_forge.core.errors import Interrupted, RunConflictError
from halo_forge.core.events import EventType
from halo_forge.runs.overview import find_run, list_runs, overview
from halo_forge.runs.state import RunState, read_status


def test_each_state_is_told_from_the_folder(tmp_path: Path) -> None:
    finished_run(tmp_path / "done")
    with pytest.raises(Interrupted), opened(tmp_path / "held"):
        raise Interrupted("stopped at a safe point")
    with pytest.raises(ZeroDivisionError), opened(tmp_path / "broken"):
        raise ZeroDivisionError("by nothing")
    finished_run(tmp_path / "gone")
    (tmp_path / "gone" / "exit.json").unlink()
    events = (tmp_path / "gone" / "events.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "gone" / "events.jsonl").write_bytes(b"".join(events[:-1]))
    with opened(tmp_path / "busy") as run:
        run.events.emit(EventType.PHASE_STARTED, cycle=2, phase="train", total=40, done=0)
        run.events.emit(EventType.STEP, cycle=2, phase="train", step=7, total=40, loss=0.5)
        found = {seen.name: seen for seen in list_runs(tmp_path).runs}
    assert {name: seen.state for name, seen in found.items()} == {
        "done": RunState.FINISHED,
        "held": RunState.STOPPED,
        "broken": RunState.FAILED,
        "gone": RunState.LOST,
        "busy": RunState.RUNNING,
    }
    assert found["broken"].ended == "ZeroDivisionError: by nothing"
    assert found["done"].headline is not None and found["done"].headline.value == 0.5
    at = found["busy"].progress
    assert at is not None and (at.cycle, at.phase, at.step, at.total) == (2, "train", 7, 40)
    assert overview(tmp_path / "busy").state is RunState.FINISHED


def test_an_end_that_left_no_exit_file_is_read_from_the_events(tmp_path: Path) -> None:
    with pytest.raises(ValueError), opened(tmp_path / "run"):
        raise ValueError("the disk is full")
    (tmp_path / "run" / "exit.json").unlink()
    assert read_status(tmp_path / "run").state is RunState.FAILED
    assert "the disk is full" in read_status(tmp_path / "run").message


@pytest.mark.parametrize("torn", [b"", b'{"v": 1, "seq"', b"x" * 40_000])
def test_progress_is_read_from_the_tail_whatever_stands_behind_it(tmp_path: Path, torn: bytes) -> None:
    with opened(tmp_path / "run") as run:
        run.events.emit(EventType.PHASE_STARTED, cycle=1, phase="generate", total=64_000, done=0)
        for step in range(300):
            run.events.emit(EventType.PROGRESS, cycle=1, phase="generate", step=step, note="y" * 200)
        with (tmp_path / "run" / "events.jsonl").open("ab") as file:
            file.write(torn)
        at = read_status(tmp_path / "run").progress
    assert at is not None and (at.step, at.total, at.phase) == (299, 64_000, "generate")


def test_the_tail_is_all_that_is_read(tmp_path: Path) -> None:
    """A file of events that is broken further up than the phase under way is not looked at."""
    finished_run(tmp_path / "run")
    events = tmp_path / "run" / "events.jsonl"
    events.write_bytes(b"\xff not an event\n" * 200_000 + events.read_bytes())
    seen = overview(tmp_path / "run")
    assert seen.progress is not None and seen.progress.cycle == 3


def test_runs_are_found_in_runs_and_not_in_what_is_no_run(tmp_path: Path) -> None:
    finished_run(tmp_path / "models" / "demo")
    finished_run(tmp_path / "models" / "demo" / "raft")
    shutil.copytree(tmp_path / "models" / "demo" / "raft", tmp_path / ".hidden" / "raft")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "launch_context.json").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "models")
    listing = list_runs(tmp_path)
    assert {run.name for run in listing.runs} == {"models/demo", "models/demo/raft"}
    assert len(listing.unreadable) == 1 and "other" in listing.unreadable[0]
    with pytest.raises(RunConflictError, match="is no folder"):
        list_runs(tmp_path / "nowhere")


def test_a_run_is_found_by_folder_id_and_beginning(tmp_path: Path) -> None:
    first, second = finished_run(tmp_path / "alpha"), finished_run(tmp_path / "beta")
    ids = {run.name: run.run_id for run in list_runs(tmp_path).runs}
    assert find_run(str(first), tmp_path) == first
    assert find_run(ids["beta"], tmp_path) == second
    assert find_run("al", tmp_path) == first
    with pytest.raises(RunConflictError, match=r"fits 2 runs.*alpha.*beta|fits 2 runs.*beta.*alpha"):
        find_run(ids["beta"][:2], tmp_path)
    with pytest.raises(RunConflictError, match=r"did you mean .*\(alpha\)\?"):
        find_run("alhpa", tmp_path)
    with pytest.raises(RunConflictError, match="there are 2 runs below it"):
        find_run("zzz", tmp_path)
    with pytest.raises(RunConflictError, match=r"is a folder but no run.*it holds the runs"):
        find_run(str(tmp_path), tmp_path)
