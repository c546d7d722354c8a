"""Settings of predicting what a run takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import field_validator, model_validator

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import DATA, MODEL, RUN, SAMPLING, TRAINING

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([MB]?)", re.IGNORECASE)
UNITS = {"": 1.0, "m": 1e6, "b": 1e9}


class PlanConfig(CommandConfig):
    """Predict time, memory and disk of a RAFT run by phase, from rates that were measured, and what bounds it.

    The rates are those of a short run of the settings in question (--measure), of a RAFT run folder (--measured), or
    of a file (--rates) for a machine that you describe. What is left out below is as in the run that was measured.
    Many nodes are simulated event by event, to see where more of them stop helping.
    """

    measure: Path | None = option(
        None,
        "YAML of settings for raft train, such as the config.yaml of a run: its first three cycles are run now, on two "
        "chunks of its prompts, in a temporary folder.",
        section=RUN,
    )
    measured: Path | None = option(
        None,
        "Instead: folder of a RAFT run on such a machine; the cycles it has finished give the rates.",
        section=RUN,
    )
    rates: Path | None = option(
        None, "Instead: YAML or JSON of rates, such as what --json printed for another run.", section=RUN
    )
    prompts: int | None = option(None, "Prompts of the run, those held out among them.", section=DATA, ge=1)
    holdout_fraction: float | None = option(
        None, "Share of the prompts held out, 0 to 0.5; 0.1 where nothing else is known.", section=DATA, ge=0, le=0.5
    )
    samples_per_prompt: int | None = option(
        None, "Completions a prompt and cycle; 8 where nothing else is known.", section=SAMPLING, ge=1
    )
    generation_batch: int | None = option(
        None, "Completions drawn at the same time; 64 where nothing else is known.", section=SAMPLING, ge=1
    )
    cycles: int | None = option(None, "Cycles of the run; 5 where nothing else is known.", section=TRAINING, ge=1)
    epochs: float | None = option(
        None, "Passes over the kept completions a cycle; 1 where nothing else is known.", section=TRAINING, gt=0
    )
    parameters: str | None = option(
        None,
        "Parameters of the model, such as 7B or 350M, if not those of the run that was measured: drawing, training "
        "and checkpoints are taken in proportion.",
        section=MODEL,
    )
    tuning: Literal["lora", "qlora", "full"] = option("lora", "What is trained, for the memory.", section=MODEL)
    nodes: int = option(256, "Simulate 1, 2, 4, … nodes up to this many; 1 simulates none.", section=RUN, ge=1, le=4096)
    network_gbit: float = option(
        1.0, "Gigabits a second from the command's machine to all nodes together.", section=RUN, gt=0
    )
    seed: int = option(0, "Of the simulation's spread of drawing times.", section=RUN, ge=0)

    @field_validator("parameters")
    @classmethod
    def _a_size(cls, text: str | None) -> str | None:
        if text is not None:
            parameter_count(text)
        return text

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.measure, self.measured, self.rates)) != 1:
            raise ValueError("give one of --measure RAFT.yaml, --measured RUN_FOLDER and --rates FILE")
        return self


def parameter_count(text: str) -> float:
    """Return what a size such as 7B means.

    Raises:
        ValueError: it means nothing.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"'{text}' is no size of a model; give one such as 7B, 350M or 1500000")
    return float(match[1]) * UNITS[match[2].lower()]
