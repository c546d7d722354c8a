from __future__ import annotations

from typing import Any

import pytest

from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.raft.schedule import settings_of_cycle
from halo_forge.raft.tally import Tally


def configure(**changes: Any) -> RaftTrainConfig:
    return load(RaftTrainConfig, {"model": "m", "prompts": "p", "output": "o", **changes}).config


def test_without_schedules_every_cycle_has_the_runs_settings() -> None:
    config = configure()
    for cycle in (1, 5):
        assert settings_of_cycle(config, cycle, 5, []) == config.model_copy(update={"learning_rate": 2e-4})


def test_the_learning_rate_falls_to_its_floor() -> None:
    config = configure(learning_rate=1e-3, lr_decay=0.5, min_learning_rate=2e-4)
    rates = [settings_of_cycle(config, cycle, 4, []).learning_rate for cycle in (1, 2, 3, 4)]
    assert rates == [1e-3, 5e-4, 2.5e-4, 2e-4]


def test_the_temperature_goes_evenly_to_its_end_and_stays_there() -> None:
    config = configure(temperature=0.6, temperature_end=1.0)
    found = [settings_of_cycle(config, cycle, 5, []).temperature for cycle in range(1, 8)]
    assert found == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0])
    assert (found[0], found[4]) == (0.6, 1.0)
    assert settings_of_cycle(config, 1, 1, []).temperature == 0.6


def test_what_the_list_of_cycles_gives_goes_before_the_schedules() -> None:
    config = configure(
        lr_decay=0.5,
        temperature_end=1.0,
        verifier_options={"timeout_s": 3},
        cycle_settings=[{}, {"learning_rate": 1e-5, "temperature": 0.3, "verifier": "python"}, {"verifier": "gcc"}],
    )
    second, third = (settings_of_cycle(config, cycle, 3, []) for cycle in (2, 3))
    assert (second.learning_rate, second.temperature) == (1e-5, 0.3)
    assert (second.verifier, second.verifier_options) == ("python", {})
    assert third.verifier_options == {"timeout_s": 3}
    assert third.learning_rate == 5e-5


def test_annealing_asks_for_more_in_every_cycle() -> None:
    config = configure(reward_threshold=0.2, reward_shaping="annealing")
    found = [settings_of_cycle(config, cycle, 5, []).reward_threshold for cycle in range(1, 7)]
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_warm_up_is_lenient_for_its_cycles() -> None:
    config = configure(reward_shaping="warmup", shaping_cycles=2, reward_threshold_end=0.9)
    found = [settings_of_cycle(config, cycle, 5, []).reward_threshold for cycle in range(1, 5)]
    assert found == [0.5, 0.5, 0.9, 0.9]


@pytest.mark.parametrize(
    ("best", "threshold"),
    [
        ([], 0.3),
        ([None, None], 0.3),
        ([0.0, 0.0, 1.0], 0.3),
        ([1.0, 0.7, 0.7, 0.0], 0.7),
        ([1.0, 1.0, 0.5], 0.9),
        ([0.5, None, 0.5], 0.5),
    ],
)
def test_the_adaptive_threshold_is_what_half_of_the_prompts_reached(best: list[float | None], threshold: float) -> None:
    config = configure(reward_threshold=0.3, reward_shaping="adaptive", reward_threshold_end=0.9)
    last = {f"p{i}": Tally(4, 0, value) for i, value in enumerate(best)}
    assert settings_of_cycle(config, 2, 5, [last]).reward_threshold == threshold
