"""Processes on machines of their own, beside one process: the same losses, whatever becomes of the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched import PARTS, TOGETHER, TOLD, finish, finish_on, flags, losses, said_on, start_on, wait_until
from machines import Machine, joined_machines, needs_machines
from safetensors.torch import load_file, save_file

from halo_forge.runs.state import RunState, read_status

pytestmark = [pytest.mark.slow, needs_machines]
STEPS = 40
ADAPTER = "final_model/adapter_model.safetensors"
Command = Callable[..., list[str]]


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    with joined_machines(3, tmp_path_factory.mktemp("machines"), tmp_path_factory.getbasetemp()) as joined:
        yield joined


@pytest.fixture
def sft(nano_model: Path, write_jsonl: Callable[..., Path], machines: list[Machine]) -> Command:
    rows = ({"prompt": f"double {i} please " + "now " * (i % 7), "completion": f"n * 2 + {i}"} for i in range(40))
    data = write_jsonl("data.jsonl", *rows)
    for machine in machines:
        machine.bring(nano_model, data)
    settings = {"model": nano_model, "data": data, "max_steps": STEPS, "batch_size": 6, "learning_rate": "1e-3"}
    more = {"save_steps": 4, "device": "cpu", "dtype": "float32", "threads": 1, "tuning": "lora"}

    def command(output: Path, **other: object) -> list[str]:
        return ["sft", "train", *flags(**{**settings, **more, **other, "output": output})]

    return command


@pytest.mark.parametrize(
    ("launch", "count", "tuning"), [(TOGETHER, 2, "lora"), (PARTS, 2, "full"), (TOGETHER, 3, "full")]
)
def test_machines_learn_what_one_process_does(
    machines: list[Machine], sft: Command, tmp_path: Path, launch: tuple[str, ...], count: int, tuning: str
) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    finish([str(TOLD), *sft(one, tuning=tuning)], one)
    finish_on(machines[:count], launch, sft(many, tuning=tuning), many)
    alone, together = losses(one), losses(many)
    assert sorted(alone) == sorted(together) == [(0, step) for step in range(1, STEPS + 1)]
    assert max(abs(alone[step] - together[step]) for step in alone) < 1e-4
    name = ADAPTER if tuning == "lora" else "final_model/model.safetensors"
    ours, theirs = load_file(one / name), load_file(many / name)
    assert all((ours[key] - theirs[key]).abs().max() < 1e-3 for key in ours | theirs)
    assert not any(machine.sees(many).exists() for machine in machines[1:])  # only the first one writes


def under_way(output: Path, step: int = 9) -> Callable[[], bool]:
    return lambda: any(at >= step for _, at in losses(output))


@pytest.mark.parametrize("launch", [TOGETHER, PARTS])
def test_a_link_that_falls_silent_ends_the_run_and_the_same_command_goes_on(
    machines: list[Machine], sft: Command, tmp_path: Path, launch: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SILENCE_S", "12")
    pair, whole, cut = machines[:2], tmp_path / "whole", tmp_path / "cut"
    finish_on(pair, launch, sft(whole), whole)
    processes = start_on(pair, launch, sft(cut), cut)
    wait_until(under_way(cut))
    pair[1].cut()
    assert [process.wait(120) for process in processes] == [1, 1], said_on(cut)
    status = read_status(cut)
    assert status.state is RunState.FAILED and "another process of this training has ended" in status.message
    assert "another process of this training has ended" in cut.with_suffix(".1.log").read_text()
    assert not any(machine.processes() for machine in pair)
    pair[1].join()
    finish_on(pair, launch, sft(cut), cut)
    assert (cut / ADAPTER).read_bytes() == (whole / ADAPTER).read_bytes()


def test_a_link_that_comes_back_in_time_is_waited_for(machines: list[Machine], sft: Command, tmp_path: Path) -> None:
    pair, whole, cut = machines[:2], tmp_path / "whole", tmp_path / "cut"
    finish_on(pair, TOGETHER, sft(whole), whole)
    processes = start_on(pair, TOGETHER, sft(cut), cut)
    wait_until(under_way(cut))
    pair[1].cut()
    time.sleep(1)  # for what is on its way
    reached = max(losses(cut))
    time.sleep(5)
    assert max(losses(cut)) == reached < (0, STEPS)
    pair[1].join()
    assert [process.wait(120) for process in processes] == [0, 0], said_on(cut)
    assert (cut / ADAPTER).read_bytes() == (whole / ADAPTER).read_bytes()


@pytest.mark.parametrize(("lost", "end"), [(1, RunState.FAILED), (0, RunState.LOST)])
def test_a_machine_that_dies_ends_the_run_truthfully(
    machines: list[Machine], sft: Command, tmp_path: Path, lost: int, end: RunState
) -> None:
    pair, output = machines[:2], tmp_path / "run"
    processes = start_on(pair, TOGETHER, sft(output), output)
    wait_until(under_way(output))
    pair[lost].kill()
    assert processes[1 - lost].wait(60) == 1, said_on(output)
    wait_until(lambda: not any(machine.processes() for machine in pair), 30)
    assert read_status(output).state is end
    assert not (output / "final_model").exists()


def test_a_first_machine_known_to_itself_alone_is_refused(
    machines: list[Machine], sft: Command, tmp_path: Path
) -> None:
    """A name that stands for 127.0.1.1 in /etc/hosts, as Debian's installer writes it."""
    output = tmp_path / "run"
    machines[0].address = machines[0].name
    (first, second) = start_on(machines[:2], TOGETHER, sft(output), output)
    assert first.wait(60) == 1, said_on(output)
    assert "which other machines cannot reach" in output.with_suffix(".0.log").read_text()
    second.kill()
    assert not output.exists()


@pytest.mark.parametrize("launch", [TOGETHER, PARTS])
def test_another_machine_with_another_model_is_refused(
    machines: list[Machine], nano_model: Path, sft: Command, tmp_path: Path, launch: tuple[str, ...]
) -> None:
    """Of the same shapes, under the same path; only the adapter's weights are sent."""
    output, file = tmp_path / "run", machines[1].sees(nano_model / "model.safetensors")
    weights = load_file(file)
    save_file({name: weight * 1.5 for name, weight in weights.items()}, file, {"format": "pt"})
    processes = start_on(machines[:2], launch, sft(output), output)
    assert [process.wait(120) for process in processes] == [1, 1], said_on(output)
    assert "hold other weights than those of the first process" in read_status(output).message
    assert machines[1].name in read_status(output).message
