"""A run killed at any instant goes on to the same rollouts, kept sets and weights: real processes, real SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from halo_forge.config.load import load
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.events import Event, EventType, read_events
from halo_forge.rollout.records import read_rollouts
from halo_forge.sft.loop import train_sft

SETTINGS = """
cycles: 2
samples_per_prompt: 4
generation_batch: 16
max_new_tokens: 12
holdout_fraction: 0.3
select: random
max_kept_per_prompt: 2
tuning: lora
lora_dropout: 0.1
learning_rate: 1e-3
batch_size: 4
save_steps: 2
epochs: 3
start_from: base
curriculum: adaptive
prompt_fraction: 0.8
temperature_end: 1.0
"""
MOMENTS: dict[str, Callable[[Event], bool]] = {
    "while the start model is measured": lambda e: e.type is EventType.PROGRESS and e.cycle == 0,
    "while cycle 1 is drawn": lambda e: e.type is EventType.PROGRESS and e.cycle == 1 and e.phase == "generate",
    "while cycle 1 trains": lambda e: e.type is EventType.STEP and e.cycle == 1,
    "after cycle 1 was saved": lambda e: e.type is EventType.CHECKPOINT and e.cycle == 1,
    "while cycle 2 trains from the base": lambda e: e.type is EventType.STEP and e.cycle == 2,
    "while cycle 2 is measured": lambda e: e.type is EventType.PHASE_STARTED and e.cycle == 2 and e.phase == "evaluate",
}


@pytest.fixture(scope="module")
def speaking_model(tmp_path_factory: pytest.TempPathFactory, nano_model: Path) -> Path:
    """A model that ends its answers: one that never stops leaves nothing to train on."""
    folder = tmp_path_factory.mktemp("speaking")
    data = folder / "data.jsonl"
    data.write_text("".join(f'{{"prompt": "add {i} to n", "completion": "n + {i};"}}\n' for i in range(14)))
    settings = {"model": str(nano_model), "data": data, "output": folder / "sft", "tuning": "full"}
    train_sft(load(SftTrainConfig, {**settings, "learning_rate": 5e-3, "max_steps": 40}))
    return folder / "sft"


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, speaking_model: Path) -> Callable[[Path], list[str]]:
    folder = tmp_path_factory.mktemp("kill")
    prompts = folder / "prompts.jsonl"
    prompts.write_text("".join(f'{{"id": "p{i}", "prompt": "add {i} to n"}}\n' for i in range(14)))
    config = folder / "settings.yaml"
    config.write_text(SETTINGS)
    flags = ["--config", str(config), "--model", str(speaking_model), "--prompts", str(prompts)]
    return lambda output: [sys.executable, "-m", "halo_forge", "raft", "train", *flags, "--output", str(output)]


@pytest.fixture(scope="module")
def whole(command: Callable[[Path], list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run(command(output), check=True, capture_output=True)
    return output


def content(folder: Path) -> dict[str, object]:
    """What a run amounts to: completions and verdicts without their timings, decisions, weights."""
    found: dict[str, object] = {}
    for path in sorted((folder / "rollouts").glob("*.jsonl")):
        found[path.name] = [(r.completion, r.verdict.reward, r.verdict.stage, r.chunk) for r in read_rollouts(path)]
    for path in [*sorted((folder / "kept").glob("*.jsonl")), *sorted(folder.glob("*/adapter_model.safetensors"))]:
        found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def kill_at(command: list[str], output: Path, moment: Callable[[Event], bool]) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    try:
        while not any(moment(event) for event in read_events(output / "events.jsonl")):
            assert process.poll() is None, "the run ended before the moment came"
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_continued_is_the_same_run(
    command: Callable[[Path], list[str]], whole: Path, tmp_path: Path, moment: str
) -> None:
    output = tmp_path / "run"
    kill_at(command(output), output, MOMENTS[moment])
    assert not (output / "exit.json").exists()
    subprocess.run(command(output), check=True, capture_output=True)
    expected, got = content(whole), content(output)
    assert expected.keys() == got.keys()
    assert len([name for name in got if name.endswith("adapter_model.safetensors")]) == 3
    for name, value in expected.items():
        assert got[name] == value, name
