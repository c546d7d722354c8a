"""What a run takes by phase on one machine: arithmetic on measured rates."""

from __future__ import annotations

from math import ceil

from pydantic import Field

from halo_forge.core.types import Record
from halo_forge.planning.rates import Rates


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
    """Seconds in which one replica draws completions."""
    return rows * rates.mean_tokens / rates.tokens_per_s


def judge_seconds(rates: Rates, rows: int) -> float:
    """Seconds in which one machine's workers judge completions."""
    return rows * rates.judged_share * rates.verdict_s / rates.workers


def train_seconds(rates: Rates, work: Work, cycle: int) -> float:
    """Seconds of a cycle's training, saving included."""
    rows = rates.rows_per_prompt[min(cycle, len(rates.rows_per_prompt)) - 1] * work.prompts
    return rates.round_s + rows * work.epochs * rates.learnt_tokens_per_row / rates.learnt_tokens_per_s


def predict(rates: Rates, work: Work) -> Prediction:
    """Predict a run on one machine: while a chunk is judged the next is drawn."""
    collected, measured = _collect(rates, work.chunks(work.prompts)), _collect(rates, work.chunks(work.holdout))
    cycles = [Phases(evaluate=measured.collect)]
    for number in range(1, work.cycles + 1):
        extra = {"train": train_seconds(rates, work, number), "evaluate": measured.collect}
        cycles.append(collected.model_copy(update=extra))
    shares = {
        "generate": (collected.generate * work.cycles) + measured.generate * (work.cycles + 1),
        "verify": (collected.verify * work.cycles) + measured.verify * (work.cycles + 1),
        "train": sum(cycle.train for cycle in cycles),
    }
    completions = work.samples * (work.prompts * work.cycles + work.holdout * (work.cycles + 1))
    return Prediction(
        cycles=tuple(cycles),
        total_s=rates.start_s + sum(cycle.total for cycle in cycles),
        bound_by=max(shares, key=lambda name: shares[name]),
        disk=Disk(rollouts=completions * rates.completion_bytes, checkpoints=work.cycles * rates.checkpoint_bytes),
    )


def _collect(rates: Rates, chunks: list[int]) -> Phases:
    """Draw the first chunk, then draw and judge side by side, then judge the last."""
    drawn = [draw_seconds(rates, rows) for rows in chunks]
    judged = [judge_seconds(rates, rows) for rows in chunks]
    if not chunks:
        return Phases()
    between = sum(max(draw, judge) for draw, judge in zip(drawn[1:], judged[:-1], strict=True))
    stored = sum(chunks) * rates.store_s
    return Phases(generate=sum(drawn), verify=sum(judged), collect=drawn[0] + between + judged[-1] + stored)


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
