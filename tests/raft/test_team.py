"""RAFT by two processes that accelerate started, beside one: the same rollouts, decisions and losses, whoever dies."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched import (
    COMMAND,
    NEEDS_DEEPSPEED,
    PARTS,
    TOGETHER,
    TOLD,
    ZERO,
    finish,
    finish_on,
    flags,
    kill_all,
    losses,
    processes_of,
    said,
    said_on,
    start,
    start_on,
    wait_until,
    zero_apart,
)
from machines import Machine, joined_machines, needs_machines
from safetensors.torch import load_file
from toy import VARIANTS, WRONG

from halo_forge.config.load import load
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.events import EventType, read_events
from halo_forge.rollout.records import read_rollouts
from halo_forge.runs.control import stop_run
from halo_forge.runs.state import RunState, read_status
from halo_forge.sft.loop import train_sft

ADAPTER = "adapter_model.safetensors"
Command = Callable[..., list[str]]


@pytest.fixture(scope="module")
def wavering_model(nano_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers with one of three programs, of which one does not compile."""
    folder = tmp_path_factory.mktemp("wavering")
    said = [*VARIANTS[:2], WRONG[0]]
    rows = ({"prompt": f"double {i}", "completion": said[i % 3]} for i in range(42))
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"model": str(nano_model), "data": folder / "data.jsonl", "output": folder / "sft", "tuning": "full"}
    train_sft(load(SftTrainConfig, {**settings, "learning_rate": 5e-3, "max_steps": 60, "threads": 1}))
    return folder / "sft"


@pytest.fixture
def raft(wavering_model: Path, write_jsonl: Callable[..., Path]) -> Command:
    prompts = write_jsonl("prompts.jsonl", *({"id": f"p{i}", "prompt": f"double {i}"} for i in range(14)))
    settings = {
        "model": wavering_model,
        "prompts": prompts,
        "cycles": 2,
        "samples_per_prompt": 4,
        "generation_batch": 8,
    }
    drawing = {"max_new_tokens": 32, "temperature": 1, "holdout_fraction": 0.3, "patience": 0, "verifier": "gcc"}
    training = {"learning_rate": "1e-3", "batch_size": 4, "save_steps": 2, "epochs": 2, "threads": 1, "device": "cpu"}

    def command(output: Path, **more: object) -> list[str]:
        return ["raft", "train", *flags(**{**settings, **drawing, **training, **more, "output": output})]

    return command


def drawn(output: Path, name: str) -> list[tuple[object, ...]]:
    rollouts = read_rollouts(output / "rollouts" / f"{name}.jsonl")
    return [(r.completion.token_ids, r.completion.text, r.verdict.reward, r.verdict.stage, r.chunk) for r in rollouts]


def logprobs(output: Path, name: str) -> list[float]:
    return [value for r in read_rollouts(output / "rollouts" / f"{name}.jsonl") for value in r.completion.logprobs]


def state_of(output: Path) -> RunState:
    return read_status(output).state


def heard(output: Path, phase: str, cycle: int) -> bool:
    """Whether a phase is under way in a cycle."""
    events = read_events(output / "events.jsonl") if (output / "events.jsonl").exists() else ()
    return any(e.phase == phase and e.cycle == cycle and e.type is not EventType.PHASE_STARTED for e in events)


@pytest.mark.parametrize(
    ("launch", "objective"),
    [
        (TOGETHER, {"objective": "grpo", "kl_coefficient": 0.1}),
        pytest.param(TOGETHER, {"objective": "raft"}, marks=pytest.mark.slow),
        pytest.param(TOGETHER, {"start_from": "base", "tuning": "full"}, marks=pytest.mark.slow),
        pytest.param(PARTS, {"objective": "grpo"}, marks=pytest.mark.slow),
        pytest.param(PARTS, {"start_from": "base", "tuning": "full"}, marks=pytest.mark.slow),
        *(
            pytest.param(
                launch, objective, marks=[NEEDS_DEEPSPEED, pytest.mark.slow], id=f"{name}-{'-'.join(objective)}"
            )
            for name, launch in (("zero2", ZERO[2]), ("apart", None))
            for objective in ({"objective": "grpo"}, {"start_from": "base", "tuning": "full"})
        ),
    ],
)
def test_two_processes_decide_and_learn_what_one_does(
    raft: Command, tmp_path: Path, launch: tuple[str, ...] | None, objective: dict[str, object]
) -> None:
    launch = launch or zero_apart(tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    finish([str(TOLD), *raft(one, **objective)], one)
    finish([*launch, str(TOLD), *raft(two, **objective)], two)
    if launch is TOGETHER:
        for name in ("holdout_0", "cycle_1"):  # of the same weights, to the last bit
            assert logprobs(one, name) == logprobs(two, name)
    for name in ("holdout_0", "cycle_1", "holdout_1", "cycle_2", "holdout_2"):
        assert drawn(one, name) == drawn(two, name)
        assert max(abs(a - b) for a, b in zip(logprobs(one, name), logprobs(two, name), strict=True)) < 1e-4
    for cycle in (1, 2):
        kept = f"kept/cycle_{cycle}.jsonl"
        assert (one / kept).read_bytes() == (two / kept).read_bytes()
    alone, together = losses(one), losses(two)
    assert alone.keys() == together.keys() and len(alone) >= 8
    assert max(abs(alone[step] - together[step]) for step in alone) < 1e-4
    weights = ADAPTER if "tuning" not in objective else "model.safetensors"
    ours, theirs = (load_file(folder / "cycle_2_final" / weights) for folder in (one, two))
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}
    if "kl_coefficient" in objective:
        away = [e.m["divergence"] for e in read_events(two / "events.jsonl") if "divergence" in e.m]
        assert len(away) == len(together) and max(float(str(value)) for value in away) > 0


@pytest.mark.slow
def test_killed_while_it_draws_and_while_it_trains_it_ends_the_same(raft: Command, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    settings = {"objective": "grpo", "kl_coefficient": 0.1}
    finish([*TOGETHER, str(TOLD), *raft(whole, **settings)], whole)
    words = [*TOGETHER, str(TOLD), *raft(killed, **settings)]
    for phase, cycle in (("generate", 1), ("train", 1), ("generate", 2), ("train", 2)):
        process = start(words, killed)
        wait_until(lambda phase=phase, cycle=cycle: heard(killed, phase, cycle))  # type: ignore[misc]
        kill_all(process)
        wait_until(lambda: state_of(killed) is RunState.LOST, 10)
    finish(words, killed)
    for name in ("holdout_0", "cycle_1", "holdout_1", "cycle_2", "holdout_2"):
        assert drawn(whole, name) == drawn(killed, name)
        assert logprobs(whole, name) == logprobs(killed, name)
    for name in ("kept/cycle_1.jsonl", "kept/cycle_2.jsonl", f"cycle_1_final/{ADAPTER}", f"cycle_2_final/{ADAPTER}"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["generate", "train"])
@pytest.mark.parametrize(("rank", "end"), [(1, RunState.FAILED), (0, RunState.LOST)])
def test_a_process_that_dies_ends_the_run_truthfully(
    raft: Command, tmp_path: Path, phase: str, rank: int, end: RunState
) -> None:
    output = tmp_path / "run"
    words = [*TOGETHER, str(TOLD), *raft(output, samples_per_prompt=24, epochs=60)]
    process = start(words, output)
    wait_until(lambda: heard(output, phase, 1))
    processes_of(output, rank)[0].send_signal(signal.SIGKILL)
    assert process.wait(60) == 1
    wait_until(lambda: not processes_of(output), 10)
    status = read_status(output)
    assert status.state is end, said(output)[-3000:]
    if rank == 1:
        assert "another process of this training has ended" in status.message
    assert not (output / "final_model").exists()


@pytest.mark.slow
def test_a_stop_is_still_a_stop(raft: Command, tmp_path: Path) -> None:
    output = tmp_path / "run"
    process = start([*TOGETHER, str(COMMAND), *raft(output, samples_per_prompt=24)], output)
    wait_until(lambda: heard(output, "generate", 1))
    stop_run(output, 60)
    assert process.wait(60) == 1  # the launcher's code for whatever was not 0 below it
    assert state_of(output) is RunState.STOPPED
    wait_until(lambda: not processes_of(output), 10)


@pytest.fixture
def pair(
    wavering_model: Path, raft: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Machine]]:
    """Two machines that have the model and the prompts."""
    with joined_machines(2, tmp_path_factory.mktemp("machines"), tmp_path_factory.getbasetemp()) as machines:
        machines[1].bring(wavering_model, tmp_path / "prompts.jsonl")
        yield machines


@pytest.mark.slow
@needs_machines
@pytest.mark.parametrize("launch", [TOGETHER, PARTS])
def test_two_machines_decide_and_learn_what_one_process_does(
    raft: Command, pair: list[Machine], tmp_path: Path, launch: tuple[str, ...]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    finish([str(TOLD), *raft(one, objective="grpo")], one)
    finish_on(pair, launch, raft(two, objective="grpo"), two)
    for name in ("holdout_0", "cycle_1", "holdout_1", "cycle_2", "holdout_2"):
        assert drawn(one, name) == drawn(two, name)
    for cycle in (1, 2):
        assert (one / f"kept/cycle_{cycle}.jsonl").read_bytes() == (two / f"kept/cycle_{cycle}.jsonl").read_bytes()
    alone, together = losses(one), losses(two)
    assert alone.keys() == together.keys() and len(alone) >= 8
    assert max(abs(alone[step] - together[step]) for step in alone) < 1e-4
    assert not pair[1].sees(two).exists()


@pytest.mark.slow
@needs_machines
@pytest.mark.parametrize("phase", ["generate", "train"])
def test_a_link_that_falls_silent_ends_the_run_and_the_same_command_goes_on(
    raft: Command, pair: list[Machine], tmp_path: Path, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SILENCE_S", "12")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    settings = {"samples_per_prompt": 24, "epochs": 6}
    finish_on(pair, TOGETHER, raft(whole, **settings), whole)
    processes = start_on(pair, TOGETHER, raft(cut, **settings), cut)
    wait_until(lambda: heard(cut, phase, 1))
    pair[1].cut()
    assert [process.wait(180) for process in processes] == [1, 1], said_on(cut)
    status = read_status(cut)
    assert status.state is RunState.FAILED and "another process of this training has ended" in status.message
    assert not any(machine.processes() for machine in pair)
    pair[1].join()
    finish_on(pair, TOGETHER, raft(cut, **settings), cut)
    for name in ("cycle_1", "cycle_2", "holdout_2"):
        assert drawn(whole, name) == drawn(cut, name)
    for name in ("kept/cycle_2.jsonl", f"cycle_2_final/{ADAPTER}"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()
