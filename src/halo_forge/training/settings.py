"""How a round of training runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from halo_forge.config.objective import Objective
from halo_forge.config.tuning import TuningOptions
from halo_forge.training.schedule import Schedule


class LossSettings(NamedTuple):
    """What is minimised; see `config.objective.ObjectiveOptions`."""

    objective: Objective = "raft"
    clip_range: float = 0.2
    kl_coefficient: float = 0.0


LIKELIHOOD = LossSettings()


@dataclass(frozen=True)
class TrainSettings:
    """What fixes a round of training, beside its rows and its seed; units as in `config.tuning.TuningOptions`."""

    learning_rate: float
    batch_size: int
    epochs: float
    max_steps: int | None = None
    micro_batch: int | None = None
    schedule: Schedule = "cosine"
    warmup_ratio: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    gradient_checkpointing: bool = False
    packing: bool = False
    save_steps: int = 200
    loss: LossSettings = LIKELIHOOD

    @classmethod
    def from_options(
        cls,
        options: TuningOptions,
        *,
        learning_rate: float,
        batch_size: int,
        epochs: float,
        max_steps: int | None = None,
        schedule: Schedule,
        loss: LossSettings = LIKELIHOOD,
    ) -> TrainSettings:
        """Take what the options fix and what the loop decides."""
        return cls(
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            max_steps=max_steps,
            micro_batch=options.micro_batch,
            schedule=schedule,
            warmup_ratio=options.warmup_ratio,
            weight_decay=options.weight_decay,
            max_grad_norm=options.max_grad_norm,
            gradient_checkpointing=options.gradient_checkpointing,
            packing=options.packing,
            save_steps=options.save_steps,
            loss=loss,
        )
