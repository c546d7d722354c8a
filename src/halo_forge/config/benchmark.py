"""Settings of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from halo_forge.config.generator import GeneratorOptions
from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import (
    DATA,
    MODEL,
    RUN,
    SAMPLING,
    LoadingOptions,
    SamplingOptions,
    TrackingOptions,
    VerifierOptions,
)

PositiveInt = Annotated[int, Field(ge=1)]


class MeasuringOptions(CommandConfig):
    """What is measured, and how often."""

    prompts: Path = option(..., "JSONL file of prompts with their tests.", section=DATA)
    max_prompts: int | None = option(None, "Use at most this many prompts, drawn by the seed.", section=DATA, ge=1)
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
