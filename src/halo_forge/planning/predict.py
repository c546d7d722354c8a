"""What a run takes by phase on one machine: arithmetic on measured rates."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from pydantic import Field

from halo_forge.core.types import Record
from halo_forge.planning.chunks import judging_loses
from halo_forge.planning.rates import Novelty, Rates


class Work(Record):
    """What is to be done.

    Args:
        prompts: that are trained on.
        holdout: prompts that are measured after every cycle, and once at the start.
        rows_per_chunk: completions drawn at the same time.
    """

    prompts: int = Field(ge=1)
    holdout: int = Field(0, ge=0)
    samples: int = Field(ge=1)
    cycles: int = Field(ge=1)
    rows_per_chunk: int = Field(ge=1)
    epochs: float = Field(gt=0)

    def chunks(self, prompts: int) -> list[int]:
        """Completions of each chunk, cut as a run cuts them."""
        size = max(1, self.rows_per_chunk // self.samples)
        return [min(size, prompts - start) * self.samples for start in range(0, prompts, size)]


class Phases(Record):
    """Seconds on the clock.

    Args:
        generate, verify: of drawing and of verifying, which happen at the same time.
        collect: of both together.
        evaluate: of drawing and verifying for the held-out prompts.
    """

    generate: float = 0.0
    verify: float = 0.0
    collect: float = 0.0
    train: float = 0.0
    evaluate: float = 0.0

    @property
    def total(self) -> float:
        """Of the cycle."""
        return self.collect + self.train + self.evaluate


class Disk(Record):
    """Bytes that the run folder takes."""

    rollouts: float
    checkpoints: float


class Prediction(Record):
    """A whole run.

    Args:
        cycles: the start model's first, which is only measured.
        total_s: start and all cycles.
        bound_by: what most of the time goes into: generate, verify or train.
    """

    cycles: tuple[Phases, ...]
    total_s: float
    bound_by: str
    disk: Disk


def draw_seconds(rates: Rates, rows: int) -> float:
    """Seconds in which one replica draws a chunk while nothing is judged."""
    return rates.longest(rows) * rates.step_s + rows * rates.mean_tokens * rates.token_s


def judge_seconds(rates: Rates, novelty: Novelty, number: int, rows: float) -> float:
    """Seconds in which one machine's workers judge completions of a collection while nothing is drawn."""
    fresh = rows * novelty.share(number)
    # The last to be judged leaves the other workers idle, on average for half of the time that it takes.
    idle = min(1.0, fresh) * (rates.workers - 1) / 2
    return rows * rates.lookup_s + (fresh + idle) * novelty.seconds(number) / rates.workers


def train_seconds(rates: Rates, work: Work, cycle: int) -> float:
    """Seconds of a cycle's training, saving included."""
    rows = rates.rows(cycle) * work.prompts
    return rates.round_s + rows * work.epochs * rates.learnt_tokens_per_row / rates.learnt_tokens_per_s


class Collecting(NamedTuple):
    """What is drawn and judged in one go.

    Args:
        chunks: completions of each.
        number: of the collection among its like, from 1.
    """

    chunks: list[int]
    novelty: Novelty
    number: int


def to_train(rates: Rates, work: Work, cycle: int) -> Collecting:
    """What a cycle draws to train on."""
    return Collecting(work.chunks(work.prompts), rates.novelty, cycle)


def held_out(rates: Rates, work: Work, cycle: int) -> Collecting:
    """What is drawn for the held-out prompts after a cycle; 0 is the start model's."""
    return Collecting(work.chunks(work.holdout), rates.held_novelty or rates.novelty, cycle + 1)


class Durations(NamedTuple):
    """Seconds of each chunk, what the two take from each other included."""

    draw: list[float]
    judge: list[float]


def chunk_seconds(rates: Rates, collecting: Collecting) -> Durations:
    """Seconds of drawing and of judging each chunk: one is drawn while the one before is judged.

    The two begin at the same time, and both go slower until the shorter one ends.
    """
    draw = [draw_seconds(rates, rows) for rows in collecting.chunks]
    judge = [judge_seconds(rates, collecting.novelty, collecting.number, rows) for rows in collecting.chunks]
    together = [min(drawn, judged) for drawn, judged in zip(draw[1:], judge, strict=False)]
    slower, loses = rates.slowdown - 1, judging_loses(rates.slowdown, rates.workers)
    return Durations(
        [seconds + slower * beside for seconds, beside in zip(draw, [0.0, *together], strict=False)],
        [seconds + loses * beside for seconds, beside in zip(judge, [*together, 0.0], strict=False)],
    )


def predict(rates: Rates, work: Work) -> Prediction:
    """Predict a run on one machine."""
    cycles = []
    for number in range(work.cycles + 1):
        measured = _collect(rates, held_out(rates, work, number))
        cycle = Phases(evaluate=measured.collect)
        if number:
            trained = train_seconds(rates, work, number)
            cycle = _collect(rates, to_train(rates, work, number)).model_copy(
                update={"train": trained, "evaluate": measured.collect}
            )
        cycles.append((cycle, measured))
    shares = {
        "generate": sum(cycle.generate + measured.generate for cycle, measured in cycles),
        "verify": sum(cycle.verify + measured.verify for cycle, measured in cycles),
        "train": sum(cycle.train for cycle, _ in cycles),
    }
    completions = work.samples * (work.prompts * work.cycles + work.holdout * (work.cycles + 1))
    return Prediction(
        cycles=tuple(cycle for cycle, _ in cycles),
        total_s=rates.start_s + sum(cycle.total for cycle, _ in cycles),
        bound_by=max(shares, key=lambda name: shares[name]),
        disk=Disk(rollouts=completions * rates.completion_bytes, checkpoints=work.cycles * rates.checkpoint_bytes),
    )


def _collect(rates: Rates, collecting: Collecting) -> Phases:
    """Draw the first chunk, then draw and judge side by side, then judge the last."""
    if not collecting.chunks:
        return Phases()
    draw, judge = chunk_seconds(rates, collecting)
    between = sum(max(drawn, judged) for drawn, judged in zip(draw[1:], judge[:-1], strict=True))
    stored = sum(collecting.chunks) * rates.store_s
    return Phases(generate=sum(draw), verify=sum(judge), collect=draw[0] + between + judge[-1] + stored)


def knee(nodes: list[int], seconds: list[float], least_saving: float = 0.2) -> int:
    """Return the number of nodes from which twice as many save less than a share of the time.

    Args:
        nodes: each twice the one before.
    """
    for count, before, after in zip(nodes, seconds, seconds[1:], strict=False):
        if after > (1 - least_saving) * before:
            return count
    return nodes[-1]


def batches(rows: int, nodes: int) -> list[int]:
    """Cut a chunk into the batches that nodes judge, at least two each where there are rows enough."""
    size = max(1, ceil(rows / (2 * nodes)))
    return [min(size, rows - start) for start in range(0, rows, size)]
