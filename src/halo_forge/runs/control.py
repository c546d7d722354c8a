"""Stopping a run that another process works on."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil

from halo_forge.core.errors import HaloError, RunConflictError
from halo_forge.runs.lock import Holder, read_holder

POLL_S = 0.05
KILL_GRACE_S = 10.0


def stop_run(folder: Path, wait_s: float | None = None) -> None:
    """Ask the run's process to stop at its next safe point, and wait until it has.

    The signal goes to the very process that the lock names, never to another that got its number since.

    Args:
        wait_s: seconds to wait at most; None waits for ever, 0 returns at once.

    Raises:
        RunConflictError: nothing runs there, or it runs on another machine.
        HaloError: it has not stopped in time; it will, unless it hangs.
    """
    holder = _local_holder(folder)
    holder.process.signal(signal.SIGTERM)
    deadline = None if wait_s is None else time.monotonic() + wait_s
    while _still(folder, holder):
        if deadline is not None and time.monotonic() >= deadline:
            if wait_s:
                raise HaloError(
                    f"{folder} was asked to stop and has not within {wait_s:g} s: it stops at its next safe point; "
                    "wait longer, or end it at once with --kill"
                )
            return
        time.sleep(POLL_S)


def kill_run(folder: Path, wait_s: float = KILL_GRACE_S) -> None:
    """End the run's process and all it has started at once; what it had in flight is lost, and the run can go on.

    Args:
        wait_s: seconds to wait at most until the process is gone; 0 returns at once.

    Raises:
        RunConflictError: nothing runs there, or it runs on another machine.
        HaloError: the process has not ended in time, such as one that waits for a slow or broken disk.
    """
    holder = _local_holder(folder)
    try:
        children = psutil.Process(holder.process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    if holder.process.signal(signal.SIGKILL):
        for child in children:
            try:
                child.kill()  # psutil looks whether it is still the same process
            except psutil.NoSuchProcess:
                continue
    deadline = time.monotonic() + wait_s
    while wait_s and _still(folder, holder):
        if time.monotonic() > deadline:
            raise HaloError(f"{holder.description} was killed and has not ended after {wait_s:g} s")
        time.sleep(POLL_S)


def _local_holder(folder: Path) -> Holder:
    holder = read_holder(folder)
    if holder is None:
        raise RunConflictError(f"{folder} is not running; there is nothing to stop")
    if not holder.process.is_local:
        raise RunConflictError(f"{folder} runs elsewhere ({holder.description}); stop it there")
    return holder


def _still(folder: Path, holder: Holder) -> bool:
    return read_holder(folder) == holder
