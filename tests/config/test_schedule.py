from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from halo_forge.config.load import config_hash, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import ConfigError

RAFT = {"model": "m", "prompts": "p.jsonl", "output": "out"}
LIST = """
cycles:
- reward_threshold: 0.3
  lr: 1e-4
-
- verifier: humaneval
  verifier_options: {timeout_s: 3}
  temperature: 1
"""


def settings(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_of_cycles_counts_them_and_gives_each_its_settings(tmp_path: Path) -> None:
    loaded = load(RaftTrainConfig, RAFT, settings(tmp_path, LIST))
    config = loaded.config
    assert config.cycles == 3
    assert config.given_for(1) == {"reward_threshold": 0.3, "learning_rate": 1e-4}
    assert config.given_for(2) == {}
    assert config.given_for(3) == {"verifier": "humaneval", "verifier_options": {"timeout_s": 3}, "temperature": 1.0}
    assert load(RaftTrainConfig, {}, settings(tmp_path, loaded.to_yaml())).config == config


def test_the_flag_counts_cycles_and_leaves_the_list_as_it_is(tmp_path: Path) -> None:
    config = load(RaftTrainConfig, {**RAFT, "cycles": 5}, settings(tmp_path, LIST)).config
    assert config.cycles == 5
    assert config.given_for(3)["verifier"] == "humaneval"
    assert config.given_for(5) == {}


def test_the_list_may_grow_in_a_continued_run(tmp_path: Path) -> None:
    longer = load(RaftTrainConfig, RAFT, settings(tmp_path, LIST + "- top_p: 0.9\n")).config
    assert config_hash(longer) == config_hash(load(RaftTrainConfig, RAFT, settings(tmp_path, LIST)).config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cycles:\n- temperatur: 1\n", r"cycles, entry 1: unknown setting 'temperatur'; did you mean 'temperature'"),
        ("cycles:\n-\n- seed: 1\n", "cycles, entry 2: seed belongs to the whole run; a cycle may set verifier, "),
        ("cycles:\n- temperature: 11\n", "entry 1: temperature: Input should be less than or equal to 10, but .* 11"),
        ("cycles:\n- lr: 1\n  learning_rate: 1\n", "'learning_rate' sets learning_rate a second time"),
        ("cycles:\n- 3\n", "cycle_settings: .*valid dictionary"),
        ("cycles: []\n", "cycles: .*greater than or equal to 1"),
        ("cycles: [{lr: 1}]\ncycle_settings: [{lr: 2}]\n", "a second time; keep one of the two"),
    ],
)
def test_a_wrong_list_says_which_entry_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(RaftTrainConfig, RAFT, settings(tmp_path, text))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward_threshold_end": 0.9}, "needs --reward-shaping"),
        ({"reward_shaping": "annealing", "reward_threshold_end": 0.2}, "the threshold rises"),
        ({"reward_shaping": "annealing", "shaping_cycles": 2}, "is for --reward-shaping warmup, not annealing"),
        ({"curriculum": "adaptive", "prompt_fraction": 1.0}, "takes every prompt in every cycle"),
        ({"objective": "grpo", "start_from": "base"}, "far apart from the first step on"),
        ({"objective": "grpo", "cycle_settings": [{}, {"top_p": 0.9}]}, "needs --temperature above 0, --top-p 1"),
        ({"objective": "raft++", "temperature_end": 0.0}, "needs --temperature above 0"),
        ({"min_learning_rate": 1.0}, "above the learning rate, 0.0002"),
    ],
)
def test_schedules_that_cannot_be_meant_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(RaftTrainConfig, {**RAFT, **change})


def test_a_curriculum_takes_half_of_the_prompts_unless_told() -> None:
    assert load(RaftTrainConfig, RAFT).config.share_of_prompts == 1.0
    assert load(RaftTrainConfig, {**RAFT, "curriculum": "complexity"}).config.share_of_prompts == 0.5
