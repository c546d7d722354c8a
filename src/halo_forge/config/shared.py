"""Groups of settings that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from halo_forge.config.options import CommandConfig, option

MODEL, DATA, SAMPLING, VERIFICATION = "Model", "Data", "Sampling", "Verification"
SELECTION, TRAINING, LORA, RUN = "Selection", "Training", "LoRA", "Run"
SECTIONS = (MODEL, DATA, SAMPLING, VERIFICATION, SELECTION, TRAINING, LORA, RUN)

Tuning = Literal["lora", "full", "qlora"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class LoadingOptions(CommandConfig):
    """How a model is put into memory."""

    dtype: Dtype = option(
        "auto", "Type of the weights in memory; auto takes bfloat16 where the hardware computes it well.", section=MODEL
    )
    device: str = option("auto", "Where the model runs: auto, cpu, cuda, cuda:1 or mps.", section=MODEL)
    chat_template: str | None = option(
        None, "Jinja file, or the word chatml, for a model that brings no chat template.", section=MODEL
    )
    threads: int | None = option(
        None, "CPU threads for the model; by default one for tiny models, else one a core.", section=MODEL, ge=1
    )


class SamplingOptions(CommandConfig):
    """How completions are drawn."""

    temperature: float = option(0.7, "Sampling temperature; 0 decodes greedily.", section=SAMPLING, ge=0, le=10)
    top_p: float = option(1.0, "Nucleus mass, 0 to 1; 1 switches it off.", section=SAMPLING, gt=0, le=1)
    top_k: int = option(0, "Candidates a token; 0 switches it off.", section=SAMPLING, ge=0)
    max_new_tokens: int = option(1024, "Tokens a completion at most.", section=SAMPLING, ge=1)
    generation_batch: int = option(
        64, "Completions drawn at the same time; with the seed it fixes what is drawn.", section=SAMPLING, ge=1
    )
    system_prompt: str | None = option(None, "System turn put before every prompt that has none.", section=SAMPLING)


class VerifierOptions(CommandConfig):
    """How completions are judged."""

    verifier: str = option(
        "gcc",
        "auto, chain, clang, custom, gcc, go, humaneval, mbpp, mingw, msvc, python, rust, or a plugin's name.",
        section=VERIFICATION,
    )
    verifier_options: dict[str, JsonValue] = option(
        {}, "A setting of the verifier's own, as key=value; may be repeated.", section=VERIFICATION
    )
    sandbox: Literal["auto", "bubblewrap", "landlock", "limits"] = option(
        "auto",
        "Isolation for untrusted programs; auto takes the best that works, 'limits' is weak and must be named.",
        section=VERIFICATION,
    )
    workers: int | None = option(
        None, "Programs checked at the same time; by default one a core.", section=VERIFICATION, ge=1, resumable=True
    )
    max_fault_rate: float = option(
        0.05,
        "Share of completions that may stay unverifiable before the run stops, 0 to 1.",
        section=VERIFICATION,
        ge=0,
        le=1,
        resumable=True,
    )
    cache: bool = option(
        True,
        "Take verdicts on equal programs from earlier runs, and keep those of this one.",
        section=VERIFICATION,
        resumable=True,
    )
    stall_timeout_s: float = option(
        600.0,
        "Seconds after which a verifier that gives no verdict on a program is killed; above its own limits.",
        section=VERIFICATION,
        gt=0,
        resumable=True,
    )


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


class RunOptions(CommandConfig):
    """Where a run lives and how it is repeated."""

    output: Path = option(
        ..., "Run folder; the same command in the same folder continues an interrupted run.", section=RUN
    )
    seed: int = option(0, "Everything random follows from it.", section=RUN, ge=0)
