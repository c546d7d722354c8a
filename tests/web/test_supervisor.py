"""What a supervisor says of a trainer that could not: a short script stands in for the trainer."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halo_forge.runs.attempt import PROCESS_FILE, QUEUED_FILE, Queued, Supervision, read_note
from halo_forge.runs.lock import hold_lock, read_holder
from halo_forge.runs.run_dir import Exit
from halo_forge.web import supervisor
from halo_forge.web.supervisor import supervise

# Holds the lock, and so does what it leaves behind in a session of its own; then a person has it killed.
TRAINER = """
import fcntl, os, signal, sys, time
folder, left_s, asked, status = sys.argv[1], float(sys.argv[2]), sys.argv[3], int(sys.argv[4])
lock = os.open(folder + "/run.lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
ready, tell = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    os.write(tell, b"x")
    time.sleep(left_s)
    os._exit(0)
os.read(ready, 1)
if left_s > 60:
    with open(folder + "/left", "w") as file:
        file.write(str(child))
if asked:
    with open(folder + "/asked.json", "w") as file:
        file.write('{"what": "%s", "at": %r}' % (asked, time.time()))
if status:
    print("halo-forge: out of luck", flush=True)
    os._exit(status)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Supervise a trainer that ends at once and leaves a process behind; gives the folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "trainer.py").write_text(TRAINER)

    def run(left_s: float, asked: str = "kill", status: int = 0) -> Path:
        (folder / QUEUED_FILE).write_text(Queued(order=1, since=time.time()).model_dump_json())
        program = tmp_path / "program"
        words = f"{sys.executable} -I -S {folder}/trainer.py {folder} {left_s} '{asked}' {status}"
        program.write_text(f"#!/bin/sh\nexec {words}\n")
        program.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(program))
            assert supervise(folder) == 0
        return folder

    yield run
    if (folder / "left").exists():
        os.kill(int((folder / "left").read_text()), signal.SIGKILL)


def test_a_lock_that_outlives_the_trainer_is_waited_for(trained: Callable[..., Path]) -> None:
    folder = trained(1.0)
    said = read_note(folder / "exit.json", Exit)
    assert said is not None and (said.status, said.message) == ("stopped", supervisor.KILLED)
    attempt = read_note(folder / PROCESS_FILE, Supervision)
    assert attempt is not None and attempt.exit_status == -signal.SIGKILL and attempt.ended is not None


def test_a_lock_that_is_never_let_go_is_told_of(trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOCK_PATIENCE_S", 0.3)
    folder = trained(600)
    said = read_note(folder / "exit.json", Exit)
    assert said is not None and said.status == "stopped"
    assert said.message == f"{supervisor.KILLED}; {supervisor.LEFT_BEHIND}"
    assert supervisor.LEFT_BEHIND in (folder / "process.log").read_text()


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("", 0, None),
        ("", 3, ("failed", "out of luck")),
        ("stop", 0, ("stopped", supervisor.STOPPED_EARLY)),
        ("stop", 3, ("failed", "out of luck")),
        ("kill", 137, ("stopped", supervisor.KILLED)),
    ],
)
def test_how_a_trainer_ended(
    trained: Callable[..., Path], asked: str, status: int, expected: tuple[str, str] | None
) -> None:
    said = read_note(trained(0, asked, status) / "exit.json", Exit)
    assert (said and (said.status, said.message)) == expected


def test_a_run_that_somebody_else_goes_on_with_is_left_to_him(trained: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with hold_lock(folder):
        (folder / "trainer.py").write_text("import os, sys\nos._exit(3)\n")
        trained(0)
        assert not (folder / "exit.json").exists()
        assert read_holder(folder) is not None


def test_the_end_is_written_by_nobody_who_could_be_killed_for_it(tmp_path: Path) -> None:
    with hold_lock(tmp_path, named=False):
        assert read_holder(tmp_path) is None
