"""Settings of predicting what a run takes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import DATA, MODEL, RUN, SAMPLING, TRAINING


class PlanConfig(CommandConfig):
    """Predict time, memory and disk of a RAFT run by phase, from rates that were measured, and what bounds it.

    The rates are those of a short run of the settings in question (--measure), of a RAFT run folder (--measured), or
    of a file (--rates) for a machine that you describe; without any of these, of the newest RAFT run below this folder.
    What is left out below is as in the run that was measured. Many nodes are simulated event by event, to see where
    more of them stop helping.
    """

    measure: Path | None = option(
        None,
        "YAML of settings for raft train, such as the config.yaml of a run: its first three cycles are run now, on "
        "three chunks of its prompts, in a temporary folder.",
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
    model: str | None = option(
        None,
        "Size such as 7B or 350M, folder or Hub id of the model, if it is not that of the run that was measured: "
        "drawing, training and checkpoints are taken in proportion to the size.",
        section=MODEL,
    )
    tuning: Literal["lora", "qlora", "full"] | None = option(
        None, "What is trained, for the memory; lora where nothing else is known.", section=MODEL
    )
    nodes: int = option(256, "Simulate 1, 2, 4, … nodes up to this many; 1 simulates none.", section=RUN, ge=1, le=4096)
    network_gbit: float = option(
        1.0, "Gigabits a second from the command's machine to all nodes together.", section=RUN, gt=0
    )
    seed: int = option(0, "Of the simulation's spread of drawing times.", section=RUN, ge=0)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.measure, self.measured, self.rates)) > 1:
            raise ValueError("give one of --measure RAFT.yaml, --measured RUN_FOLDER and --rates FILE, or none")
        return self
