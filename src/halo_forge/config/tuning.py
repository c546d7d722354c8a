"""Settings of training, which SFT and RAFT share."""

from __future__ import annotations

from typing import Literal

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import LORA, TRAINING

Tuning = Literal["lora", "full", "qlora"]


class TuningOptions(CommandConfig):
    """What is trained, and how."""

    tuning: Tuning = option("lora", "Train an adapter (lora, qlora) or every weight (full).", section=TRAINING)
    learning_rate: float | None = option(
        None,
        "Peak learning rate; by default 2e-4 for adapters and 1e-5 for full training.",
        section=TRAINING,
        aliases=("lr",),
        gt=0,
    )
    batch_size: int = option(16, "Rows an optimiser step.", section=TRAINING, ge=1)
    micro_batch: int | None = option(
        None, "Rows in memory at once; by default the whole batch. Smaller needs less memory.", section=TRAINING, ge=1
    )
    max_length: int = option(
        2048, "Tokens a training row at most; longer rows are dropped and counted.", section=TRAINING, ge=8
    )
    warmup_ratio: float = option(0.05, "Share of the steps with rising learning rate.", section=TRAINING, ge=0, le=1)
    weight_decay: float = option(0.0, "AdamW's weight decay.", section=TRAINING, ge=0)
    max_grad_norm: float = option(1.0, "Gradients are scaled down to this norm.", section=TRAINING, gt=0)
    packing: bool = option(
        False,
        "Lay the rows in memory end to end instead of padding them; each still attends to itself alone.",
        section=TRAINING,
    )
    use_liger: bool = option(
        False, "Take the fused kernels of liger-kernel, which is an extra, on a CUDA device.", section=TRAINING
    )
    gradient_checkpointing: bool = option(False, "Less memory for activations, more time.", section=TRAINING)
    save_steps: int = option(
        200, "Optimiser steps between saved training states.", section=TRAINING, ge=1, resumable=True
    )
    lora_rank: int = option(16, "Rank of the adapter.", section=LORA, ge=1)
    lora_alpha: int = option(32, "Scale of the adapter is alpha / rank.", section=LORA, ge=1)
    lora_dropout: float = option(0.0, "Dropout on the adapter's input.", section=LORA, ge=0, lt=1)
    lora_targets: tuple[str, ...] = option(
        ("all-linear",),
        "Modules that get an adapter, comma-separated; all-linear takes every linear layer.",
        section=LORA,
    )

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate in force, per optimiser step."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 1e-5 if self.tuning == "full" else 2e-4
