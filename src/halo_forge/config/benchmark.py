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
    LoadingOptions,
    SamplingOptions,
    TrackingOptions,
    VerifierOptions,
)

PositiveInt = Annotated[int, Field(ge=1)]


class BenchmarkRunConfig(TrackingOptions, LoadingOptions, SamplingOptions, GeneratorOptions, VerifierOptions):
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
