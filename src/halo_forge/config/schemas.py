"""The schema of each command that makes a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import (
    DATA,
    MODEL,
    RUN,
    SAMPLING,
    SELECTION,
    TRAINING,
    LoadingOptions,
    RunOptions,
    SamplingOptions,
    TuningOptions,
    VerifierOptions,
)


class SftTrainConfig(RunOptions, LoadingOptions, TuningOptions):
    """Supervised fine-tuning on conversations; the loss covers the assistant's tokens only."""

    model: str = option(..., "Hub id, model folder, adapter folder or run folder to start from.", section=MODEL)
    dataset: str | None = option(None, "A dataset of the catalogue, such as codealpaca.", section=DATA)
    data: Path | None = option(None, "JSONL file with rows of text, messages, or prompt and completion.", section=DATA)
    max_samples: int | None = option(None, "Use at most this many rows, drawn by the seed.", section=DATA, ge=1)
    epochs: float = option(3.0, "Passes over the data; fractions are allowed.", section=TRAINING, gt=0)
    max_steps: int | None = option(None, "Optimiser steps; overrides epochs.", section=TRAINING, ge=1)
    schedule: Literal["cosine", "linear", "constant"] = option(
        "cosine", "Course of the learning rate after warm-up.", section=TRAINING
    )

    @model_validator(mode="after")
    def _one_source(self) -> SftTrainConfig:
        if (self.dataset is None) == (self.data is None):
            raise ValueError("give either --dataset NAME or --data FILE.jsonl")
        return self


class RaftTrainConfig(RunOptions, LoadingOptions, SamplingOptions, VerifierOptions, TuningOptions):
    """RAFT cycles: draw completions, verify them, keep the right ones, train on them, again."""

    checkpoint: str | None = option(
        None, "Checkpoint to start from; with --model beside it, that must be its base.", section=MODEL
    )
    model: str | None = option(None, "Hub id, model folder, adapter folder or run folder to start from.", section=MODEL)
    prompts: Path = option(..., "JSONL file of prompts with their tests.", section=DATA)
    max_prompts: int | None = option(None, "Use at most this many prompts, drawn by the seed.", section=DATA, ge=1)
    holdout_fraction: float = option(
        0.1,
        "Share of the prompts never trained on, by which the best cycle is chosen, 0 to 0.5.",
        section=DATA,
        ge=0,
        le=0.5,
    )
    samples_per_prompt: int = option(8, "Completions a prompt and cycle.", section=SAMPLING, ge=1)
    reward_threshold: float = option(
        0.5, "Least reward of a completion that is trained on, 0 to 1.", section=SELECTION, ge=0, le=1
    )
    keep_fraction: float = option(
        0.5,
        "Share of the completions above the threshold that is kept, best first and spread over the prompts, 0 to 1.",
        section=SELECTION,
        aliases=("keep_percent",),
        gt=0,
        le=1,
    )
    min_samples: int | None = option(
        None,
        "If fewer are kept, lower the threshold step by step, though never to samples without any reward.",
        section=SELECTION,
        ge=1,
    )
    max_kept_per_prompt: int = option(
        4, "Distinct completions kept a prompt and cycle at most.", section=SELECTION, ge=1
    )
    select: Literal["reward", "random"] = option(
        "reward", "random ignores the rewards, for use as a control.", section=SELECTION
    )
    accumulate: bool = option(False, "Train each cycle on what all cycles so far have kept.", section=SELECTION)
    cycles: int = option(5, "How often to generate, verify, select and train.", section=TRAINING, ge=1, resumable=True)
    epochs: float = option(1.0, "Passes over the kept completions a cycle.", section=TRAINING, gt=0)
    lr_decay: float = option(
        1.0, "Factor on the learning rate from one cycle to the next.", section=TRAINING, gt=0, le=1
    )

    @model_validator(mode="after")
    def _has_start(self) -> RaftTrainConfig:
        if self.checkpoint is None and self.model is None:
            raise ValueError("give --checkpoint or --model to start from")
        return self

    @property
    def start(self) -> str:
        """The model that the first cycle samples from."""
        start = self.checkpoint or self.model
        assert start is not None
        return start

    @property
    def stated_base(self) -> str | None:
        """A base model named beside the checkpoint, which must then be the checkpoint's own."""
        return self.model if self.checkpoint is not None else None


PositiveInt = Annotated[int, Field(ge=1)]


class BenchmarkRunConfig(LoadingOptions, SamplingOptions, VerifierOptions):
    """pass@k of a model on prompts with tests, each figure with a 95% interval."""

    model: str = option(..., "Hub id, model folder, adapter folder or run folder.", section=MODEL)
    base: str | None = option(None, "Base model of an adapter; must be the adapter's own.", section=MODEL)
    prompts: Path = option(..., "JSONL file of prompts with their tests.", section=DATA)
    max_prompts: int | None = option(None, "Use at most this many prompts, drawn by the seed.", section=DATA, ge=1)
    samples: int = option(10, "Completions a prompt.", section=SAMPLING, ge=1)
    k: tuple[PositiveInt, ...] = option(
        (1, 5, 10), "The k of pass@k, comma-separated; none above --samples.", section=SAMPLING
    )
    greedy: bool = option(False, "Also decode every prompt once greedily and report it beside.", section=SAMPLING)
    output: Path | None = option(
        None, "Run folder; by default one below results/ named after model and prompts.", section=RUN
    )
    seed: int = option(0, "Everything random follows from it.", section=RUN, ge=0)

    @model_validator(mode="after")
    def _k_fits(self) -> BenchmarkRunConfig:
        if not self.k:
            raise ValueError("--k needs at least one number")
        if max(self.k) > self.samples:
            raise ValueError(
                f"--k {max(self.k)} needs at least that many --samples, which is {self.samples}: "
                "pass@k is only defined for k up to the number of samples"
            )
        return self


class VerifyConfig(VerifierOptions):
    """Judge completions that are there already: a JSONL file of rows with --output, or one program without it.

    IN is a file, or - for standard input. A row has its tests and a completion; its verdict becomes one line of the
    output, and the same command continues after an interruption. For one program the verdict is printed, and the exit
    code is 0 if it passed, 1 if it did not, and 3 if it could not be verified.
    """

    output: Path | None = option(None, "JSONL file for one verdict a row, in the order of the rows.", section=RUN)
    tests: Path | None = option(
        None,
        "For one program: a file of asserts, or of JSON (a list of tests, or the columns of a row).",
        section=DATA,
    )
    entry_point: str | None = option(
        None, "For one program: the function that the tests call, or that it must define.", section=DATA
    )

    @model_validator(mode="after")
    def _one_kind(self) -> VerifyConfig:
        if self.output is not None and (self.tests is not None or self.entry_point is not None):
            raise ValueError("--tests and --entry-point are for one program; with --output each row brings its own")
        return self


class DemoConfig(RunOptions):
    """A tiny model from random weights, made better by a real compiler and real tests, with honest controls."""

    output: Path = option(Path("runs/demo"), "Folder of the demo's runs, report and summary.", section=RUN)
    quick: bool = option(
        False, "A few steps of everything, to see that it works; its figures mean nothing.", section=RUN
    )


SCHEMAS: dict[str, type[CommandConfig]] = {
    "sft train": SftTrainConfig,
    "raft train": RaftTrainConfig,
    "benchmark run": BenchmarkRunConfig,
    "verify": VerifyConfig,
    "demo": DemoConfig,
}
