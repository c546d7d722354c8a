"""A run that is killed, crowded out or robbed of its disk ends with the same rollouts, kept sets and weights.

Real processes, real SIGKILL, a disk that is really full. What the run of RAFT is compared with was made by one plain
process that nobody disturbed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from killing import (
    RAFT_MOMENTS,
    RAFT_SETTINGS,
    Command,
    assert_same,
    content,
    kill_after,
    killed_through,
    tear,
    undisturbed,
)
from warm import Moment, Warm, warm_process

from halo_forge.cli.app import run
from halo_forge.config.load import load
from halo_forge.config.sft import SftTrainConfig
from halo_forge.raft.loop import completed_cycles
from halo_forge.runs.lock import read_holder
from halo_forge.runs.summary import BenchmarkSummary, SftSummary
from halo_forge.sft.loop import train_sft

SFT_MOMENTS = (
    Moment("open", "training_state/state.partial", 2),
    Moment("os.rename", "training_state/state.pt", 2),
    Moment("open", "final_model.partial/checkpoint.json"),
    Moment("os.rename", "final_model"),
    Moment("shutil.rmtree", "training_state"),
    Moment("os.rename", "summary.json"),
    Moment("os.rename", "exit.json"),
)
BENCHMARK_MOMENTS = (
    Moment("open", "rollouts/sampled.jsonl", 2),
    Moment("open", "rollouts/sampled.index"),
    Moment("open", "rollouts/greedy.jsonl"),
    Moment("os.rename", "summary.json"),
)
RANDOM_KILLS = 5


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with warm_process(tmp_path_factory.mktemp("warm")) as process:
        yield process


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
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
    file.write_text("".join(f'{{"id": "p{i}", "prompt": "add {i} to n"}}\n' for i in range(14)))
    return file


@pytest.fixture(scope="module")
def raft(tmp_path_factory: pytest.TempPathFactory, speaking_model: Path, prompts: Path) -> Command:
    config = tmp_path_factory.mktemp("settings") / "settings.yaml"
    config.write_text(RAFT_SETTINGS)
    flags = ["--config", str(config), "--model", str(speaking_model), "--prompts", str(prompts)]
    return lambda output: ["raft", "train", *flags, "--output", str(output)]


@pytest.fixture(scope="module")
def whole(raft: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(raft, tmp_path_factory.mktemp("whole") / "run")


def test_killed_at_every_turn_and_continued_is_the_same_run(
    warm: Warm, raft: Command, whole: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    killed_through(warm, raft(output), output, RAFT_MOMENTS)
    assert_same(output, whole)
    figures = [(c.rollouts, c.kept, c.training, c.holdout) for c in completed_cycles(output)]
    assert figures == [(c.rollouts, c.kept, c.training, c.holdout) for c in completed_cycles(whole)]
    assert len([name for name in content(output) if name.endswith("adapter_model.safetensors")]) == 3


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_instants_and_continued_is_the_same_run(
    warm: Warm, raft: Command, whole: Path, tmp_path: Path, seed: int
) -> None:
    output, random = tmp_path / "run", Random(seed)
    for _ in range(RANDOM_KILLS):
        kill_after(warm, raft(output), output, events=random.randint(3, 9), pause_s=random.uniform(0, 0.05))
        tear(output, random)
    warm.ends_well(raft(output))
    assert_same(output, whole)


def test_sft_killed_at_every_turn_is_the_same_run(warm: Warm, nano_model: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"prompt": "add {i} to n", "completion": "n + {i};"}}\n' for i in range(14)))

    def command(output: Path) -> list[str]:
        flags = ["--lora-dropout", "0.1", "--batch-size", "4", "--max-steps", "9", "--save-steps", "2"]
        words = ["sft", "train", "--model", str(nano_model), "--data", str(rows), *flags]
        return [*words, "--output", str(output)]

    expected, output = undisturbed(command, tmp_path / "whole", warm), tmp_path / "run"
    killed_through(warm, command(output), output, SFT_MOMENTS)
    assert_same(output, expected)
    ours, theirs = (
        SftSummary.model_validate_json((folder / "summary.json").read_bytes()) for folder in (output, expected)
    )
    assert (ours.training, ours.rows) == (theirs.training, theirs.rows)


def test_a_benchmark_killed_at_every_turn_is_the_same_run(
    warm: Warm, speaking_model: Path, prompts: Path, tmp_path: Path
) -> None:
    def command(output: Path) -> list[str]:
        flags = ["--samples", "4", "--k", "1,2", "--generation-batch", "8", "--max-new-tokens", "8", "--greedy"]
        words = ["benchmark", "run", "--model", str(speaking_model), "--prompts", str(prompts), *flags]
        return [*words, "--output", str(output)]

    expected, output = undisturbed(command, tmp_path / "whole", warm), tmp_path / "run"
    killed_through(warm, command(output), output, BENCHMARK_MOMENTS)
    assert_same(output, expected)
    ours, theirs = (
        BenchmarkSummary.model_validate_json((folder / "summary.json").read_bytes()) for folder in (output, expected)
    )
    assert (ours.sampled, ours.greedy) == (theirs.sampled, theirs.greedy)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_loses_nothing_wherever_it_fills_up(
    warm: Warm, raft: Command, whole: Path, small_disk: Path
) -> None:
    """The disk has room for a little more each time, so that it fills up somewhere else."""
    output, ballast = small_disk / "run", small_disk / "ballast"
    room = sum(path.stat().st_blocks * 512 for path in whole.rglob("*") if path.is_file()) // 6
    disk = os.statvfs(small_disk)
    filled = disk.f_bavail * disk.f_frsize - 40_000
    ballast.write_bytes(bytes(filled))
    places = []
    for left in range(filled, 0, -room):
        os.truncate(ballast, left)
        code = warm.run(raft(output))
        if code == 0:
            break
        said = warm.log.read_text()
        assert code == 3, said[-2000:]
        assert f"the disk of {output} is full; free some space, and the same command goes on" in said
        places.append(sorted(path.name for path in output.iterdir()))
    assert len({tuple(names) for names in places}) >= 3, "it filled up at different places"
    assert_same(output, whole)


def test_an_unreadable_checkpoint_is_named_and_trained_again(
    warm: Warm, raft: Command, whole: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    warm.dies(raft(output), Moment("open", "rollouts/cycle_2.jsonl"))
    weights = output / "cycle_1_final" / "adapter_model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    assert warm.run(raft(output)) == 2
    said = warm.log.read_text()
    assert f"remove {output}/cycle_1_final, and the same command trains it again" in said, said[-2000:]
    shutil.rmtree(output / "cycle_1_final")
    warm.ends_well(raft(output))
    assert_same(output, whole)


def test_a_second_process_is_refused_and_disturbs_nothing(
    warm: Warm, raft: Command, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    first, deadline = warm.start(raft(output)), time.monotonic() + 120
    while (holder := read_holder(output)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(first, signal.SIGSTOP)  # so that it cannot end before the second has come
    assert run(raft(output)) == 75
    os.kill(first, signal.SIGCONT)
    assert f"is being written by process {first} on {holder.process.host}, since 20" in capsys.readouterr().err
    assert warm.wait() == 0
    assert_same(output, whole)
