"""Processes that compare answers, each killed when an answer takes it too long."""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psutil

from halo_forge.core.errors import EnvironmentFault

WORKER = "halo_forge.verifiers.math.worker"
START_S = 120.0
LOOK_S = 0.2
# A worker that waits for a busy processor gets so many times its processor seconds, and no less than the patience.
PATIENCE, LEAST_PATIENCE_S = 20.0, 60.0
QUESTIONS_A_WORKER = 2_000
LINE_BYTES = 65_536


class Comparison(NamedTuple):
    """What came of comparing.

    Args:
        key: the answer in a form in which equal answers are equal.
        why: for a person, when it could not be compared: it took too long, or too much.
        cpu_s: processor seconds.
        repeatable: False when the process died of it in a way that may be chance.
    """

    equal: bool
    key: str = ""
    why: str = ""
    cpu_s: float = 0.0
    repeatable: bool = True


class WorkerDied(Exception):
    """The process ended while it compared; the text says how."""


class Grader:
    """As many comparing processes as there are threads that ask.

    Args:
        timeout_s: processor seconds of one comparison.
        memory_mb: memory of a process, MiB.
    """

    def __init__(self, timeout_s: float, memory_mb: int) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._closed = False

    def compare(self, reference: str, answer: str) -> Comparison:
        """Compare an answer with a reference.

        What makes a process crash twice is held against the answer; a kill from outside is not.

        Raises:
            EnvironmentFault: no process can be started, it was killed from outside, or the machine was too busy to let
                it run.
        """
        for attempt in (1, 2):
            try:
                with self._worker() as worker:
                    return worker.compare(reference, answer, self._timeout_s)
            except WorkerDied as error:
                if attempt == 2:
                    return Comparison(equal=False, why=f"comparing it crashed ({error})", repeatable=False)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the processes."""
        self._closed = True
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().kill()

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = _Worker(self._memory_mb)
        try:
            yield worker
        except BaseException:
            worker.kill()
            raise
        if worker.alive and worker.asked < QUESTIONS_A_WORKER and not self._closed:
            self._idle.put(worker)
        else:
            worker.kill()


class _Worker:
    """One process.

    Raises:
        EnvironmentFault: it does not start.
    """

    def __init__(self, memory_mb: int) -> None:
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", WORKER, str(memory_mb)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", env=environment,
            )  # fmt: skip
        except OSError as error:
            raise EnvironmentFault(f"no process to compare answers can be started: {error}") from error
        self.asked = 0
        self.alive = True
        self._usage = psutil.Process(self._process.pid)
        try:
            if self._line(time.monotonic() + START_S) is None:
                raise EnvironmentFault(f"the process that compares answers was not ready after {START_S:g} s")
        except WorkerDied as error:
            self.kill()
            raise EnvironmentFault(
                f"the process that compares answers ended at its start ({error}): is math-verify whole, and "
                f"memory_mb={memory_mb} enough?"
            ) from error
        except EnvironmentFault:
            self.kill()
            raise

    def compare(self, reference: str, answer: str, timeout_s: float) -> Comparison:
        """Ask; a process that has used up its time is killed.

        Raises:
            WorkerDied: it ended by itself.
            EnvironmentFault: it was killed from outside, or hardly ran.
        """
        self.asked += 1
        before, deadline = self._cpu_s(), time.monotonic() + max(LEAST_PATIENCE_S, PATIENCE * timeout_s)
        question = json.dumps({"reference": reference, "answer": answer}) + "\n"
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(question.encode())
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerDied(self._how_it_ended()) from error
        while (line := self._line(min(deadline, time.monotonic() + LOOK_S))) is None:
            used = self._cpu_s() - before
            if used > timeout_s:
                self.kill()
                return Comparison(equal=False, why=f"comparing it took more than {timeout_s:g} s", cpu_s=used)
            if time.monotonic() > deadline:
                self.kill()
                raise EnvironmentFault(
                    f"an answer could not be compared: its process got {used:.1f} s of processor time in "
                    f"{max(LEAST_PATIENCE_S, PATIENCE * timeout_s):g} s; the machine is too busy, use fewer workers"
                )
        found = json.loads(line)
        return Comparison(bool(found["equal"]), str(found["key"]), str(found.get("why", "")), self._cpu_s() - before)

    def kill(self) -> None:
        """End the process now."""
        self.alive = False
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _line(self, until: float) -> bytes | None:
        """Wait for a line; None when there is none in time."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        line = self._process.stdout.readline(LINE_BYTES)
        if not line.endswith(b"\n"):
            raise WorkerDied(self._how_it_ended())
        return line

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        status = self._process.poll()
        if status == -9:
            raise EnvironmentFault("the process that compares answers was killed from outside: out of memory?")
        return f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"

    def _cpu_s(self) -> float:
        try:
            times = self._usage.cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)
