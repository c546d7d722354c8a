"""What a cycle was decided to be, kept on disk before it begins, so that a continued run cannot decide otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.schedule import PER_CYCLE
from halo_forge.core.errors import RunConflictError
from halo_forge.core.types import Prompt, Record
from halo_forge.raft.curriculum import choose_prompts
from halo_forge.raft.schedule import settings_of_cycle
from halo_forge.raft.tally import Tallies, tally
from halo_forge.rollout.records import write_atomically
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.runs.run_dir import Run, plan_file


class CyclePlan(Record):
    """`plans/cycle_N.json`.

    Args:
        given: what the list of cycles gave to the cycle.
        settings: everything in force that may differ between cycles.
        prompts: ids of the prompts it takes; None for all.
    """

    cycle: int
    given: dict[str, JsonValue]
    settings: dict[str, JsonValue]
    prompts: tuple[str, ...] | None


class Planned(NamedTuple):
    """A cycle's settings and prompts."""

    settings: RaftTrainConfig
    prompts: list[Prompt]


def plan_cycle(run: Run, config: RaftTrainConfig, prompts: Sequence[Prompt], cycle: int) -> Planned:
    """Decide what a cycle is, or return what was decided when it began.

    Args:
        prompts: all that are trained on.
    """
    file = plan_file(run.path, cycle)
    if file.exists():
        plan = _read(file)
        taken = None if plan.prompts is None else set(plan.prompts)
        return Planned(
            config.model_copy(update=plan.settings),
            [prompt for prompt in prompts if taken is None or prompt.id in taken],
        )
    planned = _decide(run, config, prompts, cycle)
    plan = CyclePlan(
        cycle=cycle,
        given=config.given_for(cycle),
        settings=settings_in_force(planned.settings),
        prompts=None if len(planned.prompts) == len(prompts) else tuple(prompt.id for prompt in planned.prompts),
    )
    if differences := _differences(config, planned, len(prompts)):
        run.events.notice(f"cycle {cycle} runs with {', '.join(differences)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, plan.model_dump_json() + "\n")
    return planned


def settings_in_force(settings: RaftTrainConfig) -> dict[str, JsonValue]:
    """Return the settings that may differ between cycles."""
    return settings.model_dump(mode="json", include=set(PER_CYCLE))


def refuse_changed_cycles(config: RaftTrainConfig) -> None:
    """Check that the cycles that began already have the settings in the list that they began with.

    Raises:
        RunConflictError: they do not.
    """
    changes = []
    for file in sorted(plan_file(config.output, 0).parent.glob("cycle_*.json")):
        plan = _read(file)
        given = config.given_for(plan.cycle)
        if given != plan.given:
            changes.append(f"cycle {plan.cycle} was given {plan.given}, now {given}")
    if changes:
        raise RunConflictError(
            f"the list of cycles changed where {config.output} has begun them already: {'; '.join(changes)}. "
            "Only cycles that have not begun may be given other settings"
        )


def temperature_of_cycle(run: Run, config: RaftTrainConfig, cycle: int) -> float:
    """Return the temperature at which the completions of a cycle that has begun were drawn."""
    return config.model_copy(update=_read(plan_file(run.path, cycle)).settings).temperature


def _read(file: Path) -> CyclePlan:
    return CyclePlan.model_validate_json(file.read_bytes())


def _decide(run: Run, config: RaftTrainConfig, prompts: Sequence[Prompt], cycle: int) -> Planned:
    horizon = run.context.params["cycles"]
    assert isinstance(horizon, int)
    past = _past(run, cycle) if _looks_back(config) else []
    settings = settings_of_cycle(config, cycle, horizon, past)
    return Planned(settings, choose_prompts(settings, prompts, cycle, horizon, past))


def _looks_back(config: RaftTrainConfig) -> bool:
    return config.curriculum in ("adaptive", "historical") or config.reward_shaping == "adaptive"


def _past(run: Run, cycle: int) -> list[Tallies]:
    return [tally(RolloutFile(run.rollouts(f"cycle_{number}")).sketches()) for number in range(1, cycle)]


def _differences(config: RaftTrainConfig, planned: Planned, prompts: int) -> list[str]:
    """What the user should know of a cycle: where it departs from the run's settings."""
    general = settings_in_force(config) | {"learning_rate": config.peak_learning_rate}
    found = [
        f"{key.replace('_', ' ')} {_shown(value)}"
        for key, value in settings_in_force(planned.settings).items()
        if value != general[key]
    ]
    if len(planned.prompts) < prompts:
        found.append(f"{len(planned.prompts)} of {prompts} prompts")
    return found


def _shown(value: JsonValue) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
