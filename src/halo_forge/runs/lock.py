"""One process a run folder, by an advisory lock that ends with the process."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from halo_forge.core.errors import RunLockedError
from halo_forge.core.types import Record
from halo_forge.runs.process import ProcessMark, this_process

LOCK_FILE = "run.lock"
GLANCE_S = 0.2  # somebody who only looks whether a lock is held has it for less


class Holder(Record):
    """Who holds a run's lock, as `run.lock` says.

    Args:
        since: seconds since 1970.
    """

    process: ProcessMark
    since: float

    @property
    def description(self) -> str:
        """Process, machine and time, in words."""
        clock = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since))
        return f"process {self.process.pid} on {self.process.host}, since {clock}"


@contextmanager
def hold_lock(folder: Path, *, named: bool = True) -> Iterator[None]:
    """Hold `folder/run.lock` for the life of the block.

    Args:
        named: say who holds it; without that nobody takes this process for the one that works on the run.

    Raises:
        RunLockedError: another process holds it; the text names it, its machine and since when.
    """
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _take(descriptor):
            owner = _read(descriptor)
            raise RunLockedError(
                f"{folder} is being written by {owner.description if owner else 'another process'}; wait for it, "
                "stop it (halo-forge runs stop), or choose another --output"
            )
        os.ftruncate(descriptor, 0)
        if named:
            holder = Holder(process=this_process(), since=round(time.time(), 3))
            os.pwrite(descriptor, holder.model_dump_json().encode() + b"\n", 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)  # the process may live on without the lock
    finally:
        os.close(descriptor)


def read_holder(folder: Path) -> Holder | None:
    """Return the process that holds the lock now, or None; it takes nothing from who wants to hold it."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        holder = _read(descriptor)
        if holder is None:
            return None
        if holder.process.is_local:
            return holder if holder.process.is_alive else None
        # A process of another machine or container cannot be looked for, but its lock shows on a shared disk.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return holder
        return None
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    deadline = time.monotonic() + GLANCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(GLANCE_S / 10)
        else:
            return True


def _read(descriptor: int) -> Holder | None:
    try:
        return Holder.model_validate_json(os.pread(descriptor, 4096, 0))
    except ValidationError:
        return None
