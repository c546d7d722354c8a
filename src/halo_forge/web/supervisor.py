"""The process beside a run that the page started: it starts the trainer, waits, and records what became of it.

`python -m halo_forge.web.supervisor FOLDER`, in a session of its own, so that neither the server's end nor a closed
terminal reaches it. The trainer has a session of its own too and holds `run.lock` itself, so that the run stays
recognisable when this process is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
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
from halo_forge.runs.lock import hold_lock
from halo_forge.runs.process import mark_of, this_process
from halo_forge.runs.run_dir import Exit

TAIL = 4_000
KILLED, STOPPED_EARLY = "it was killed; what it had in flight is lost", "stopped as it started"


def supervise(folder: Path) -> int:
    """Start the run in the folder and stay until it has ended.

    Returns:
        The exit status to end with: 0, or 75 if another process has taken the run from the queue.
    """
    queued = read_note(folder / QUEUED_FILE, Queued) or Queued(order=0, since=0)
    begun = Supervision(supervisor=this_process(), started=round(time.time(), 3))
    try:
        (folder / QUEUED_FILE).unlink()  # of several processes that try, one succeeds
    except FileNotFoundError:
        return RunLockedError.exit_code
    (folder / ASKED_FILE).unlink(missing_ok=True)
    _write(folder, begun)
    changes = [part for key, value in queued.changes.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    with (folder / OUTPUT_FILE).open("ab") as output:
        begins = output.tell()
        trainer = subprocess.Popen(
            [sys.executable, "-m", "halo_forge", "runs", "resume", str(folder), *changes],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = begun.model_copy(update={"trainer": mark_of(trainer.pid)})
    _write(folder, running)
    status = _wait(trainer)
    _conclude(folder, running, status, begins)
    _write(folder, running.model_copy(update={"ended": round(time.time(), 3), "exit_status": status}))
    return 0


def _wait(trainer: subprocess.Popen[bytes]) -> int:
    """Wait for the trainer, and end what is left of its session while its number cannot belong to another."""
    os.waitid(os.P_PID, trainer.pid, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(trainer.pid, signal.SIGKILL)
    return trainer.wait()


def _conclude(folder: Path, running: Supervision, status: int, begins: int) -> None:
    """Say how the attempt ended where the trainer could not: before it opened the run, or killed at a person's wish."""
    said = read_note(folder / "exit.json", Exit)
    if said is not None and said.ended_at >= running.started:
        return
    asked = read_note(folder / ASKED_FILE, Asked)
    with suppress(RunLockedError), hold_lock(folder):  # nobody else may have begun meanwhile
        if status < 0 and asked is not None:
            message = KILLED if asked.what == "kill" else STOPPED_EARLY
            _end(folder, Exit(status="stopped", exit_code=130, message=message, ended_at=time.time()))
        elif status < 0:
            (folder / "exit.json").unlink(missing_ok=True)  # lost: nobody asked for it
        elif status > 0:
            message = _last_words(folder / OUTPUT_FILE, begins) or f"the process ended with exit code {status}"
            _end(folder, Exit(status="failed", exit_code=status, message=message, ended_at=time.time()))


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
    sys.exit(supervise(Path(sys.argv[1])))
