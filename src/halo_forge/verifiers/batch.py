"""What every verifier of programs shares: deduplication, workers, metering, and the line between fault and failure."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Exchange, Job, Outcome, Sandbox, Submission
from halo_forge.core.types import Reference, Stage, Verdict

DETAIL_CHARS = 600


class UnsupportedTests(Exception):
    """The tests of a prompt cannot be checked by this verifier: a fault of ours, whatever the completion."""


class Ruling(NamedTuple):
    """A verdict before its measurements are added."""

    reward: float | None
    passed: bool
    stage: Stage
    detail: str = ""
    path: str = ""
    scores: Mapping[str, tuple[float, float]] = {}
    answer: str = ""


class Meter:
    """The sandbox, with a running total of what one submission has used.

    Args:
        sandbox: where programs run.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._started = time.monotonic()
        self._renewals = sandbox.renewals
        self.cpu_s = 0.0
        self.peak_memory_mb: float | None = None
        self.repeatable = True

    @property
    def wall_s(self) -> float:
        """Seconds since the submission was taken up."""
        return time.monotonic() - self._started

    @property
    def is_dated(self) -> bool:
        """Whether the sandbox was renewed since: a program of this submission may have met the machine of before."""
        return self._sandbox.renewals != self._renewals

    def renew(self) -> None:
        """Have the programs to come see the machine as it is now."""
        self._sandbox.renew()

    def run(self, job: Job) -> Outcome:
        """Run one program, and again if a kill ended it that may have come from outside.

        Raises:
            EnvironmentFault: the sandbox failed, or the machine ran out of memory.
        """
        outcome = self._counted(self._sandbox.run(job))
        return self._counted(self._sandbox.run(job)) if outcome.stray_kill else outcome

    def converse(self, judge: Job, candidate: Job) -> Exchange:
        """Run two connected programs, and again as for `run`.

        Raises:
            EnvironmentFault: as for `run`.
        """
        exchange = self._conversed(judge, candidate)
        stray = exchange.judge.stray_kill or exchange.candidate.stray_kill
        return self._conversed(judge, candidate) if stray else exchange

    def _conversed(self, judge: Job, candidate: Job) -> Exchange:
        exchange = self._sandbox.converse(judge, candidate)
        return Exchange(self._counted(exchange.judge), self._counted(exchange.candidate))

    def _counted(self, outcome: Outcome) -> Outcome:
        self.cpu_s += outcome.cpu_s
        self.peak_memory_mb = max(self.peak_memory_mb or 0.0, outcome.peak_memory_mb)
        self.repeatable &= not outcome.overdue
        if outcome.host_out_of_memory:
            raise EnvironmentFault("the machine ran out of memory while a program was checked: use fewer workers")
        return outcome


class ProgramVerifier(ABC):
    """Base of the verifiers of programs: subclasses judge one submission, this class does the rest.

    Args:
        name: the entry point's name.
        version: changes whenever a verdict could.
        sandbox: where programs run; it stays open on `close`.
        workers: submissions judged at the same time.
    """

    def __init__(self, name: str, version: str, sandbox: Sandbox, workers: int) -> None:
        self.name = name
        self.version = version
        self._sandbox = sandbox
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)

    @abstractmethod
    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the machine failed.
            UnsupportedTests: the tests cannot be checked.
        """

    def prepare(self, submissions: Sequence[Submission]) -> None:  # noqa: B027
        """Do once for a batch what makes judging it faster; it changes no verdict and raises nothing."""

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """Judge a batch, equal submissions once.

        A single submission is judged in the caller's thread: who asks for one at a time brings workers of its own.

        Returns:
            One verdict a submission, in the same order.
        """
        self.prepare(submissions)
        if len(submissions) == 1:
            return [self._verdict(submissions[0].prompt.reference, submissions[0].text)]
        keys = [(submission.prompt.reference, submission.text) for submission in submissions]
        futures = {key: self._pool.submit(self._verdict, *key) for key in dict.fromkeys(keys)}
        return [futures[key].result() for key in keys]

    def close(self) -> None:
        """End the workers; further calls of `verify` are errors."""
        self._pool.shutdown(cancel_futures=True)

    def _verdict(self, reference: Reference, text: str) -> Verdict:
        meter = Meter(self._sandbox)
        ruling, fault = Ruling(None, passed=False, stage=Stage.PARSE), None
        try:
            ruling = self.judge(reference, text, meter)
        except EnvironmentFault as error:
            fault = shortened(str(error))
        except UnsupportedTests as error:
            fault = shortened(f"unsupported tests: {error}")
        return Verdict(
            reward=ruling.reward,
            passed=ruling.passed,
            stage=ruling.stage,
            detail=shortened(ruling.detail),
            fault=fault,
            path=ruling.path,
            scores=dict(ruling.scores),
            answer=ruling.answer,
            repeatable=meter.repeatable,
            wall_s=meter.wall_s,
            cpu_s=meter.cpu_s,
            peak_memory_mb=meter.peak_memory_mb,
        )


def shortened(text: str, chars: int = DETAIL_CHARS) -> str:
    """Cut a text for a person to read, and make it safe to print and to store."""
    clean = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text.strip())
    return clean if len(clean) <= chars else f"{clean[: chars - 1]}…"
