from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.load import config_hash, fitting_schemas, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.schemas import SCHEMAS
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.errors import ConfigError

RAFT = {"model": "m", "prompts": "p.jsonl", "output": "out"}


def settings(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_seed_defaults_of_raft() -> None:
    config = load(RaftTrainConfig, RAFT).config
    assert (config.cycles, config.samples_per_prompt, config.temperature, config.max_new_tokens) == (5, 8, 0.7, 1024)
    assert (config.reward_threshold, config.keep_fraction, config.min_samples) == (0.5, 0.5, None)


def test_flags_beat_the_file_and_the_file_beats_defaults(tmp_path: Path) -> None:
    file = settings(tmp_path, "cycles: 3\ntemperature: 0.9\n")
    loaded = load(RaftTrainConfig, {**RAFT, "cycles": 7}, file)
    assert (loaded.config.cycles, loaded.config.temperature, loaded.config.seed) == (7, 0.9, 0)
    assert loaded.origins["cycles"] == "flag"
    assert loaded.origins["temperature"] == f"file {file}"
    assert loaded.origins["seed"] == "default"


def test_the_written_configuration_says_where_values_came_from_and_loads_back(tmp_path: Path) -> None:
    loaded = load(RaftTrainConfig, {**RAFT, "verifier_options": {"timeout_s": 3}, "system_prompt": "a: b # c"})
    text = loaded.to_yaml()
    assert "cycles: 5  # default" in text
    assert "model: m  # flag" in text
    again = load(RaftTrainConfig, {}, settings(tmp_path, text))
    assert again.config == loaded.config


def test_an_unknown_key_is_refused_with_the_nearest_valid_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'cycle'; did you mean 'cycles'"):
        load(RaftTrainConfig, RAFT, settings(tmp_path, "cycle: 3\n"))


def test_an_alias_maps_to_its_field_and_cannot_be_given_twice(tmp_path: Path) -> None:
    assert load(RaftTrainConfig, RAFT, settings(tmp_path, "keep_percent: 0.25\n")).config.keep_fraction == 0.25
    with pytest.raises(ConfigError, match="second time"):
        load(RaftTrainConfig, RAFT, settings(tmp_path, "keep_percent: 0.25\nkeep_fraction: 0.5\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "must be a mapping"),
        ("a: [1\n", "not valid YAML.*line"),
        ("cycles: none\n", r"cycles: Input should be a valid integer.*'none'"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(RaftTrainConfig, RAFT, settings(tmp_path, text))


def test_a_missing_file_and_a_missing_setting_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml"):
        load(RaftTrainConfig, RAFT, tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"give either --prompts FILE\.jsonl or --dataset NAME"):
        load(RaftTrainConfig, {"model": "m", "output": "o"})


def test_k_above_the_samples_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--k 10 needs at least that many --samples, which is 4"):
        load(BenchmarkRunConfig, {"model": "m", "prompts": "p", "samples": 4})


def test_sft_takes_exactly_one_source() -> None:
    for flags in ({}, {"data": "d", "dataset": "codealpaca"}):
        with pytest.raises(ConfigError, match="either --dataset NAME or --data FILE"):
            load(SftTrainConfig, {"model": "m", "output": "o", **flags})


def test_a_resumable_setting_leaves_the_hash_and_another_does_not() -> None:
    base = load(RaftTrainConfig, RAFT).config
    assert config_hash(load(RaftTrainConfig, {**RAFT, "cycles": 9}).config) == config_hash(base)
    assert config_hash(load(RaftTrainConfig, {**RAFT, "temperature": 0.8}).config) != config_hash(base)


@pytest.mark.parametrize("preset", sorted(Path("configs").glob("*.yaml")), ids=lambda p: p.name)
def test_every_preset_fits_its_command(preset: Path) -> None:
    command = preset.name.split("_")[0]
    assert any(fit.startswith(command) for fit in fitting_schemas(preset))
    assert yaml.safe_load(preset.read_text())


def test_every_setting_has_help_and_a_section() -> None:
    for schema in SCHEMAS.values():
        for key, field in schema.model_fields.items():
            assert field.description, key
            assert field.description.endswith("."), key
