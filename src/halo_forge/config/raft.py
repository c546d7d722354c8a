"""Settings of the RAFT loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import model_validator

from halo_forge.config.generator import GeneratorOptions
from halo_forge.config.objective import LEARNS_FROM_WRONG, ObjectiveOptions
from halo_forge.config.options import option
from halo_forge.config.schedule import ScheduleOptions
from halo_forge.config.shared import (
    DATA,
    GUARDS,
    MODEL,
    SAMPLING,
    SELECTION,
    TRAINING,
    LoadingOptions,
    ProcessOptions,
    PromptOptions,
    RunOptions,
    SamplingOptions,
    TrackingOptions,
    VerifierOptions,
)
from halo_forge.config.tuning import TuningOptions


class RaftTrainConfig(
    TrackingOptions,
    RunOptions,
    LoadingOptions,
    SamplingOptions,
    GeneratorOptions,
    VerifierOptions,
    ScheduleOptions,
    ProcessOptions,
    TuningOptions,
    ObjectiveOptions,
    PromptOptions,
):
    """RAFT cycles: draw completions, verify them, keep the right ones, train on them, again."""

    checkpoint: str | None = option(
        None, "Checkpoint to start from; with --model beside it, that must be its base.", section=MODEL
    )
    model: str | None = option(None, "Hub id, model folder, adapter folder or run folder to start from.", section=MODEL)
    holdout_fraction: float = option(
        0.1,
        "Share of the prompts never trained on, by which the best cycle is chosen, 0 to 0.5.",
        section=DATA,
        ge=0,
        le=0.5,
    )
    samples_per_prompt: int = option(8, "Completions a prompt and cycle.", section=SAMPLING, ge=1)
    reward_threshold: float = option(
        0.5,
        "Least reward of a completion that is trained on, 0 to 1; at 0, any reward above nothing.",
        section=SELECTION,
        ge=0,
        le=1,
    )
    keep_fraction: float = option(
        0.5,
        "Share of the completions above the threshold that is kept, best first and spread over the prompts, 0 to 1.",
        section=SELECTION,
        aliases=("keep_percent",),
        gt=0,
        le=1,
    )
    min_samples: int | None = option(
        None,
        "If fewer are kept, lower the threshold step by step, though never to samples without any reward.",
        section=SELECTION,
        ge=1,
    )
    max_kept_per_prompt: int = option(
        4, "Distinct completions kept a prompt and cycle at most.", section=SELECTION, ge=1
    )
    max_kept_if_solved: int = option(
        2,
        "Completions kept at most of a prompt of which every verified completion passed; it has little left to teach.",
        section=SELECTION,
        ge=1,
    )
    keep_duplicates: bool = option(
        False, "Keep equal programs of a prompt as often as they were drawn.", section=SELECTION
    )
    select: Literal["reward", "top", "random"] = option(
        "reward",
        "For comparisons: top takes the best of all prompts together, no cap and duplicates kept; random ignores "
        "the rewards.",
        section=SELECTION,
    )
    accumulate: bool = option(False, "Train each cycle on what all cycles so far have kept.", section=SELECTION)
    cycles: int = option(5, "How often to generate, verify, select and train.", section=TRAINING, ge=1, resumable=True)
    epochs: float = option(1.0, "Passes over the kept completions a cycle.", section=TRAINING, gt=0)

    patience: int = option(
        2,
        "Stop after this many cycles in a row without a proven gain on the held-out prompts; 0 runs all cycles.",
        section=GUARDS,
        ge=0,
        resumable=True,
    )

    @model_validator(mode="after")
    def _has_start(self) -> RaftTrainConfig:
        if self.checkpoint is None and self.model is None:
            raise ValueError("give --checkpoint or --model to start from")
        return self

    @model_validator(mode="after")
    def _objective_fits(self) -> RaftTrainConfig:
        if not self.uses_ratios:
            return self
        name = self.objective
        for temperature, top_p, top_k in self.samplings():
            if temperature == 0 or top_p != 1 or top_k != 0:
                raise ValueError(
                    f"--objective {name} compares the probabilities a completion had when it was drawn with those it "
                    f"has now, which needs --temperature above 0, --top-p 1 and --top-k 0, not {temperature}, "
                    f"{top_p} and {top_k}; or take --objective raft"
                )
        if self.start_from == "base":
            raise ValueError(
                f"--objective {name} compares the policy with the one that drew, and with --start-from base those are "
                "far apart from the first step on: take --start-from previous, or --objective raft"
            )
        if self.accumulate or self.select == "random":
            barred = "--accumulate" if self.accumulate else "--select random"
            raise ValueError(
                f"--objective {name} learns from the rewards of the policy's own latest completions, so {barred} does "
                "not go with it; leave it out, or take --objective raft"
            )
        return self

    @model_validator(mode="after")
    def _servers_take_adapters(self) -> RaftTrainConfig:
        if self.generator == "server" and self.tuning == "full":
            raise ValueError(
                "--generator server cannot follow --tuning full, as servers load adapters while they run and no whole "
                "models: use --tuning lora, or --generator transformers, or one run a cycle (--cycles 1) with the "
                "server started anew on each final_model"
            )
        return self

    @property
    def keeps_copies(self) -> bool:
        """Whether equal completions are trained on as often as they were drawn."""
        return self.learns_from_wrong or self.keep_duplicates or self.select == "top"

    @model_validator(mode="after")
    def _ends_fit(self) -> RaftTrainConfig:
        end = self.reward_threshold_end
        if end is not None and end < self.reward_threshold:
            raise ValueError(
                f"--reward-threshold-end {end} is below --reward-threshold {self.reward_threshold}: the threshold rises"
            )
        if self.min_learning_rate > self.peak_learning_rate:
            raise ValueError(
                f"--min-learning-rate {self.min_learning_rate} is above the learning rate, {self.peak_learning_rate}"
            )
        return self

    @property
    def learns_from_wrong(self) -> bool:
        """Whether completions below the threshold are trained on as well."""
        return self.objective in LEARNS_FROM_WRONG

    @property
    def start(self) -> str:
        """The model that the first cycle samples from."""
        start = self.checkpoint or self.model
        assert start is not None
        return start

    @property
    def stated_base(self) -> str | None:
        """A base model named beside the checkpoint, which must then be the checkpoint's own."""
        return self.model if self.checkpoint is not None else None

    def samplings(self) -> Iterator[tuple[float, float, int]]:
        """Temperature, top_p and top_k of the run, of the end of its schedule, and of each cycle in the list."""
        yield self.temperature, self.top_p, self.top_k
        if self.temperature_end is not None:
            yield self.temperature_end, self.top_p, self.top_k
        for number in range(1, len(self.cycle_settings) + 1):
            given = self.given_for(number)
            yield (
                given.get("temperature", self.temperature),
                given.get("top_p", self.top_p),
                given.get("top_k", self.top_k),
            )
