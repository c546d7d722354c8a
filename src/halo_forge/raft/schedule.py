"""What the settings of a run come to in each cycle; pure functions of the settings, the cycle and what came before."""

from __future__ import annotations

from collections.abc import Sequence

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.raft.course import between, progress
from halo_forge.raft.shaping import reward_threshold
from halo_forge.raft.tally import Tallies


def settings_of_cycle(config: RaftTrainConfig, cycle: int, horizon: int, past: Sequence[Tallies]) -> RaftTrainConfig:
    """Return the settings in force in a cycle.

    What the list of cycles gives to this cycle stands as it is; the schedules decide the rest.

    Args:
        cycle: 1, 2, ….
        past: what came of the prompts in the cycles before, cycle 1 first.
    """
    scheduled = {
        "temperature": temperature(config, cycle, horizon),
        "learning_rate": learning_rate(config, cycle),
        "reward_threshold": reward_threshold(config, cycle, horizon, past[-1] if past else {}),
    }
    return with_given(config.model_copy(update=scheduled), cycle)


def with_given(config: RaftTrainConfig, cycle: int) -> RaftTrainConfig:
    """Return the settings with those that the list of cycles gives to a cycle, such as its verifier."""
    given = config.given_for(cycle)
    if given.get("verifier", config.verifier) != config.verifier:
        given.setdefault("verifier_options", {})  # those of another verifier would not fit
    return config.model_copy(update=given)


def temperature(config: RaftTrainConfig, cycle: int, horizon: int) -> float:
    """Return the sampling temperature of a cycle: evenly from `temperature` to `temperature_end`."""
    if config.temperature_end is None:
        return config.temperature
    return between(config.temperature, config.temperature_end, progress(cycle, horizon))


def learning_rate(config: RaftTrainConfig, cycle: int) -> float:
    """Return the peak learning rate of a cycle: lr_decay ** (cycle - 1) of the first one's, never below the floor."""
    return max(config.peak_learning_rate * config.lr_decay ** (cycle - 1), config.min_learning_rate)
