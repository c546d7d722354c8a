"""The commands that users were promised, and the presets, parse and validate as they are typed."""

import shlex
from pathlib import Path

import click
import pytest

from halo_forge.cli.app import app
from halo_forge.cli.flags import given_settings
from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.load import Loaded, load
from halo_forge.config.options import CommandConfig
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.schemas import SCHEMAS
from halo_forge.config.sft import SftTrainConfig

ROOT = Path(__file__).parents[2]
PRESETS = {
    "raft_conservative": ("raft train", ["prompts", "output"]),
    "raft_aggressive": ("raft train", ["prompts", "output"]),
    "raft_cycles": ("raft train", ["prompts", "output"]),
    "raft_example": ("raft train", ["prompts", "output"]),
    "sft_example": ("sft train", ["output"]),
}


def parse(line: str) -> Loaded[CommandConfig]:
    """Read a command line down to its validated settings, without running it."""
    program, group_name, name, *args = shlex.split(line)
    assert program == "halo-forge"
    root = click.Context(app)
    _, group, _ = app.resolve_command(root, [group_name])
    assert isinstance(group, click.Group)
    command = group.commands[name]
    with command.make_context(name, args) as ctx:
        return load(SCHEMAS[f"{group_name} {name}"], given_settings(ctx), ctx.params["config_file"])


def test_sft() -> None:
    config = parse(
        "halo-forge sft train --dataset codealpaca --model Qwen/Qwen2.5-Coder-7B --output models/sft --epochs 3"
    ).config
    assert isinstance(config, SftTrainConfig)
    assert (config.dataset, config.model) == ("codealpaca", "Qwen/Qwen2.5-Coder-7B")
    assert (config.output, config.epochs) == (Path("models/sft"), 3)


def test_raft() -> None:
    config = parse(
        "halo-forge raft train --checkpoint models/sft/final_model --prompts data/prompts.jsonl --verifier gcc "
        "--cycles 5 --samples-per-prompt 8 --temperature 0.7 --output models/raft"
    ).config
    assert isinstance(config, RaftTrainConfig)
    assert (config.checkpoint, config.prompts) == ("models/sft/final_model", Path("data/prompts.jsonl"))
    assert (config.verifier, config.cycles, config.samples_per_prompt, config.temperature) == ("gcc", 5, 8, 0.7)
    assert config.output == Path("models/raft")


def test_raft_from_a_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    loaded = parse(
        "halo-forge raft train --config configs/raft_conservative.yaml --prompts data/prompts.jsonl "
        "--output models/raft"
    )
    assert isinstance(loaded.config, RaftTrainConfig)
    assert loaded.config.start == "Qwen/Qwen2.5-Coder-7B"
    assert loaded.origins["model"] == "file configs/raft_conservative.yaml"
    assert loaded.origins["prompts"] == "flag"
    assert loaded.origins["device"] == "default"


def test_a_flag_overrides_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    loaded = parse(
        "halo-forge raft train --config configs/raft_conservative.yaml --prompts p --output o --cycles 9 "
        "--no-gradient-checkpointing"
    )
    assert isinstance(loaded.config, RaftTrainConfig)
    assert loaded.config.cycles == 9
    assert loaded.config.gradient_checkpointing is False


def test_benchmark() -> None:
    config = parse(
        "halo-forge benchmark run --model models/raft/cycle_5_final --prompts data/test.jsonl --verifier gcc "
        "--samples 10 --k 1,5,10"
    ).config
    assert isinstance(config, BenchmarkRunConfig)
    assert (config.model, config.samples, config.k) == ("models/raft/cycle_5_final", 10, (1, 5, 10))


def test_every_preset_is_known_here() -> None:
    assert {path.stem for path in (ROOT / "configs").glob("*.yaml")} == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_preset(name: str) -> None:
    command, flags = PRESETS[name]
    loaded = load(SCHEMAS[command], dict.fromkeys(flags, "x"), ROOT / "configs" / f"{name}.yaml")
    assert loaded.origins["model"].startswith("file")
