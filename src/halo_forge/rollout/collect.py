"""Generate and verify, overlapped: while one chunk is verified the next is drawn, and results are stored in order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import TooManyFaults
from halo_forge.core.events import EventLog, EventType
from halo_forge.core.protocols import Generator, Submission, Verifier
from halo_forge.core.seeds import derive
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Completion, Prompt, Rollout, Sampling, Stage, Verdict
from halo_forge.rollout.records import append_records, read_rollouts, whole_chunks

LEAST_FOR_FAULT_RATE = 20


@dataclass(frozen=True)
class CollectPlan:
    """What to collect and where to.

    Args:
        path: the file of rollouts; whole chunks that it already holds are not drawn again.
        rows_per_chunk: completions drawn at the same time; a chunk takes as many prompts as fit, at least one.
        seed: chunk i is drawn with `derive(seed, i)`.
        policy: name of the checkpoint that answers.
        max_fault_rate: share of unverifiable completions above which the run stops.
    """

    path: Path
    sampling: Sampling
    rows_per_chunk: int
    seed: int
    policy: str
    cycle: int
    phase: str
    max_fault_rate: float


@dataclass
class Timing:
    """Seconds and tokens of one collection; what was already on disk is not in it."""

    generate_s: float = 0.0
    verify_s: float = 0.0
    wall_s: float = 0.0
    tokens: int = 0
    completions: int = 0


@dataclass
class Collected:
    """All rollouts of the plan, in order, and what drawing them took."""

    rollouts: list[Rollout]
    timing: Timing


@dataclass
class _Faults:
    total: int = 0
    seen: int = 0
    causes: dict[str, int] = field(default_factory=dict)

    def count(self, verdicts: Sequence[Verdict], limit: float) -> None:
        self.seen += len(verdicts)
        for verdict in verdicts:
            if verdict.reward is None:
                self.total += 1
                cause = verdict.fault or "unknown"
                self.causes[cause] = self.causes.get(cause, 0) + 1
        if self.seen >= LEAST_FOR_FAULT_RATE and self.total / self.seen > limit:
            worst = max(self.causes, key=lambda cause: self.causes[cause])
            raise TooManyFaults(
                f"{self.total} of {self.seen} completions could not be verified, more than the {limit:.0%} allowed; "
                f"most often: {worst}. Mend that, then the same command continues"
            )


def chunked(prompts: Sequence[Prompt], samples: int, rows: int) -> list[Sequence[Prompt]]:
    """Cut prompts into chunks of at most `rows` completions, at least one prompt each."""
    size = max(1, rows // samples)
    return [prompts[start : start + size] for start in range(0, len(prompts), size)]


@dataclass
class _Ledger:
    """Stores judged chunks in order and keeps the counts."""

    plan: CollectPlan
    events: EventLog
    rollouts: list[Rollout]
    timing: Timing = field(default_factory=Timing)
    faults: _Faults = field(default_factory=_Faults)

    def open(self, total: int) -> None:
        """Take in what an earlier attempt left, and announce the phase."""
        self.faults.count([r.verdict for r in self.rollouts], self.plan.max_fault_rate)
        self._emit(EventType.PHASE_STARTED, total=total, done=len(self.rollouts))

    def drew(self, completions: Sequence[Completion], seconds: float) -> None:
        """Count what the generator did."""
        self.timing.generate_s += seconds
        self.timing.tokens += sum(len(c.token_ids) for c in completions)

    def store(self, chunk: _Chunk) -> None:
        """Wait for a chunk's verdicts and write it."""
        verdicts, seconds = chunk.verdicts.result()
        fresh = [
            Rollout(cycle=self.plan.cycle, chunk=chunk.number, completion=c, verdict=v)
            for c, v in zip(chunk.completions, verdicts, strict=True)
        ]
        append_records(self.plan.path, fresh)
        self.rollouts += fresh
        self.timing.verify_s += seconds
        self.timing.completions += len(fresh)
        self.faults.count(verdicts, self.plan.max_fault_rate)
        self._emit(
            EventType.PROGRESS,
            step=len(self.rollouts),
            passed=sum(v.passed for v in verdicts),
            verified=sum(v.reward is not None for v in verdicts),
            tokens_per_s=self.timing.tokens / self.timing.generate_s if self.timing.generate_s else None,
        )

    def close(self) -> None:
        """Announce the end of the phase."""
        self._emit(EventType.PHASE_FINISHED, wall_s=self.timing.wall_s, tokens=self.timing.tokens)

    def _emit(self, type: EventType, step: int | None = None, **m: float | None) -> None:
        self.events.emit(type, cycle=self.plan.cycle, phase=self.plan.phase, step=step, **m)


class _Chunk(NamedTuple):
    """A drawn chunk whose verdicts are on their way."""

    number: int
    completions: list[Completion]
    verdicts: Future[tuple[list[Verdict], float]]


def collect(
    prompts: Sequence[Prompt],
    generator: Generator,
    verifier: Verifier,
    plan: CollectPlan,
    events: EventLog,
    stop: StopRequest,
) -> Collected:
    """Draw and verify every chunk that `plan.path` does not hold yet.

    Raises:
        TooManyFaults: the share of unverifiable completions passed the limit.
        Interrupted: a stop was asked for; the whole chunks are on disk.
    """
    chunks = chunked(prompts, plan.sampling.n, plan.rows_per_chunk)
    plan.path.parent.mkdir(parents=True, exist_ok=True)
    done = whole_chunks(plan.path, [len(chunk) * plan.sampling.n for chunk in chunks])
    ledger = _Ledger(plan, events, read_rollouts(plan.path))
    ledger.open(total=len(prompts) * plan.sampling.n)
    started = time.perf_counter()
    with ThreadPoolExecutor(1, thread_name_prefix="verify") as background:
        waiting: _Chunk | None = None
        for number in range(done, len(chunks)):
            if stop.requested:
                break
            begun = time.perf_counter()
            drawn = generator.generate(chunks[number], plan.sampling, derive(plan.seed, number))
            completions = [c.model_copy(update={"policy": plan.policy}) for c in drawn]
            ledger.drew(completions, time.perf_counter() - begun)
            if waiting is not None:
                ledger.store(waiting)
            waiting = _Chunk(number, completions, background.submit(_judge, verifier, chunks[number], completions))
        if waiting is not None:
            ledger.store(waiting)
    ledger.timing.wall_s = time.perf_counter() - started
    stop.check()
    ledger.close()
    return Collected(ledger.rollouts, ledger.timing)


def _judge(
    verifier: Verifier, prompts: Sequence[Prompt], completions: Sequence[Completion]
) -> tuple[list[Verdict], float]:
    begun = time.perf_counter()
    by_id = {prompt.id: prompt for prompt in prompts}
    submissions = [Submission(by_id[c.prompt_id], c.text) for c in completions]
    try:
        verdicts = verifier.verify(submissions)
    except Exception as error:  # noqa: BLE001  the fault boundary: a broken verifier is never a reward of 0
        fault = f"verifier {verifier.name} failed: {type(error).__name__}: {error}"
        verdicts = [Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=fault)] * len(submissions)
    return verdicts, time.perf_counter() - begun
