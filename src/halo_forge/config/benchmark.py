"""Settings of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from halo_forge.config.generator import GeneratorOptions
from halo_forge.config.options import option
from halo_forge.config.shared import (
    DATA,
    MODEL,
    RUN,
    SAMPLING,
    BatchOptions,
    JudgingOptions,
    LoadingOptions,
    PromptOptions,
    SamplingOptions,
    TrackingOptions,
    VerifierOptions,
)

PositiveInt = Annotated[int, Field(ge=1)]


class MeasuringOptions(PromptOptions):
    """What is measured, and how often."""

    samples: int = option(10, "Completions a prompt.", section=SAMPLING, ge=1)
    k: tuple[PositiveInt, ...] = option(
        (1, 5, 10), "The k of pass@k, comma-separated; none above --samples.", section=SAMPLING
    )
    greedy: bool = option(False, "Also decode every prompt once greedily and report it beside.", section=SAMPLING)
    seed: int = option(0, "Everything random follows from it.", section=RUN, ge=0)

    @model_validator(mode="after")
    def _k_fits(self) -> MeasuringOptions:
        if not self.k:
            raise ValueError("--k needs at least one number")
        if max(self.k) > self.samples:
            raise ValueError(
                f"--k {max(self.k)} needs at least that many --samples, which is {self.samples}: "
                "pass@k is only defined for k up to the number of samples"
            )
        return self


class BenchmarkRunConfig(
    TrackingOptions, LoadingOptions, SamplingOptions, GeneratorOptions, VerifierOptions, MeasuringOptions
):
    """pass@k of a model on prompts with tests, each figure with a 95% interval."""

    model: str = option(..., "Hub id, model folder, adapter folder or run folder.", section=MODEL)
    base: str | None = option(None, "Base model of an adapter; must be the adapter's own.", section=MODEL)
    output: Path | None = option(
        None, "Run folder; by default one below results/ named after model and prompts.", section=RUN
    )


class BenchmarkFullConfig(
    TrackingOptions, LoadingOptions, SamplingOptions, GeneratorOptions, VerifierOptions, MeasuringOptions
):
    """The start model of a RAFT run, each cycle and the final model on the same prompts, in one table."""

    run: Path = option(..., "Folder of a finished RAFT run.", section=MODEL)
    cycles: tuple[PositiveInt, ...] = option(
        (), "Measure only these cycles beside the start and the final model, comma-separated.", section=MODEL
    )
    output: Path | None = option(
        None, "Run folder; by default one below results/ named after the RAFT run and the prompts.", section=RUN
    )


class BenchmarkEvalConfig(TrackingOptions, LoadingOptions, BatchOptions, GeneratorOptions, JudgingOptions):
    """A benchmark by its name: its prompts from the catalogue, its verifier, its protocol."""

    model: str = option(..., "Hub id, model folder, adapter folder or run folder.", section=MODEL)
    base: str | None = option(None, "Base model of an adapter; must be the adapter's own.", section=MODEL)
    benchmark: str = option(..., "Name of the benchmark; --list shows them.", section=DATA)
    data: Path | None = option(None, "JSONL file with the benchmark's rows, instead of fetching them.", section=DATA)
    max_prompts: int | None = option(None, "Use at most this many prompts, drawn by the seed.", section=DATA, ge=1)
    samples: int | None = option(None, "Completions a prompt; by default the benchmark's own.", section=SAMPLING, ge=1)
    temperature: float | None = option(
        None, "Sampling temperature; by default the benchmark's own.", section=SAMPLING, ge=0, le=10
    )
    max_new_tokens: int | None = option(
        None, "Tokens a completion at most; by default the benchmark's own.", section=SAMPLING, ge=1
    )
    k: tuple[PositiveInt, ...] | None = option(
        None, "The k of pass@k; by default those of 1, 5, 10 and 100 that --samples allows.", section=SAMPLING
    )
    output: Path | None = option(
        None, "Run folder; by default one below results/ named after model and benchmark.", section=RUN
    )
    seed: int = option(0, "Everything random follows from it.", section=RUN, ge=0)

    @model_validator(mode="after")
    def _samples_differ(self) -> BenchmarkEvalConfig:
        if (self.samples or 1) > 1 and not self.temperature:
            raise ValueError(
                f"--samples {self.samples} needs a --temperature above 0, such as 0.2 for pass@1 or 0.8 for larger k: "
                "without one all completions of a prompt are the same"
            )
        return self
