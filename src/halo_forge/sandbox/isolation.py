"""The sandbox that every tier shares: it hands jobs to launchers, watches them, and says how they ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Exchange, Job, Limits, Outcome, Python
from halo_forge.sandbox.descriptors import Descriptors, descriptors, memory_file
from halo_forge.sandbox.launcher import INLINE, LINK, PAYLOAD, PROGRAM, SCRIPT, STANDBY, Request
from halo_forge.sandbox.limits import lasting_limits, passing_limits
from halo_forge.sandbox.pool import SlotPool
from halo_forge.sandbox.slots import Isolation, Slot
from halo_forge.sandbox.supervision import MemoryShortage, Watch, watch_all

REPORT_DESCRIPTOR = 3
FILES_A_JOB = 200


class IsolatedSandbox:
    """A `Sandbox` on top of one isolation; safe to use from several threads.

    Args:
        isolation: the tier in force.
        python: the interpreter that launchers and images run on.
    """

    def __init__(self, isolation: Isolation, python: Python) -> None:
        self.python = python
        self._isolation = isolation
        self._slots = SlotPool(isolation, python)
        self._shortage = MemoryShortage()

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
                if job.stdin:
                    passed.add(memory_file(job.stdin), 0)
                stdout = _pipe_out(ours, passed, 1)
                watch = _start(slot, job, ours, passed, stdout)
            watch_all([watch], watch)
            return self._outcome(watch, job.limits)

    def converse(self, judge: Job, candidate: Job) -> Exchange:
        """Run two programs joined by a socket on descriptor 4; their standard input and output lead nowhere.

        Raises:
            EnvironmentFault: as for `run`.
        """
        with _boundary(), self._slot(judge) as first, self._slot(candidate) as second, descriptors() as ours:
            with descriptors() as to_judge:
                candidate_watch = _start_linked(second, candidate, ours, to_judge)
                judge_watch = _start(first, judge, ours, to_judge, None)
            watch_all([judge_watch, candidate_watch], judge_watch)
            return Exchange(self._outcome(judge_watch, judge.limits), self._outcome(candidate_watch, candidate.limits))

    @property
    def renewals(self) -> int:
        """How often helper processes were replaced by new ones."""
        return self._slots.renewals

    def renew(self) -> None:
        """Start new helper processes from now on; those at work end behind their job."""
        self._slots.renew()

    def close(self) -> None:
        """End the helper processes; further runs are errors."""
        self._slots.close()

    def __enter__(self) -> IsolatedSandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _outcome(self, watch: Watch, limits: Limits) -> Outcome:
        ended = watch.ended
        if ended is None:
            raise EnvironmentFault("a sandboxed program was left before its end")
        status = ended.report.status
        out_of_time = status == -signal.SIGXCPU or ended.report.cpu_s >= limits.cpu_s
        # A program can kill itself with the same signal, but its own memory is limited: it cannot make the kernel count
        # a kill for want of memory unless the machine runs out.
        stray = status == -signal.SIGKILL and not ended.report.killed and not out_of_time
        return Outcome(
            exit_status=status,
            stdout=ended.stdout,
            stderr=ended.stderr,
            report=ended.channel or ended.report.content,
            timed_out=ended.overdue or out_of_time,
            overdue=ended.overdue and not out_of_time,
            flooded=ended.flooded,
            stray_kill=stray,
            host_out_of_memory=stray and self._shortage.since(ended.started),
            wall_s=ended.wall_s,
            cpu_s=ended.report.cpu_s,
            peak_memory_mb=ended.report.peak_mb,
        )

    @contextlib.contextmanager
    def _slot(self, job: Job) -> Iterator[Slot]:
        slot = self._slots.take(job)
        sound = False
        try:
            yield slot
            sound = True
        finally:
            self._slots.give_back(slot, sound=sound)


def _start(slot: Slot, job: Job, ours: Descriptors, passed: Descriptors, stdout: int | None) -> Watch:
    stderr = None if stdout is None and job.image else _pipe_out(ours, passed, 2)
    reported = (job.report or job.returned) and not job.inline
    channel = _pipe_out(ours, passed, REPORT_DESCRIPTOR) if reported else None
    if job.payload is not None:
        passed.add(memory_file(job.payload), PAYLOAD)
    if len(job.files) > FILES_A_JOB:
        raise EnvironmentFault(f"a sandboxed program cannot have {len(job.files)} files, at most {FILES_A_JOB}")
    kind = INLINE if job.inline else SCRIPT if job.image else PROGRAM
    request = _request(kind, job, passed.targets)
    with descriptors() as files:
        for number, content in enumerate(job.files.values()):
            files.add(memory_file(content), number)
        slot.start(request, files.sources, passed.sources)
    return Watch(slot, job.limits, stdout, stderr, channel)


def _start_linked(slot: Slot, job: Job, ours: Descriptors, to_other: Descriptors) -> Watch:
    """Start the program at one end of a socket, and give the other end to another program."""
    if job.image and job.payload is None and not job.report:
        to_other.add(slot.stand_by(_request(STANDBY, job, [LINK])), LINK)
        return Watch(slot, job.limits, None, None, None)
    with descriptors() as passed:
        for end, side in zip(socket.socketpair(), (to_other, passed), strict=True):
            side.add(end.detach(), LINK)
        return _start(slot, job, ours, passed, None)


def _request(kind: int, job: Job, targets: list[int]) -> Request:
    limits = list(passing_limits(job.limits) + (() if job.image else lasting_limits(job.limits)))
    folder, disk_mb = "/work" if job.limits.disk_mb else "/", job.limits.disk_mb
    argv, env, files = list(job.argv), dict(job.env), list(job.files)
    return Request(kind, argv, env, targets, files, folder, disk_mb, limits, job.returned)


def _pipe_out(ours: Descriptors, passed: Descriptors, target: int) -> int:
    """Make a pipe from the program's descriptor `target` to us; return our end."""
    reader, writer = os.pipe()
    ours.add(reader, target)
    passed.add(writer, target)
    return reader


@contextlib.contextmanager
def _boundary() -> Iterator[None]:
    """Report what the operating system refuses us (memory, descriptors, processes) as a fault of the machine."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"the sandbox cannot be set up: {error}") from error
