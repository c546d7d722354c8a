"""Which process is which: a number alone is not enough, since numbers are given out again."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import psutil

from halo_forge.core.types import Record

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ProcessMark(Record):
    """A process that cannot be taken for another one.

    Args:
        started: when it started, in clock ticks since the boot where the system says so, else in seconds since 1970.
        boot: id of the boot that `started` counts from; empty where it counts from 1970.
    """

    pid: int
    started: str
    boot: str
    host: str

    @property
    def is_local(self) -> bool:
        """Whether it runs, or ran, where this process can look for it."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs on this machine; a zombie does not."""
        return self.is_local and self.boot == _boot() and _started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this very process, or to none.

        Returns:
            Whether it was alive to get it.
        """
        if not BOOT_ID.exists():
            return self.is_alive and _send(self.pid, number)
        try:
            handle = os.pidfd_open(self.pid)  # a handle stays with its process, whoever gets the number next
        except ProcessLookupError:
            return False
        try:
            if not self.is_alive:
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


def this_process() -> ProcessMark:
    """Mark of the process that asks."""
    pid = os.getpid()
    return ProcessMark(pid=pid, started=_started(pid) or "", boot=_boot(), host=socket.gethostname())


def mark_of(pid: int) -> ProcessMark:
    """Mark of a child that has not been waited for, so that its number is still its own."""
    return ProcessMark(pid=pid, started=_started(pid) or "", boot=_boot(), host=socket.gethostname())


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""


def _started(pid: int) -> str | None:
    """When the process started, or None if there is none of that number."""
    if not BOOT_ID.exists():
        try:
            return str(psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None
    try:
        # The command's name stands in brackets and may hold anything, so the fields are counted from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
