"""The commands of the domains, as they were promised, down to their settings; and a whole course on a tiny model."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from halo_forge.cli.app import app, run
from halo_forge.cli.flags import given_settings
from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.load import load
from halo_forge.config.options import CommandConfig
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.schemas import SCHEMAS
from halo_forge.config.sft import SftTrainConfig
from halo_forge.demo.recipes import RECIPES
from halo_forge.models.resolve import resolve_model

RAFT_OUT = "--output models/reasoning_raft --seed 42"
PROMISED = {
    "reasoning sft --dataset metamath --model Qwen/Qwen2.5-3B-Instruct --output models/reasoning_sft": SftTrainConfig,
    f"reasoning train --model models/reasoning_sft --dataset gsm8k --cycles 5 {RAFT_OUT}": RaftTrainConfig,
    "reasoning benchmark --model models/reasoning_raft --dataset gsm8k": BenchmarkRunConfig,
    "audio sft --dataset librispeech_sft --model openai/whisper-small --output models/audio_sft": SftTrainConfig,
    "audio train --model models/audio_sft --dataset librispeech --task asr --cycles 3 --output models/audio_raft "
    "--seed 42": RaftTrainConfig,
    "audio benchmark --model models/audio_raft --dataset librispeech --task asr": BenchmarkRunConfig,
    "vlm sft --dataset llava --model Qwen/Qwen2-VL-2B-Instruct --output models/vlm_sft": SftTrainConfig,
    "vlm train --model models/vlm_sft --dataset textvqa --cycles 3 --output models/vlm_raft --seed 42": RaftTrainConfig,
    "vlm benchmark --model models/vlm_raft --dataset textvqa": BenchmarkRunConfig,
    "agentic sft --dataset xlam_sft --model Qwen/Qwen2.5-7B-Instruct --output models/agentic_sft": SftTrainConfig,
    "agentic train --model models/agentic_sft --dataset xlam --cycles 3 --output models/agentic_raft --seed 42": (
        RaftTrainConfig
    ),
    "agentic benchmark --model models/agentic_raft --dataset xlam": BenchmarkRunConfig,
}
VERIFIERS = {"reasoning": "math", "audio": "speech", "vlm": "vqa", "agentic": "tools"}


def parse(line: str) -> CommandConfig:
    group_name, name, *args = shlex.split(line)
    _, group, _ = app.resolve_command(click.Context(app), [group_name])
    assert isinstance(group, click.Group)
    with group.commands[name].make_context(name, args) as ctx:
        return load(SCHEMAS[f"{group_name} {name}"], given_settings(ctx), ctx.params["config_file"]).config


@pytest.mark.parametrize("line", PROMISED)
def test_the_promised_commands_have_their_domain_s_settings(line: str) -> None:
    config = parse(line)
    assert isinstance(config, PROMISED[line])
    if isinstance(config, (RaftTrainConfig, BenchmarkRunConfig)):
        assert config.verifier == VERIFIERS[line.split()[0]]
        assert config.dataset in ("gsm8k", "librispeech", "textvqa", "xlam") and config.prompts_file is None
    if isinstance(config, RaftTrainConfig):
        assert (config.seed, config.reward_threshold) == (42, 1.0)


@pytest.mark.parametrize("group", VERIFIERS)
def test_the_short_names_of_settings(group: str) -> None:
    train = parse(
        f"{group} train --model m --dataset rows.jsonl --output o --lr 1e-4 --lr-decay 0.8 --max-samples 7 "
        "--keep-percent 0.5 --temperature 0.9 --samples-per-prompt 4"
    )
    assert isinstance(train, RaftTrainConfig)
    assert (train.prompts_file, train.max_prompts, train.lr_decay) == (Path("rows.jsonl"), 7, 0.8)
    sft = parse(f"{group} sft --model m --dataset rows.jsonl --output o --limit 5 --lr 1e-4")
    assert isinstance(sft, SftTrainConfig)
    assert (sft.data_file, sft.max_samples, sft.peak_learning_rate) == (Path("rows.jsonl"), 5, 1e-4)
    benchmark = parse(f"{group} benchmark --model m --dataset rows.jsonl --limit 5")
    assert isinstance(benchmark, BenchmarkRunConfig)
    assert (benchmark.max_prompts, benchmark.prompts_name) == (5, "rows")


def test_the_task_is_a_setting_of_the_verifier() -> None:
    given = parse("audio benchmark --model m --dataset rows.jsonl --task classification")
    assert isinstance(given, BenchmarkRunConfig)
    assert given.verifier_options == {"task": "classification"}
    train = parse("audio train --model m --dataset rows.jsonl --output o")
    assert isinstance(train, RaftTrainConfig)
    assert (train.verifier_options, train.lora_targets) == ({}, ("q_proj", "k_proj", "v_proj", "out_proj"))


def test_making_speech_is_refused_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audio", "train", "--model", "m", "--dataset", "rows.jsonl", "--output", "o", "--task", "tts"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "making speech is not offered" in said[0]


def test_the_schemas_differ_in_defaults_alone() -> None:
    for line, base in PROMISED.items():
        schema = SCHEMAS[" ".join(line.split()[:2])]
        assert issubclass(schema, base)
        assert schema.model_fields.keys() == base.model_fields.keys()


Command = Callable[..., Any]


@pytest.fixture
def halo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a folder of its own and return its summary."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Any:
        code = run([*words, "--json"])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return json.loads(captured.out)

    return call


@pytest.mark.slow
@pytest.mark.parametrize("domain", ["reasoning", "audio", "vlm", "agentic"])
def test_a_whole_course_where_each_output_is_the_next_model(domain: Any, halo: Command, tmp_path: Path) -> None:
    if domain == "audio" and shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    RECIPES[domain].prepare(tmp_path / "data", tmp_path / "base", 0)
    tiny = ["--tuning", "full", "--threads", "1"]
    planned = halo(domain, "sft", "--dataset", "data/sft.jsonl", "--model", "base", "--output", "one", "--dry-run",
                   "--limit", "40")  # fmt: skip
    assert not (tmp_path / "one").exists() and "rows" in planned["plan"]
    sft = halo(domain, "sft", "--dataset", "data/sft.jsonl", "--model", "base", "--output", "one", "--limit", "40",
               "--max-steps", "40", "--lr", "4e-3", *tiny)  # fmt: skip
    assert sft["rows"] == 40
    raft = halo(domain, "train", "--dataset", "data/raft_prompts.jsonl", "--model", "one", "--output", "two",
                "--limit", "12", "--cycles", "1", "--samples-per-prompt", "2", "--max-new-tokens", "96", "--select",
                "random", *tiny)  # fmt: skip
    assert raft["verifier"] == VERIFIERS[domain]
    assert raft["cycles"][1]["rollouts"]["unverifiable"] == {}
    found = halo(domain, "benchmark", "--dataset", "data/test_prompts.jsonl", "--model", "two", "--limit", "6",
                 "--max-new-tokens", "8", "--output", "three", "--threads", "1")  # fmt: skip
    assert found["sampled"]["prompts"] == 6
    assert found["sampled"]["scores"]
    assert resolve_model(str(tmp_path / "two")).base == str(tmp_path / "two" / "final_model")
