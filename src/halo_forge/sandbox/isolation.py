"""What the two tiers share: the sandbox that starts commands in launchers and says how they ended."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Exchange, Job, Limits, Outcome
from halo_forge.sandbox.descriptors import Descriptors, descriptors, memory_file
from halo_forge.sandbox.slots import Command, Report, Slot, SlotPool
from halo_forge.sandbox.supervision import Ended, Watch, watch_all

REPORT_DESCRIPTOR = 3
STATUS_DESCRIPTOR = 4
PAYLOAD_DESCRIPTOR = 5
FREE_DESCRIPTORS_FROM = 20
PRLIMIT = "/usr/bin/prlimit"


class Isolation(Protocol):
    """One way to fence a program in."""

    @property
    def tier(self) -> str:
        """Its name."""
        ...

    def command(self, job: Job, slot: Slot, passed: Descriptors) -> AbstractContextManager[Command]:
        """Return the command for a job; leaving the context removes what was laid out for it.

        Args:
            job: the program.
            slot: the launcher that will start it.
            passed: where to add further descriptors; numbers from `FREE_DESCRIPTORS_FROM` are free.
        """
        ...

    def exit_status(self, report: Report, stderr: bytes) -> int:
        """Return the program's own exit status, negative for the signal that ended it.

        Raises:
            EnvironmentFault: the isolation failed before the program started.
        """
        ...

    def peak_memory_mb(self, report: Report) -> float:
        """Return the size of the largest process, MiB."""
        ...


class IsolatedSandbox:
    """A `Sandbox` on top of one isolation; safe to use from several threads.

    Args:
        isolation: the tier in force.
    """

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._slots = SlotPool()

    @property
    def tier(self) -> str:
        """The isolation in force."""
        return self._isolation.tier

    def run(self, job: Job) -> Outcome:
        """Run one program to its end and leave no process of it behind.

        Raises:
            EnvironmentFault: the sandbox itself could not be set up.
        """
        with _boundary(), self._slot(job) as slot, descriptors() as ours:
            with descriptors() as passed:
                passed.add(memory_file(job.stdin), 0)
                stdout = _pipe_out(ours, passed, 1)
                watch = self._start(slot, job, ours, passed, stdout)
            watch_all([watch], watch)
            return self._outcome(watch, job.limits)

    def converse(self, judge: Job, candidate: Job) -> Exchange:
        """Run two programs joined by their standard input and output; `stdin` of both jobs is ignored.

        Raises:
            EnvironmentFault: as for `run`.
        """
        with _boundary(), self._slot(judge) as first, self._slot(candidate) as second, descriptors() as ours:
            with descriptors() as to_judge, descriptors() as to_candidate:
                _join(to_candidate, to_judge)
                _join(to_judge, to_candidate)
                candidate_watch = self._start(second, candidate, ours, to_candidate, None)
                judge_watch = self._start(first, judge, ours, to_judge, None)
            watch_all([judge_watch, candidate_watch], judge_watch)
            return Exchange(self._outcome(judge_watch, judge.limits), self._outcome(candidate_watch, candidate.limits))

    def close(self) -> None:
        """End the helper processes; further runs are errors."""
        self._slots.close()

    def __enter__(self) -> IsolatedSandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _slot(self, job: Job) -> Iterator[Slot]:
        slot = self._slots.take(job.mounts.values())
        sound = False
        try:
            yield slot
            sound = True
        finally:
            self._slots.give_back(slot, sound=sound)

    def _start(self, slot: Slot, job: Job, ours: Descriptors, passed: Descriptors, stdout: int | None) -> Watch:
        stderr = _pipe_out(ours, passed, 2)
        channel = _pipe_out(ours, passed, REPORT_DESCRIPTOR) if job.report else None
        if job.payload is not None:
            passed.add(memory_file(job.payload), PAYLOAD_DESCRIPTOR)
        command = ours.keep(self._isolation.command(job, slot, passed))
        slot.start(command, passed)
        return Watch(slot, job.limits, stdout, stderr, channel)

    def _outcome(self, watch: Watch, limits: Limits) -> Outcome:
        ended = watch.ended
        if ended is None:
            raise EnvironmentFault("a sandboxed program was left before its end")
        killed = ended.overdue or ended.flooded or watch.killed
        status = -signal.SIGKILL if killed else self._isolation.exit_status(ended.report, ended.stderr)
        out_of_time = status == -signal.SIGXCPU or ended.report.cpu_s >= limits.cpu_s
        return Outcome(
            exit_status=status,
            stdout=ended.stdout,
            stderr=ended.stderr,
            report=ended.channel,
            timed_out=ended.overdue or out_of_time,
            overdue=ended.overdue and not out_of_time,
            flooded=ended.flooded,
            host_out_of_memory=_host_out_of_memory(ended, status, killed),
            wall_s=ended.wall_s,
            cpu_s=ended.report.cpu_s,
            peak_memory_mb=self._isolation.peak_memory_mb(ended.report),
        )


def limit_command(limits: Limits) -> tuple[str, ...]:
    """Return the prefix that sets resource limits on a command, none above what we may set ourselves."""
    megabyte = 1 << 20
    cpu_s = math.ceil(limits.cpu_s)
    wanted = {
        "as": (resource.RLIMIT_AS, limits.memory_mb * megabyte),
        "core": (resource.RLIMIT_CORE, 0),
        "cpu": (resource.RLIMIT_CPU, cpu_s),
        "fsize": (resource.RLIMIT_FSIZE, limits.disk_mb * megabyte),
        "nofile": (resource.RLIMIT_NOFILE, limits.open_files),
        "nproc": (resource.RLIMIT_NPROC, limits.processes),
    }
    flags = []
    for name, (kind, value) in wanted.items():
        hard = resource.getrlimit(kind)[1]
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        grace = 1 if name == "cpu" and soft == value and hard != value else 0
        flags.append(f"--{name}={soft}:{soft + grace}")
    return (PRLIMIT, *flags, "--")


def _pipe_out(ours: Descriptors, passed: Descriptors, target: int) -> int:
    """Make a pipe from the program's descriptor `target` to us; return our end."""
    reader, writer = os.pipe()
    ours.add(reader, target)
    passed.add(writer, target)
    return reader


def _join(source: Descriptors, sink: Descriptors) -> None:
    """Make a pipe from one program's standard output to the other's standard input."""
    reader, writer = os.pipe()
    sink.add(reader, 0)
    source.add(writer, 1)


def _host_out_of_memory(ended: Ended, status: int, killed: bool) -> bool:
    """Tell whether the kernel, short of memory, killed the program.

    A program can kill itself with the same signal, but it cannot make the kernel count a kill for want of memory
    without the machine running out, as its own memory is limited.
    """
    return ended.oom_kills > 0 and not killed and status == -signal.SIGKILL


@contextlib.contextmanager
def _boundary() -> Iterator[None]:
    """Report what the operating system refuses us (memory, descriptors, processes) as a fault of the machine."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"the sandbox cannot be set up: {error}") from error
