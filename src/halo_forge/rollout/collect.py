"""Generate and verify, overlapped: while one chunk is verified the next is drawn, and results are stored in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.events import EventLog, EventType
from halo_forge.core.protocols import Generator, Submission
from halo_forge.core.seeds import derive
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Completion, Prompt, Rollout, Sampling, Verdict
from halo_forge.rollout.checking import Checker, Reuse
from halo_forge.rollout.drawing import Replicated, draw_in_order, lanes_of
from halo_forge.rollout.faults import FaultCount
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch


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
    """Seconds, tokens and origin of the verdicts of one collection; what was already on disk is not in it."""

    generate_s: float = 0.0
    verify_s: float = 0.0
    wall_s: float = 0.0
    tokens: int = 0
    completions: int = 0
    reuse: Reuse = field(default_factory=Reuse)


@dataclass
class Collected:
    """Sketches of all rollouts of the plan, in order, their file, and what drawing them took."""

    rollouts: list[Sketch]
    file: RolloutFile
    timing: Timing


def chunked(prompts: Sequence[Prompt], samples: int, rows: int) -> list[Sequence[Prompt]]:
    """Cut prompts into chunks of at most `rows` completions, at least one prompt each."""
    size = max(1, rows // samples)
    return [prompts[start : start + size] for start in range(0, len(prompts), size)]


@dataclass
class _Ledger:
    """Stores judged chunks in order and keeps the counts."""

    plan: CollectPlan
    events: EventLog
    file: RolloutFile
    rollouts: list[Sketch]
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        # What an earlier attempt could not verify is not held against this one, which may have been mended since.
        self._faults = FaultCount(self.plan.max_fault_rate)

    def open(self, total: int) -> None:
        """Announce the phase."""
        self._emit(EventType.PHASE_STARTED, total=total, done=len(self.rollouts))

    def drew(self, completions: Sequence[Completion], seconds: float) -> None:
        """Count what the generator did."""
        self.timing.generate_s += seconds
        self.timing.tokens += sum(len(c.token_ids) for c in completions)

    def store(self, chunk: _Chunk, *, last: bool = False) -> None:
        """Wait for a chunk's verdicts and write it; a chunk that brings too many faults is left to be drawn again.

        So is the last one when neither it nor any chunk before it, of earlier attempts either, could be verified.
        """
        verdicts, seconds = chunk.verdicts.result()
        self._faults.count(verdicts)
        if last and not any(rollout.reward is not None for rollout in self.rollouts):
            self._faults.require_some()
        fresh = [
            Rollout(cycle=self.plan.cycle, chunk=chunk.number, completion=c, verdict=v)
            for c, v in zip(chunk.completions, verdicts, strict=True)
        ]
        self.rollouts += self.file.append(fresh)
        self.timing.verify_s += seconds
        self.timing.completions += len(fresh)
        self._emit(
            EventType.PROGRESS,
            step=len(self.rollouts),
            passed=sum(v.passed for v in verdicts),
            verified=sum(v.reward is not None for v in verdicts),
            draw_s=chunk.draw_s,
            judge_s=seconds,
            tokens_per_s=self.timing.tokens / self.timing.generate_s if self.timing.generate_s else None,
        )

    def close(self) -> None:
        """Announce the end of the phase."""
        self._emit(
            EventType.PHASE_FINISHED,
            wall_s=self.timing.wall_s,
            tokens=self.timing.tokens,
            cached=self.timing.reuse.cached,
            duplicates=self.timing.reuse.duplicates,
        )

    def _emit(self, type: EventType, step: int | None = None, **m: float | None) -> None:
        self.events.emit(type, cycle=self.plan.cycle, phase=self.plan.phase, step=step, **m)


class _Chunk(NamedTuple):
    """A drawn chunk whose verdicts are on their way."""

    number: int
    completions: list[Completion]
    draw_s: float
    verdicts: Future[tuple[list[Verdict], float]]


def collect(
    prompts: Sequence[Prompt],
    generator: Generator,
    checker: Checker,
    plan: CollectPlan,
    events: EventLog,
    stop: StopRequest,
) -> Collected:
    """Draw and verify every chunk that `plan.path` does not hold yet.

    Raises:
        TooManyFaults: the share of unverifiable completions passed the limit.
        EnvironmentFault: no process of the verifier can be kept running.
        Interrupted: a stop was asked for; the whole chunks are on disk.
    """
    chunks = chunked(prompts, plan.sampling.n, plan.rows_per_chunk)
    plan.path.parent.mkdir(parents=True, exist_ok=True)
    file = RolloutFile(plan.path)
    done = file.resume([len(chunk) * plan.sampling.n for chunk in chunks])
    ledger = _Ledger(plan, events, file, list(chain.from_iterable(done)))
    ledger.open(total=len(prompts) * plan.sampling.n)
    started, before = time.perf_counter(), checker.reuse
    lanes = lanes_of(generator)

    def draw(number: int) -> list[Completion]:
        return generator.generate(chunks[number], plan.sampling, derive(plan.seed, number))

    numbers = range(len(done), len(chunks))
    with (
        ThreadPoolExecutor(lanes, thread_name_prefix="verify") as background,
        closing(draw_in_order(draw, numbers, lanes, lambda: stop.requested)) as drawn,
    ):
        waiting: deque[_Chunk] = deque()
        for chunk in drawn:
            completions = [c.model_copy(update={"policy": plan.policy}) for c in chunk.completions]
            ledger.drew(completions, chunk.seconds)
            while len(waiting) >= lanes:
                ledger.store(waiting.popleft())
                _tell(generator, checker, events)
            verdicts = background.submit(_judge, checker, chunks[chunk.number], completions)
            waiting.append(_Chunk(chunk.number, completions, chunk.seconds, verdicts))
        for left in waiting:
            ledger.store(left, last=left.number == len(chunks) - 1)
    _tell(generator, checker, events)
    ledger.timing.wall_s = time.perf_counter() - started
    ledger.timing.reuse = checker.reuse.since(before)
    stop.check()
    ledger.close()
    return Collected(ledger.rollouts, file, ledger.timing)


def _judge(
    checker: Checker, prompts: Sequence[Prompt], completions: Sequence[Completion]
) -> tuple[list[Verdict], float]:
    begun = time.perf_counter()
    by_id = {prompt.id: prompt for prompt in prompts}
    verdicts = checker.verify([Submission(by_id[c.prompt_id], c.text) for c in completions])
    return verdicts, time.perf_counter() - begun


def _tell(generator: Generator, checker: Checker, events: EventLog) -> None:
    drawing = generator.take_notices() if isinstance(generator, Replicated) else []
    for notice in [*drawing, *checker.take_notices()]:
        events.notice(notice)
