"""The process beside a run that the page started: it starts the trainer, waits, and records what became of it.

`python -m halo_forge.web.supervisor FOLDER [ACCELERATOR]`, in a session of its own, so that neither the server's end
nor a closed terminal reaches it. The trainer has a session of its own too and holds `run.lock` itself, so that the run
stays recognisable when this process is killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from halo_forge.core.errors import RunLockedError
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.attempt import (
    ASKED_FILE,
    OUTPUT_FILE,
    PROCESS_FILE,
    QUEUED_FILE,
    Asked,
    Queued,
    Supervision,
    read_note,
)
from halo_forge.runs.lock import LOCK_FILE, hold_lock, read_holder
from halo_forge.runs.process import mark_of, this_process
from halo_forge.runs.run_dir import Exit

TAIL = 4_000
LOCK_PATIENCE_S = 30.0
LEFT_BEHIND = f"something that it started still holds its {LOCK_FILE}: end that before going on with the run"
KILLED, STOPPED_EARLY = "it was killed; what it had in flight is lost", "stopped as it started"


def supervise(folder: Path, accelerator: str | None = None) -> int:
    """Start the run in the folder and stay until it has ended.

    Args:
        accelerator: the one device that it shall see, as CUDA names it.

    Returns:
        The exit status to end with: 0, or 75 if another process has taken the run from the queue.
    """
    begun = Supervision(supervisor=this_process(), started=round(time.time(), 3), accelerator=accelerator)
    with _claim(folder) as queued:
        if queued is None:
            return RunLockedError.exit_code
        (folder / ASKED_FILE).unlink(missing_ok=True)
        _write(folder, begun)
        (folder / QUEUED_FILE).unlink()
    changes = [part for key, value in queued.changes.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    with (folder / OUTPUT_FILE).open("ab") as output:
        begins = output.tell()
        trainer = subprocess.Popen(
            [sys.executable, "-m", "halo_forge", "runs", "resume", str(folder), *changes],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | ({} if accelerator is None else {"CUDA_VISIBLE_DEVICES": accelerator}),
        )
    running = begun.model_copy(update={"trainer": mark_of(trainer.pid)})
    _write(folder, running)
    status = _wait(trainer)
    _conclude(folder, running, status, begins)
    _write(folder, running.model_copy(update={"ended": round(time.time(), 3), "exit_status": status}))
    return 0


@contextmanager
def _claim(folder: Path) -> Iterator[Queued | None]:
    """Give the run's place in the queue to one process at a time, and to none once its file is gone.

    The file is removed only when `pid.json` is there, so that the run is at no moment without either.
    """
    try:
        file = (folder / QUEUED_FILE).open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        if not (folder / QUEUED_FILE).exists():
            yield None
            return
        yield read_note(folder / QUEUED_FILE, Queued) or Queued(order=0, since=0)


def _wait(trainer: subprocess.Popen[bytes]) -> int:
    """Wait for the trainer, and end what is left of its session while its number cannot belong to another."""
    os.waitid(os.P_PID, trainer.pid, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(trainer.pid, signal.SIGKILL)
    return trainer.wait()


def _conclude(folder: Path, running: Supervision, status: int, begins: int) -> None:
    """Say how the attempt ended where the trainer could not: before it opened the run, or killed at a person's wish.

    The lock may outlive the trainer for a while, in a process that it started and that has not ended yet.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with hold_lock(folder, named=False):
                _record(folder, running, status, begins)
            return
        except RunLockedError:
            if read_holder(folder) is not None:
                return  # somebody else goes on with the run, and will say how that ends
    with (folder / OUTPUT_FILE).open("a") as output:
        output.write(f"halo-forge: the run's process has ended, and {LEFT_BEHIND}\n")
    _record(folder, running, status, begins, f"; {LEFT_BEHIND}")


def _record(folder: Path, running: Supervision, status: int, begins: int, more: str = "") -> None:
    said = read_note(folder / "exit.json", Exit)
    if said is not None and said.ended_at >= running.started:
        return
    asked = read_note(folder / ASKED_FILE, Asked)
    if asked is not None and (asked.what == "kill" or status < 0) and status != 0:
        message = KILLED if asked.what == "kill" else STOPPED_EARLY
        _end(folder, Exit(status="stopped", exit_code=130, message=message + more, ended_at=time.time()))
    elif status < 0:
        (folder / "exit.json").unlink(missing_ok=True)  # lost: nobody asked for it
    elif status > 0:
        message = _last_words(folder / OUTPUT_FILE, begins) or f"the process ended with exit code {status}"
        _end(folder, Exit(status="failed", exit_code=status, message=message + more, ended_at=time.time()))


def _end(folder: Path, ended: Exit) -> None:
    write_atomically(folder / "exit.json", ended.model_dump_json(indent=2) + "\n")


def _last_words(path: Path, begins: int) -> str:
    """The last line that the attempt wrote, which for an error is the one that explains it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(begins, size - TAIL))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "").removeprefix("halo-forge: ")


def _write(folder: Path, record: Supervision) -> None:
    write_atomically(folder / PROCESS_FILE, record.model_dump_json(indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), *sys.argv[2:]))
