"""A verifier in a process of its own, which is killed when it hangs and started anew when it dies."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from halo_forge.core.errors import EnvironmentFault, HaloError
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Reference, Stage, Verdict
from halo_forge.rollout.host_process import HostProcess
from halo_forge.rollout.wire import Order, Task, framed

RESTARTS_WITHOUT_A_VERDICT = 4
RESTART_PAUSE_S = 0.5
SENT_PER_WORKER, LEAST_SENT = 16, 256
MOST_SENT_BYTES = 16 << 20
CASE_PATIENCE_S = 20.0
NO_TEXT = "the prompt or the completion holds half of a surrogate pair (U+D800 to U+DFFF), which is not a character"


@dataclass(eq=False)
class _Work:
    """A submission without a verdict.

    Args:
        patience_s: seconds it may be in work.
        deadline: on the monotonic clock; infinite until it is in work.
    """

    number: int
    message: bytes
    patience_s: float
    verdict: Future[Verdict] = field(default_factory=Future)
    deadline: float = math.inf


class HostedVerifier:
    """Judges in a process of its own; futures are settled by a thread that only waits for that process.

    A submission that is in work when the process hangs or dies becomes a fault; those that wait in line are sent to the
    next process. Several threads may submit.

    Args:
        order: the verifier, its options, its sandbox and how many programs are checked at the same time.
        stall_timeout_s: seconds without a verdict on a submission in work, or on building the verifier, after which
            the process counts as hung; each test with input and output adds `CASE_PATIENCE_S`.

    Raises:
        ConfigError, EnvironmentFault: what building the verifier raised.
    """

    def __init__(self, order: Order, stall_timeout_s: float) -> None:
        self._order = order
        self._stall_timeout_s = stall_timeout_s
        self._host: HostProcess | None = HostProcess(order, stall_timeout_s)
        self._ready = self._host.ready
        self._lock = threading.Lock()
        self._line: deque[_Work] = deque()
        self._sent: dict[int, _Work] = {}
        self._sent_bytes = 0
        self._submitted = 0
        self._ends_without_a_verdict = 0
        self._notices: list[str] = []
        self._broken: HaloError | None = None
        self._closing = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._supervise, name=f"{order.verifier} host", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The entry point's name."""
        return self._ready.name

    @property
    def version(self) -> str:
        """See `Verifier.version`."""
        return self._ready.version

    @property
    def tier(self) -> str:
        """The sandbox's isolation."""
        return self._ready.tier

    def submit(self, submissions: Sequence[Submission]) -> list[Future[Verdict]]:
        """Put submissions in line.

        Returns:
            One future a submission, in the same order; its result is a verdict, or an EnvironmentFault is raised there
            when no process can be kept running.

        Raises:
            EnvironmentFault: that is known already.
        """
        with self._lock:
            first = self._submitted
            self._submitted += len(submissions)
        work = [self._work(number, submission) for number, submission in enumerate(submissions, first)]
        with self._lock:
            if self._broken is not None:
                raise self._broken
            self._line.extend(each for each in work if not each.verdict.done())
        os.eventfd_write(self._wake, 1)
        return [each.verdict for each in work]

    def take_notices(self) -> list[str]:
        """Return what a person should know, once."""
        with self._lock:
            notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        """End the process; whatever has no verdict yet gets none. Closing again does nothing."""
        if not self._closing:
            self._closing = True
            os.eventfd_write(self._wake, 1)
            self._thread.join()
            os.close(self._wake)

    def _work(self, number: int, submission: Submission) -> _Work:
        patience_s = self._patience_s(submission.prompt.reference)
        try:
            message = framed(Task(number=number, prompt=submission.prompt, text=submission.text))
        except ValueError:  # not to be written as JSON
            work = _Work(number, b"", patience_s)
            work.verdict.set_result(_fault(NO_TEXT))
            return work
        return _Work(number, message, patience_s)

    def _patience_s(self, reference: Reference) -> float:
        return self._stall_timeout_s + CASE_PATIENCE_S * len(reference.cases)

    def _supervise(self) -> None:
        """Keep a process at work until `close`."""
        try:
            while not self._closing:
                self._serve(self._host or self._start())
        except HaloError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001  a thread that ended silently would leave everybody waiting
            self._give_up(EnvironmentFault(f"verifier '{self.name}' cannot be supervised: {error!r}"))
        else:
            self._give_up(EnvironmentFault(f"verifier '{self.name}' is closed"))

    def _serve(self, host: HostProcess) -> None:
        """Go once round: send, wait, take in verdicts, look at the clock."""
        self._send(host)
        host.wait(self._left_s(), self._wake)
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        try:
            for result in host.results():
                self._settle(result.number, result.verdict)
        except (EOFError, ValueError) as error:
            self._replace(host, None if isinstance(error, EOFError) else f"it made no sense: {error}")
            return
        if self._left_s() <= 0:
            self._stop_hung(host)

    def _send(self, host: HostProcess) -> None:
        """Send on what the process can use soon; in large pieces, since each costs a turn."""
        most = max(LEAST_SENT, SENT_PER_WORKER * self._order.workers)
        messages = []
        if len(self._sent) <= most // 2:
            with self._lock:
                while self._line and len(self._sent) < most and (not self._sent or self._sent_bytes < MOST_SENT_BYTES):
                    work = self._line.popleft()
                    self._sent[work.number] = work
                    self._sent_bytes += len(work.message)
                    messages.append(work.message)
        if messages:
            host.send(messages)

    def _in_work(self) -> list[_Work]:
        """The submissions being judged: the process takes them up in the order they were sent, one a worker."""
        return list(islice(self._sent.values(), self._order.workers))

    def _left_s(self) -> float:
        """Seconds until the first submission in work is overdue."""
        now = time.monotonic()
        nearest = math.inf
        for work in self._in_work():
            if work.deadline == math.inf:
                work.deadline = now + work.patience_s
            nearest = min(nearest, work.deadline)
        return min(nearest - now, 3600.0)

    def _settle(self, number: int, verdict: Verdict) -> None:
        work = self._sent.pop(number, None)
        if work is not None:
            self._sent_bytes -= len(work.message)
            self._ends_without_a_verdict = 0
            work.verdict.set_result(verdict)

    def _stop_hung(self, host: HostProcess) -> None:
        """Kill a process that gives no verdict; what is overdue becomes a fault."""
        now = time.monotonic()
        overdue = [work for work in self._in_work() if work.deadline <= now]
        patience = f"{overdue[0].patience_s:g} s"
        fault = f"verifier {self.name} hung: it gave no verdict in {patience} and was killed"
        self._end(host, f"hung for {patience} and was killed", overdue, fault)

    def _replace(self, host: HostProcess, mistake: str | None) -> None:
        """Bury a process that ended; what it was judging becomes a fault."""
        how = mistake or host.last_words()
        self._end(host, f"ended ({how})", self._in_work(), f"verifier {self.name} died while it judged this ({how})")

    def _end(self, host: HostProcess, what: str, lost: Sequence[_Work], fault: str) -> None:
        """Kill the process, put what waited in it back in line, say what happened, and give up what is lost."""
        host.kill()
        self._host = None
        for work in lost:
            del self._sent[work.number]
        waiting = list(self._sent.values())
        self._sent.clear()
        self._sent_bytes = 0
        for work in waiting:
            work.deadline = math.inf
        with self._lock:
            self._line.extendleft(reversed(waiting))
            self._notices.append(
                f"the process of verifier '{self.name}' {what}; "
                f"{len(lost)} completions that it was judging are without a verdict"
            )
        for work in lost:
            work.verdict.set_result(_fault(fault))
        self._count_end(what)

    def _count_end(self, what: str) -> None:
        self._ends_without_a_verdict += 1
        if self._ends_without_a_verdict > RESTARTS_WITHOUT_A_VERDICT:
            raise EnvironmentFault(
                f"the process of verifier '{self.name}' {what}; it failed {self._ends_without_a_verdict} times in a "
                "row without any verdict in between: mend the verifier or the machine, then the same command continues"
            )

    def _start(self) -> HostProcess:
        """Start the next process, after a pause that grows with each failure."""
        failures = max(0, self._ends_without_a_verdict - 1)
        until = time.monotonic() + RESTART_PAUSE_S * (2**failures - 1)
        while not self._closing and time.monotonic() < until:
            time.sleep(0.05)
        while self._host is None:
            try:
                self._host = HostProcess(self._order, self._stall_timeout_s)
            except EnvironmentFault as fault:
                self._count_end(f"cannot be started ({fault})")
        host = self._host
        if host.ready != self._ready:
            raise EnvironmentFault(
                f"verifier '{self.name}' changed while the run went on: it was {self._ready.version} in sandbox "
                f"{self._ready.tier}, and is {host.ready.version} in sandbox {host.ready.tier}; start the run again"
            )
        return host

    def _give_up(self, error: HaloError) -> None:
        """Settle everything that waits, and end the process."""
        with self._lock:
            self._broken = error
            left = [*self._sent.values(), *self._line]
            self._sent.clear()
            self._line.clear()
        if self._host is not None:
            if left:
                self._host.kill()
            else:
                self._host.close()
            self._host = None
        for work in left:
            work.verdict.set_exception(error)


def _fault(text: str) -> Verdict:
    return Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=text)
