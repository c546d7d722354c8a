"""Settings that let the cycles of a run differ from each other."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import JsonValue, TypeAdapter, ValidationError, model_validator

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import SCHEDULE

Curriculum = Literal["none", "complexity", "progressive", "adaptive", "historical"]
Shaping = Literal["fixed", "annealing", "adaptive", "warmup"]

# What an entry of the list `cycles:` may set; the held-out slice is always measured with the run's own settings.
PER_CYCLE = (
    "verifier",
    "verifier_options",
    "samples_per_prompt",
    "temperature",
    "top_p",
    "top_k",
    "max_new_tokens",
    "prompt_fraction",
    "reward_threshold",
    "keep_fraction",
    "max_kept_per_prompt",
    "max_kept_if_solved",
    "min_samples",
    "learning_rate",
    "epochs",
)


class ScheduleOptions(CommandConfig):
    """How the cycles of a run differ; docs/raft.md has the formulas.

    Schedules run over the number of cycles that a run is started with; cycles added later keep the last value.
    """

    temperature_end: float | None = option(
        None,
        "Sampling temperature of the last cycle, reached evenly from --temperature.",
        section=SCHEDULE,
        ge=0,
        le=10,
    )
    lr_decay: float = option(
        1.0, "Factor on the learning rate from one cycle to the next.", section=SCHEDULE, gt=0, le=1
    )
    min_learning_rate: float = option(
        0.0, "Learning rate below which --lr-decay never goes.", section=SCHEDULE, aliases=("min_lr",), ge=0
    )
    curriculum: Curriculum = option(
        "none",
        "Which prompts a cycle takes: in turn (none), easy to hard (complexity), ever more from the easiest on "
        "(progressive), those solved now and then when last seen (adaptive) or over all cycles (historical).",
        section=SCHEDULE,
    )
    prompt_fraction: float | None = option(
        None,
        "Share of the training prompts that a cycle takes, 0 to 1; by default 1, with a curriculum 0.5. "
        "With progressive, the share of the first cycle.",
        section=SCHEDULE,
        gt=0,
        le=1,
    )
    reward_shaping: Shaping = option(
        "fixed",
        "How the reward threshold goes from --reward-threshold to --reward-threshold-end: not at all (fixed), evenly "
        "(annealing), as the prompts' best rewards allow (adaptive), at once after --shaping-cycles (warmup).",
        section=SCHEDULE,
    )
    reward_threshold_end: float | None = option(
        None, "Highest reward threshold of --reward-shaping, 0 to 1; by default 1.", section=SCHEDULE, ge=0, le=1
    )
    shaping_cycles: int | None = option(
        None,
        "Cycles that --reward-shaping warmup keeps the first threshold; by default 1.",
        section=SCHEDULE,
        ge=1,
    )
    start_from: Literal["previous", "base"] = option(
        "previous",
        "Weights that each cycle trains: those of the cycle before, or those the run started from (base), which then "
        "learn only what this cycle kept.",
        section=SCHEDULE,
    )
    cycle_settings: tuple[dict[str, JsonValue] | None, ...] = option(
        (),
        "Settings of cycle 1, 2, … that differ from the run's; in a file, the key cycles may be such a list.",
        section=SCHEDULE,
        file_only=True,
        resumable=True,
    )

    @classmethod
    def unfolded(cls, values: dict[str, object]) -> dict[str, object]:
        """Take a list under `cycles` for the settings of that many cycles."""
        entries = values.get("cycles")
        if not isinstance(entries, list):
            return values
        if "cycle_settings" in values:
            raise ValueError("cycles is a list, so cycle_settings says the same a second time; keep one of the two")
        return {**values, "cycles": len(entries), "cycle_settings": entries}

    @model_validator(mode="after")
    def _cycles_are_sound(self) -> Self:
        for number in range(1, len(self.cycle_settings) + 1):
            self.given_for(number)
        return self

    @model_validator(mode="after")
    def _schedules_fit(self) -> Self:
        fixed = self.reward_shaping == "fixed"
        if fixed and self.reward_threshold_end is not None:
            raise ValueError("--reward-threshold-end needs --reward-shaping annealing, adaptive or warmup")
        if self.reward_shaping != "warmup" and self.shaping_cycles is not None:
            raise ValueError(f"--shaping-cycles is for --reward-shaping warmup, not {self.reward_shaping}")
        if self.prompt_fraction == 1 and self.curriculum != "none":
            raise ValueError(
                f"--curriculum {self.curriculum} with --prompt-fraction 1 takes every prompt in every cycle: "
                "give a fraction below 1, or no curriculum"
            )
        return self

    @property
    def share_of_prompts(self) -> float:
        """The share of the training prompts in force."""
        if self.prompt_fraction is not None:
            return self.prompt_fraction
        return 1.0 if self.curriculum == "none" else 0.5

    def given_for(self, cycle: int) -> dict[str, Any]:
        """Return the settings that the list of cycles gives to a cycle, checked; none beyond its end.

        Raises:
            ValueError: an unknown setting, one that belongs to the whole run, or a value out of range.
        """
        entry = self.cycle_settings[cycle - 1] if cycle <= len(self.cycle_settings) else None
        given: dict[str, Any] = {}
        for name, value in (entry or {}).items():
            key = self.key_for(name)
            if key not in PER_CYCLE:
                raise ValueError(f"cycles, entry {cycle}: {_refusal(name, known=key is not None)}")
            if key in given:
                raise ValueError(f"cycles, entry {cycle}: '{name}' sets {key} a second time; keep one of the two")
            given[key] = self._checked(cycle, key, value)
        return given

    def _checked(self, cycle: int, key: str, value: JsonValue) -> Any:
        field = type(self).model_fields[key]
        annotation: Any = Annotated[field.annotation, *field.metadata]
        checked: TypeAdapter[Any] = TypeAdapter(annotation)
        try:
            return checked.validate_python(value)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise ValueError(f"cycles, entry {cycle}: {key}: {message}, but it is {value!r}") from error


def _refusal(name: str, *, known: bool) -> str:
    if known:
        return f"{name} belongs to the whole run; a cycle may set {', '.join(PER_CYCLE)}"
    nearest = get_close_matches(name, PER_CYCLE, n=1)
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"a cycle may set {', '.join(PER_CYCLE)}"
    return f"unknown setting '{name}'; {hint}"
