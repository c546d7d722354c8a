"""Generate and verify, overlapped: while one chunk is verified the next is drawn, and results are stored in order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

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
    rollouts = read_rollouts(plan.path)
    timing, faults, started = Timing(), _Faults(), time.perf_counter()
    faults.count([r.verdict for r in rollouts], plan.max_fault_rate)
    events.emit(
        EventType.PHASE_STARTED,
        cycle=plan.cycle,
        phase=plan.phase,
        total=len(prompts) * plan.sampling.n,
        done=len(rollouts),
    )

    def store(number: int, completions: list[Completion], verdicts: list[Verdict], seconds: float) -> None:
        fresh = [
            Rollout(cycle=plan.cycle, chunk=number, completion=c, verdict=v)
            for c, v in zip(completions, verdicts, strict=True)
        ]
        append_records(plan.path, fresh)
        rollouts.extend(fresh)
        timing.verify_s += seconds
        timing.completions += len(fresh)
        faults.count(verdicts, plan.max_fault_rate)
        events.emit(
            EventType.PROGRESS,
            cycle=plan.cycle,
            phase=plan.phase,
            step=len(rollouts),
            passed=sum(v.passed for v in verdicts),
            verified=sum(v.reward is not None for v in verdicts),
            tokens_per_s=timing.tokens / timing.generate_s if timing.generate_s else None,
        )

    with ThreadPoolExecutor(1, thread_name_prefix="verify") as background:
        waiting: tuple[int, list[Completion], Future[tuple[list[Verdict], float]]] | None = None
        for number in range(done, len(chunks)):
            if stop.requested:
                break
            begun = time.perf_counter()
            completions = [
                c.model_copy(update={"policy": plan.policy})
                for c in generator.generate(chunks[number], plan.sampling, derive(plan.seed, number))
            ]
            timing.generate_s += time.perf_counter() - begun
            timing.tokens += sum(len(c.token_ids) for c in completions)
            if waiting is not None:
                store(waiting[0], waiting[1], *waiting[2].result())
            waiting = (number, completions, background.submit(_judge, verifier, chunks[number], completions))
        if waiting is not None:
            store(waiting[0], waiting[1], *waiting[2].result())
    timing.wall_s = time.perf_counter() - started
    stop.check()
    events.emit(
        EventType.PHASE_FINISHED, cycle=plan.cycle, phase=plan.phase, wall_s=timing.wall_s, tokens=timing.tokens
    )
    return Collected(rollouts, timing)


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
