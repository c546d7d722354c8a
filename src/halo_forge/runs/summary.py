"""`summary.json`: the figures of a finished run, typed; what the terminal, the report and scripts read."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from halo_forge.core.types import Record
from halo_forge.rollout.checking import Reuse
from halo_forge.rollout.metrics import Estimate, Metrics

DEMO_ARMS = {
    "sft": "after SFT",
    "raft": "after RAFT",
    "control": "control: further SFT",
    "unfiltered": "control: rewards ignored",
}
Figures = dict[str, Estimate]
CODE_LABELS = {
    "passes": "pass their tests",
    "unseen": "of operations never seen together",
    "story": "The SFT corpus is made imperfect on purpose: most of its rows carry one of two fixed mistakes.",
    "compile_rate": "compiles",
}


class TrainingFigures(Record):
    """One round of training.

    Args:
        rows: rows trained on.
        learnt_tokens: tokens that counted in the loss, over all passes.
        weight_change: norm of the change over the norm before, of the trained weights.
    """

    rows: int
    steps: int
    learnt_tokens: int
    mean_loss: float
    last_loss: float
    learning_rate: float
    weight_change: float


class CycleSummary(Record):
    """One RAFT cycle; cycle 0 is the start model, which is only measured.

    Args:
        rollouts: figures of the completions the cycle drew from its training prompts, before it trained.
        kept: completions selected.
        threshold: the reward threshold in force.
        settings: those in force that may differ between cycles.
        holdout: figures on the held-out slice after the cycle's training, if there is a slice.
        reuse: where the verdicts on the drawn completions came from, as far as the last attempt judged them.
        length_drift: mean tokens a completion over those at the start, minus 1; see `raft.guards`.
        seconds: phase -> seconds on the clock (`generate`, `verify`, `collect`, `train`, `evaluate`).
    """

    cycle: int
    rollouts: Metrics | None = None
    kept: int = 0
    threshold: float | None = None
    settings: dict[str, JsonValue] = {}
    training: TrainingFigures | None = None
    holdout: Metrics | None = None
    reuse: Reuse | None = None
    length_drift: float | None = None
    seconds: dict[str, float] = {}


class SftSummary(Record):
    """Result of `sft train`."""

    kind: Literal["sft"] = "sft"
    run_id: str
    model: str
    seed: int
    rows: int
    dropped: dict[str, int]
    training: TrainingFigures
    wall_s: float


class RaftSummary(Record):
    """Result of `raft train`.

    Args:
        best_cycle: the cycle published as `final_model`.
        chosen_by: why that one, in words.
        stopped: why it took fewer cycles than asked for, in words; None if it took all.
    """

    kind: Literal["raft"] = "raft"
    run_id: str
    model: str
    verifier: str
    verifier_version: str
    seed: int
    prompts: int
    holdout_prompts: int
    cycles: tuple[CycleSummary, ...]
    best_cycle: int
    chosen_by: str
    stopped: str | None = None
    wall_s: float


class BenchmarkSummary(Record):
    """Result of `benchmark run`.

    Args:
        sampled: figures of the sampled completions.
        greedy: figures of one greedy completion a prompt, if asked for.
        groups: the same two for each group of prompts, where the prompts name groups.
        prompts_hash: hash of the prompts measured; results on different prompts are not comparable.
        reuse: where the verdicts came from, as far as the last attempt judged them.
        contamination: whether what the model was trained on was compared with these prompts, in words.
    """

    kind: Literal["benchmark"] = "benchmark"
    run_id: str
    model: str
    verifier: str
    verifier_version: str
    seed: int
    temperature: float
    samples: int
    prompts_hash: str
    sampled: Metrics
    greedy: Metrics | None = None
    groups: dict[str, tuple[Metrics, Metrics | None]] = {}
    reuse: Reuse | None = None
    contamination: str = "not checked"
    tokens_per_s: float | None
    wall_s: float


class DemoSummary(Record):
    """Result of `demo`.

    Args:
        primary_metric: which the differences compare, sampled and (with `greedy_` before it) greedy.
        labels: `passes`, what passing means; `unseen`, what those prompts are; `story`, what a reader must know of the
            corpus; and metric -> what it says, for those beside the primary one.
        sft: metric -> figure of the model after supervised fine-tuning, from which the others start.
        raft: after RAFT.
        control: the SFT model trained further on the SFT corpus for as many optimiser steps as RAFT took.
        unfiltered: the same cycles with the rewards ignored.
        unseen: arm -> figures on the test prompts whose combinations occur neither in the SFT corpus nor in RAFT's
            prompts.
        differences: `greedy_pass@1: raft - sft`, … paired over prompts.
        seconds: job -> seconds on the clock; jobs overlap.
        commands: job -> the command that ran.
    """

    kind: Literal["demo"] = "demo"
    run_id: str
    domain: str = "code"
    seed: int
    primary_metric: str = "pass@1"
    higher_is_better: bool = True
    labels: dict[str, str] = CODE_LABELS
    quick: bool
    test_prompts: int
    control_steps: int
    sft: Figures
    raft: Figures
    control: Figures
    unfiltered: Figures
    unseen: dict[str, Figures]
    differences: Figures
    seconds: dict[str, float]
    commands: dict[str, str]
    wall_s: float

    def arm(self, name: str) -> Figures:
        """Figures of one arm by its name."""
        return {"sft": self.sft, "raft": self.raft, "control": self.control, "unfiltered": self.unfiltered}[name]


class DemosSummary(Record):
    """Result of `demo --domain all`.

    Args:
        demos: domain -> what its demo found; the demo itself lies in the folder of that name.
    """

    kind: Literal["demos"] = "demos"
    run_id: str
    seed: int
    quick: bool
    demos: dict[str, DemoSummary]
    wall_s: float
