"""Real processes, asked to stop and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sample_runs import finished_run

from halo_forge.core.errors import HaloError, RunConflictError, RunLockedError
from halo_forge.runs.control import kill_run, stop_run
from halo_forge.runs.lock import Holder, hold_lock, read_holder
from halo_forge.runs.overview import overview
from halo_forge.runs.process import ProcessMark, this_process
from halo_forge.runs.state import RunState

WORK = """
import subprocess, sys, time
from pathlib import Path
from sample_runs import opened
deaf = sys.argv[2] == "deaf"
with opened(Path(sys.argv[1])) as run:
    child = subprocess.Popen(["sleep", "600"])
    print(child.pid, flush=True)
    while True:
        time.sleep(0.01)
        if not deaf:
            try:
                run.stop.check()
            except BaseException:
                child.kill()
                raise
"""


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Callable[..., tuple[Path, int]]]:
    """Start a process that writes a run until it is stopped; gives the folder and the process it has started."""
    started: list[subprocess.Popen[str]] = []

    def start(mood: str = "willing") -> tuple[Path, int]:
        output = tmp_path / mood
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        process = subprocess.Popen(
            [sys.executable, "-c", WORK, output, mood],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        started.append(process)
        assert process.stdout is not None
        return output, int(process.stdout.readline())

    yield start
    for process in started:
        for child in psutil.Process(process.pid).children() if process.poll() is None else ():
            child.kill()
        process.kill()
        process.communicate()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_run_is_asked_to_stop_and_waited_for(work: Callable[..., tuple[Path, int]]) -> None:
    output, _ = work()
    assert overview(output).state is RunState.RUNNING
    stop_run(output, 30)
    assert overview(output).state is RunState.STOPPED
    with pytest.raises(RunConflictError, match="is not running"):
        stop_run(output)


def test_a_run_that_does_not_stop_is_killed_with_all_it_started(work: Callable[..., tuple[Path, int]]) -> None:
    output, child = work("deaf")
    with pytest.raises(HaloError, match=r"has not within 0.1 s.*--kill"):
        stop_run(output, 0.1)
    kill_run(output)
    assert overview(output).state is RunState.LOST
    deadline = time.monotonic() + 10
    while not gone(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone(child)


def test_a_number_that_was_given_to_another_process_is_left_alone(tmp_path: Path) -> None:
    """The lock file of a killed run names a number that now belongs to somebody else."""
    output = finished_run(tmp_path / "run")
    with subprocess.Popen(["sleep", "600"]) as other:
        later = this_process().model_copy(update={"pid": other.pid, "started": "17"})
        (output / "run.lock").write_text(Holder(process=later, since=0).model_dump_json())
        (output / "exit.json").unlink()
        assert read_holder(output) is None
        for end in (stop_run, kill_run):
            with pytest.raises(RunConflictError, match="is not running"):
                end(output)
        assert not later.signal(signal.SIGKILL)
        assert other.poll() is None
        other.kill()


def test_a_mark_is_of_one_boot_and_one_life() -> None:
    mark = this_process()
    assert mark.is_alive
    assert not mark.model_copy(update={"boot": "another"}).is_alive
    with subprocess.Popen(["true"]) as process:
        ended = ProcessMark(pid=process.pid, started="1", boot=mark.boot, host=mark.host)
        assert not ended.is_alive
    assert not ended.signal(signal.SIGTERM)


def test_the_lock_of_another_machine_is_seen_and_not_touched(tmp_path: Path) -> None:
    output = finished_run(tmp_path / "run")
    with hold_lock(output):
        holder = read_holder(output)
        assert holder is not None and holder.process.pid == os.getpid()
        elsewhere = holder.model_copy(update={"process": holder.process.model_copy(update={"host": "far-away"})})
        (output / "run.lock").write_text(elsewhere.model_dump_json())
        with pytest.raises(RunConflictError, match=r"runs elsewhere .*far-away"):
            stop_run(output)
        with (
            pytest.raises(RunLockedError, match=r"process \d+ on far-away, since 20.*halo-forge runs stop"),
            hold_lock(output),
        ):
            pass
    (output / "run.lock").write_text(elsewhere.model_dump_json())
    assert read_holder(output) is None


def test_looking_at_a_lock_does_not_refuse_who_wants_it(tmp_path: Path) -> None:
    output = finished_run(tmp_path / "run")
    for _ in range(200):
        assert read_holder(output) is None
        with hold_lock(output):
            assert read_holder(output) is not None
    assert (output / "run.lock").read_bytes() == b""
