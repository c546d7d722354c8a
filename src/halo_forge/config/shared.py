"""Groups of settings that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import JsonValue, model_validator

from halo_forge.config.options import CommandConfig, option

MODEL, DATA, SAMPLING, VERIFICATION = "Model", "Data", "Sampling", "Verification"
SELECTION, SCHEDULE, TRAINING, LORA, GUARDS, RUN = "Selection", "Schedule", "Training", "LoRA", "Guards", "Run"
SECTIONS = (MODEL, DATA, SAMPLING, VERIFICATION, SELECTION, SCHEDULE, TRAINING, LORA, GUARDS, RUN)

Tracker = Literal["tensorboard", "trackio", "wandb", "mlflow"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class LoadingOptions(CommandConfig):
    """How a model is put into memory."""

    dtype: Dtype = option(
        "auto", "Type of the weights in memory; auto takes bfloat16 where the hardware computes it well.", section=MODEL
    )
    device: str = option("auto", "Where the model runs: auto, cpu, cuda, cuda:1 or mps.", section=MODEL)
    max_pixels: int | None = option(
        None,
        "Pixels of an image at most, for a model that sees; a larger one is scaled down. By default the model's own.",
        section=MODEL,
        ge=784,
    )
    chat_template: str | None = option(
        None, "Jinja file, or the word chatml, for a model that brings no chat template.", section=MODEL
    )
    threads: int | None = option(
        None, "CPU threads for the model; by default one for tiny models, else one a core.", section=MODEL, ge=1
    )


class DrawingOptions(CommandConfig):
    """What distribution completions are drawn from."""

    temperature: float = option(0.7, "Sampling temperature; 0 decodes greedily.", section=SAMPLING, ge=0, le=10)
    top_p: float = option(1.0, "Nucleus mass, 0 to 1; 1 switches it off.", section=SAMPLING, gt=0, le=1)
    top_k: int = option(0, "Candidates a token; 0 switches it off.", section=SAMPLING, ge=0)
    max_new_tokens: int = option(1024, "Tokens a completion at most.", section=SAMPLING, ge=1)


class BatchOptions(CommandConfig):
    """How prompts are put."""

    generation_batch: int = option(
        64, "Completions drawn at the same time; with the seed it fixes what is drawn.", section=SAMPLING, ge=1
    )
    system_prompt: str | None = option(None, "System turn put before every prompt that has none.", section=SAMPLING)


class SamplingOptions(BatchOptions, DrawingOptions):
    """How completions are drawn."""


class PromptOptions(CommandConfig):
    """Which prompts are answered."""

    prompts: Path | None = option(None, "JSONL file of prompts with their tests.", section=DATA)
    dataset: str | None = option(
        None, "Instead: a dataset of the catalogue, such as gsm8k, or a JSONL file of prompts.", section=DATA
    )
    max_prompts: int | None = option(
        None,
        "Use at most this many prompts, drawn by the seed.",
        section=DATA,
        aliases=("max_samples", "limit"),
        ge=1,
    )

    @model_validator(mode="after")
    def _one_source_of_prompts(self) -> Self:
        if (self.prompts is None) == (self.dataset is None):
            raise ValueError("give either --prompts FILE.jsonl or --dataset NAME")
        return self

    @property
    def prompts_file(self) -> Path | None:
        """The file of the prompts, if they come from one."""
        return self.prompts if self.prompts is not None else file_named(self.dataset)

    @property
    def prompts_name(self) -> str:
        """A short name of the prompts, for folders."""
        return self.prompts_file.stem if self.prompts_file is not None else str(self.dataset)


def file_named(name: str | None) -> Path | None:
    """Return the file that stands where a dataset's name may: one that exists, or that is written as a path."""
    if name is None or not (Path(name).is_file() or Path(name).suffix or "/" in name):
        return None
    return Path(name)


class VerifierChoice(CommandConfig):
    """What judges completions."""

    verifier: str = option(
        "gcc",
        "auto, chain, clang, custom, gcc, go, humaneval, math, mbpp, mingw, msvc, python, rust, speech, tools, vqa, "
        "or a plugin's name.",
        section=VERIFICATION,
    )
    verifier_options: dict[str, JsonValue] = option(
        {}, "A setting of the verifier's own, as key=value; may be repeated.", section=VERIFICATION
    )


class JudgingOptions(CommandConfig):
    """How whatever judges is run."""

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
        "Share of completions that may stay unverifiable before the run stops, or a verified file is an error, 0 to 1.",
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
    executor: Literal["local", "ray"] = option(
        "local",
        "Where programs are judged, and a model in memory draws: on this machine, or on every node of a Ray cluster.",
        section=VERIFICATION,
        resumable=True,
    )
    ray_address: str = option(
        "auto",
        "The Ray cluster: auto for the one that this machine is in, HOST:PORT, or local for one of this machine alone.",
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


class VerifierOptions(JudgingOptions, VerifierChoice):
    """How completions are judged."""


class TrackingOptions(CommandConfig):
    """Where a run's events are told besides its folder."""

    report_to: tuple[Tracker, ...] = option(
        (),
        "Trackers that follow the run, comma-separated: tensorboard, trackio, wandb, mlflow.",
        section=RUN,
        resumable=True,
    )
    tracking_project: str = option(
        "halo-forge", "Project (in MLflow: experiment) of the trackers.", section=RUN, resumable=True
    )


class ProcessOptions(CommandConfig):
    """How many processes train."""

    launcher: Literal["none", "accelerate"] = option(
        "none",
        "What starts several processes that train together; none is one process, or those of accelerate launch.",
        section=TRAINING,
        resumable=True,
    )
    num_processes: int = option(
        2, "Processes that --launcher accelerate starts on this machine.", section=TRAINING, ge=2, resumable=True
    )
    sharding: Literal["none", "fsdp", "zero1", "zero2", "zero3"] = option(
        "none",
        "What of the model each process holds: none is the whole of it, fsdp a part (weights, gradients, optimiser); "
        "zero1, zero2, zero3 are DeepSpeed's stages: of the optimiser a part, of gradients too, of weights too.",
        section=TRAINING,
        resumable=True,
    )


class RunOptions(CommandConfig):
    """Where a run lives and how it is repeated."""

    output: Path = option(
        ..., "Run folder; the same command in the same folder continues an interrupted run.", section=RUN
    )
    seed: int = option(0, "Everything random follows from it.", section=RUN, ge=0)
