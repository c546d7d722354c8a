"""Watching running jobs: collecting their output up to a cap, and ending them at their limits."""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Limits
from halo_forge.sandbox.slots import Report, Slot

READ_BYTES = 65_536
KILL_PATIENCE_S = 30.0


class Ended(NamedTuple):
    """What was seen of a job from outside."""

    report: Report
    stdout: bytes
    stderr: bytes
    channel: bytes
    overdue: bool
    flooded: bool
    wall_s: float
    started: float


class Watch:
    """One running job.

    Args:
        slot: the launcher that runs it.
        limits: its wall and output limits.
        stdout: our end of the pipe, None when the program talks to another one; likewise `stderr` and `channel`.
    """

    def __init__(self, slot: Slot, limits: Limits, stdout: int | None, stderr: int | None, channel: int | None) -> None:
        self.slot = slot
        self._caps = {"stdout": limits.output_bytes, "stderr": limits.output_bytes, "channel": limits.report_bytes}
        self._kept = {name: bytearray() for name in self._caps}
        given = {"stdout": stdout, "stderr": stderr, "channel": channel}
        self.open = {descriptor: name for name, descriptor in given.items() if descriptor is not None}
        self._over = False
        self._started = time.monotonic()
        self.deadline = self._started + limits.wall_s
        self.overdue = self.flooded = self.killed = False
        self.ended: Ended | None = None

    def read(self, descriptor: int) -> bool:
        """Take what a pipe holds; return whether it may hold more later."""
        name = self.open[descriptor]
        chunk = os.read(descriptor, READ_BYTES)
        room = self._caps[name] - len(self._kept[name])
        self._kept[name] += chunk[:room]
        if len(chunk) > room:
            self.flooded = True
            self.kill()
        return bool(chunk)

    def kill(self) -> None:
        """End the job; the launcher's report still follows."""
        if not self.killed and not self._over:
            self.killed = True
            self.deadline = time.monotonic() + KILL_PATIENCE_S
            self.slot.kill()

    def meet_deadline(self) -> None:
        """Act on the passing of the deadline.

        Raises:
            EnvironmentFault: the job was killed long ago and still has not ended.
        """
        if self.killed:
            raise EnvironmentFault(f"a sandboxed program could not be killed within {KILL_PATIENCE_S:.0f} s")
        self.overdue = True
        self.kill()

    def finish(self) -> None:
        """Take the launcher's report and what is left in the pipes, which nobody can write to any more."""
        wall_s = time.monotonic() - self._started
        report = self.slot.report()
        self._over = True
        for descriptor in self.open:
            while self.read(descriptor):
                pass
        kept = {name: bytes(content) for name, content in self._kept.items()}
        self.ended = Ended(
            report, **kept, overdue=self.overdue, flooded=self.flooded, wall_s=wall_s, started=self._started
        )


def watch_all(watches: Sequence[Watch], leader: Watch) -> None:
    """Watch jobs until all have ended; the others are killed once the leader has.

    Raises:
        EnvironmentFault: a launcher died, or a program could not be started or ended.
    """
    poll = select.poll()
    owners: dict[int, Watch] = {}
    for watch in watches:
        for descriptor in (watch.slot.control.fileno(), *watch.open):
            owners[descriptor] = watch
            poll.register(descriptor, select.POLLIN)
    while any(watch.ended is None for watch in watches):
        running = [watch for watch in watches if watch.ended is None]
        left_s = min(watch.deadline for watch in running) - time.monotonic()
        for descriptor, _ in poll.poll(math.ceil(max(left_s, 0) * 1000)):
            _serve(poll, owners[descriptor], descriptor)
        now = time.monotonic()
        for watch in running:
            if watch.ended is None and watch.deadline <= now:
                watch.meet_deadline()
            if watch.ended is None and leader.ended is not None:
                watch.kill()


def _serve(poll: select.poll, watch: Watch, descriptor: int) -> None:
    if watch.ended is not None:
        return
    if descriptor in watch.open:
        if not watch.read(descriptor):
            poll.unregister(descriptor)
        return
    watch.finish()
    poll.unregister(descriptor)
    for pipe in watch.open:
        with contextlib.suppress(KeyError):
            poll.unregister(pipe)


class MemoryShortage:
    """Tells whether the kernel has lately killed a process for want of memory.

    Reading the kernel's count takes as long as starting a small program, so it is read only when a program has died of
    the signal that such a kill sends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = oom_kills()
        self._noticed = -math.inf

    def since(self, started: float) -> bool:
        """Tell whether a kill was noticed at or after a time on the monotonic clock."""
        with self._lock:
            count = oom_kills()
            if count > self._count:
                self._count, self._noticed = count, time.monotonic()
            return self._noticed >= started


def oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it started, 0 where it does not say."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        return 0
    return 0
