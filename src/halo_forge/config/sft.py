"""Settings of supervised fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from halo_forge.config.options import option
from halo_forge.config.shared import (
    DATA,
    MODEL,
    TRAINING,
    LoadingOptions,
    ProcessOptions,
    RunOptions,
    TrackingOptions,
    file_named,
)
from halo_forge.config.tuning import TuningOptions


class SftTrainConfig(TrackingOptions, RunOptions, LoadingOptions, ProcessOptions, TuningOptions):
    """Supervised fine-tuning on conversations; the loss covers the assistant's tokens only."""

    model: str = option(..., "Hub id, model folder, adapter folder or run folder to start from.", section=MODEL)
    dataset: str | None = option(None, "A dataset of the catalogue, such as codealpaca, or a JSONL file.", section=DATA)
    data: Path | None = option(None, "JSONL file with rows of text, messages, or prompt and completion.", section=DATA)
    max_samples: int | None = option(
        None, "Use at most this many rows, drawn by the seed.", section=DATA, aliases=("limit",), ge=1
    )
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

    @property
    def data_file(self) -> Path | None:
        """The file of the rows, if they come from one."""
        return self.data if self.data is not None else file_named(self.dataset)
