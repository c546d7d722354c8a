"""Two processes that accelerate started, beside one: real processes, gloo, the same losses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from halo_forge.core.events import EventType, read_events

TOLD = Path(__file__).with_name("told_steps.py")
LAUNCH = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1", "--num_processes", "2")
PLAIN = ("--mixed_precision", "no", "--dynamo_backend", "no")
STEPS = 20


@pytest.fixture
def data(write_jsonl: Callable[..., Path]) -> Path:
    rows = ({"prompt": f"double {i} please " + "now " * (i % 7), "completion": f"n * 2 + {i}"} for i in range(40))
    return write_jsonl("data.jsonl", *rows)


def sft(model: Path, data: Path, output: Path, tuning: str) -> list[str]:
    settings = {"model": model, "data": data, "output": output, "tuning": tuning, "max_steps": STEPS, "batch_size": 6}
    more = {"learning_rate": "1e-3", "save_steps": 4, "device": "cpu", "dtype": "float32", "threads": 1}
    flags = [word for name, value in (settings | more).items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return ["sft", "train", *flags]


def start(words: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "MASTER_PORT": str(20_000 + os.getpid() % 20_000)}
    with output.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *words], stdout=log, stderr=log, env=environment, start_new_session=True
        )


def finish(words: Sequence[str], output: Path) -> None:
    process = start(words, output)
    assert process.wait(180) == 0, output.with_suffix(".log").read_text()[-3000:]


def losses(output: Path) -> dict[int, float]:
    events = read_events(output / "events.jsonl")
    return {event.step or 0: float(str(event.m["loss"])) for event in events if event.type is EventType.STEP}


@pytest.mark.parametrize("tuning", ["lora", pytest.param("full", marks=pytest.mark.slow)])
def test_two_processes_learn_what_one_does(nano_model: Path, data: Path, tmp_path: Path, tuning: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    finish([str(TOLD), *sft(nano_model, data, one, tuning)], one)
    finish([*LAUNCH, *PLAIN, str(TOLD), *sft(nano_model, data, two, tuning)], two)
    alone, together = losses(one), losses(two)
    assert sorted(alone) == sorted(together) == list(range(1, STEPS + 1))
    assert max(abs(alone[step] - together[step]) for step in alone) < 1e-4
    assert alone[STEPS] < alone[1]
    name = "adapter_model.safetensors" if tuning == "lora" else "model.safetensors"
    ours, theirs = load_file(one / "final_model" / name), load_file(two / "final_model" / name)
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}
    assert all((ours[key] - theirs[key]).abs().max() < 1e-3 for key in ours)
    assert [event.seq for event in read_events(two / "events.jsonl")] == [
        *range(len([*read_events(two / "events.jsonl")]))
    ]


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_to_the_same_end(nano_model: Path, data: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish([*LAUNCH, *PLAIN, str(TOLD), *sft(nano_model, data, whole, "lora")], whole)
    words = [*LAUNCH, *PLAIN, str(TOLD), *sft(nano_model, data, killed, "lora")]
    process = start(words, killed)
    until = time.monotonic() + 120
    while time.monotonic() < until and not any(step >= 9 for step in losses(killed)):
        time.sleep(0.005)
    for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        each.kill()
    process.wait()
    assert not (killed / "final_model").exists()
    finish(words, killed)
    name = "final_model/adapter_model.safetensors"
    assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_the_command_starts_its_processes_itself(nano_model: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    asked = ["--launcher", "accelerate", "--num-processes", "2"]
    finish(["-m", "halo_forge", *sft(nano_model, data, output, "lora"), *asked], output)
    assert (output / "final_model" / "adapter_model.safetensors").exists()
    assert "2 processes" in (output / "events.jsonl").read_text()
