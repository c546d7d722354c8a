"""Two processes that accelerate started, beside one: the same losses."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from launched import (
    COMMAND,
    LAUNCH,
    NEEDS_DEEPSPEED,
    PARTS,
    PLAIN,
    ROWS,
    STEPS,
    TOGETHER,
    TOLD,
    ZERO,
    finish,
    kill_all,
    losses,
    processes_of,
    said,
    sft,
    start,
    wait_until,
    zero_apart,
)
from safetensors.torch import load_file

from halo_forge.cli.app import run
from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.events import read_events
from halo_forge.runs.state import RunState, read_status
from halo_forge.training import sharding
from halo_forge.training.team import open_team


@pytest.fixture
def data(write_jsonl: Callable[..., Path]) -> Path:
    return write_jsonl("data.jsonl", *ROWS)


@pytest.fixture(scope="module")
def by_one(nano_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Path]:
    """Train on the rows by one process, once for each tuning; gives the run."""
    runs: dict[str, Path] = {}

    def train(data: Path, tuning: str) -> Path:
        if tuning not in runs:
            output = tmp_path_factory.mktemp("alone") / tuning
            finish([str(TOLD), *sft(nano_model, data, output, tuning)], output)
            runs[tuning] = output
        return runs[tuning]

    return train


@pytest.mark.parametrize(
    ("launch", "tuning"),
    [
        (TOGETHER, "lora"),
        pytest.param(TOGETHER, "full", marks=pytest.mark.slow),
        (PARTS, "lora"),
        pytest.param(PARTS, "full", marks=pytest.mark.slow),
        pytest.param(ZERO[2], "lora", marks=NEEDS_DEEPSPEED, id="zero2-lora"),
        *(
            pytest.param(launch, tuning, marks=[NEEDS_DEEPSPEED, pytest.mark.slow], id=f"{name}-{tuning}")
            for name, launch, tuning in [
                ("zero1", ZERO[1], "full"),
                ("zero2", ZERO[2], "full"),
                ("zero3", ZERO[3], "full"),
                ("apart", None, "lora"),
                ("apart", None, "full"),
            ]
        ),
    ],
)
def test_two_processes_learn_what_one_does(
    nano_model: Path,
    data: Path,
    by_one: Callable[[Path, str], Path],
    tmp_path: Path,
    launch: tuple[str, ...] | None,
    tuning: str,
) -> None:
    one, two = by_one(data, tuning), tmp_path / "two"
    launch = launch or zero_apart(tmp_path)
    finish([*launch, str(TOLD), *sft(nano_model, data, two, tuning)], two)
    alone, together = losses(one), losses(two)
    assert sorted(alone) == sorted(together) == [(0, step) for step in range(1, STEPS + 1)]
    assert max(abs(alone[step] - together[step]) for step in alone) < 1e-4
    assert alone[0, STEPS] < alone[0, 1]
    name = "adapter_model.safetensors" if tuning == "lora" else "model.safetensors"
    ours, theirs = load_file(one / "final_model" / name), load_file(two / "final_model" / name)
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}
    assert all((ours[key] - theirs[key]).abs().max() < 1e-3 for key in ours)
    assert [event.seq for event in read_events(two / "events.jsonl")] == [
        *range(len([*read_events(two / "events.jsonl")]))
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launch", "sharding"),
    [(TOGETHER, "none"), (PARTS, "fsdp"), pytest.param(ZERO[3], "zero3", marks=NEEDS_DEEPSPEED, id="zero3")],
)
def test_more_processes_learn_what_one_does(
    nano_model: Path, data: Path, tmp_path: Path, launch: tuple[str, ...], sharding: str
) -> None:
    """Three, and four of which one gets no row of a batch; those by accelerate and by the command itself."""
    one, three, four = tmp_path / "one", tmp_path / "three", tmp_path / "four"
    few = ["--batch-size", "3"]
    finish([str(TOLD), *sft(nano_model, data, one, "full"), *few], one)
    finish([*launch, "--num_processes", "3", str(TOLD), *sft(nano_model, data, three, "full"), *few], three)
    asked = ["--launcher", "accelerate", "--num-processes", "4", "--sharding", sharding]
    finish(["-m", "halo_forge", *sft(nano_model, data, four, "full"), *few, *asked], four)
    alone = losses(one)
    assert sorted(losses(three)) == sorted(alone) == [(0, step) for step in range(1, STEPS + 1)]
    assert (0, STEPS) in losses(four)
    for output, count in ((three, 3), (four, 4)):
        assert f"{count} processes train together" in (output / "events.jsonl").read_text()
        assert max(abs(alone[step] - loss) for step, loss in losses(output).items()) < 1e-4
        ours, theirs = (load_file(folder / "final_model" / "model.safetensors") for folder in (one, output))
        assert all((ours[key] - theirs[key]).abs().max() < 1e-3 for key in ours | theirs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "launch",
    [
        TOGETHER,
        PARTS,
        pytest.param(ZERO[1], marks=NEEDS_DEEPSPEED, id="zero1"),
        pytest.param(ZERO[2], marks=NEEDS_DEEPSPEED, id="zero2"),
        pytest.param(None, marks=NEEDS_DEEPSPEED, id="apart"),
    ],
)
def test_two_processes_that_are_killed_go_on_to_the_same_end(
    nano_model: Path, data: Path, tmp_path: Path, launch: tuple[str, ...] | None
) -> None:
    launch = launch or zero_apart(tmp_path)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish([*launch, str(TOLD), *sft(nano_model, data, whole, "lora")], whole)
    words = [*launch, str(TOLD), *sft(nano_model, data, killed, "lora")]
    process = start(words, killed)
    wait_until(lambda: any(step >= 9 for _, step in losses(killed)))
    kill_all(process)
    assert not (killed / "final_model").exists()
    finish(words, killed)
    name = "final_model/adapter_model.safetensors"
    assert (killed / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "ways",
    [
        (PARTS, ()),
        pytest.param((ZERO[2], ()), marks=NEEDS_DEEPSPEED),
        pytest.param((None, ()), marks=NEEDS_DEEPSPEED),
        pytest.param(((), None), marks=NEEDS_DEEPSPEED),
        pytest.param((PARTS, ZERO[1]), marks=NEEDS_DEEPSPEED),
    ],
)
def test_what_was_begun_in_one_way_goes_on_in_another(
    nano_model: Path, data: Path, tmp_path: Path, ways: tuple[tuple[str, ...] | None, ...]
) -> None:
    alone, moved = tmp_path / "alone", tmp_path / "moved"
    begun, ended = (zero_apart(tmp_path) if way is None else way for way in ways)
    finish([str(TOLD), *sft(nano_model, data, alone, "full")], alone)
    process = start([*begun, str(TOLD), *sft(nano_model, data, moved, "full")], moved)
    wait_until(lambda: any(step >= 9 for _, step in losses(moved)))
    kill_all(process)
    assert not (moved / "final_model").exists()
    finish([*ended, str(TOLD), *sft(nano_model, data, moved, "full")], moved)
    expected, got = losses(alone), losses(moved)
    assert expected.keys() == got.keys()
    assert max(abs(expected[step] - got[step]) for step in expected) < 1e-4
    ours, theirs = (load_file(folder / "final_model" / "model.safetensors") for folder in (alone, moved))
    assert all((ours[key] - theirs[key]).abs().max() < 1e-3 for key in theirs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "launch",
    [
        pytest.param(PARTS, id="fsdp"),
        pytest.param(ZERO[2], marks=NEEDS_DEEPSPEED, id="zero2"),
        pytest.param(None, marks=NEEDS_DEEPSPEED, id="apart"),
    ],
)
def test_a_process_that_dies_while_all_compute_is_put_into_words(
    nano_model: Path, data: Path, tmp_path: Path, launch: tuple[str, ...] | None
) -> None:
    output = tmp_path / "run"
    launch = launch or zero_apart(tmp_path)
    words = [*launch, str(TOLD), *sft(nano_model, data, output, "lora"), "--max-steps", "4000"]
    process = start(words, output)
    wait_until(lambda: any(step >= 5 for _, step in losses(output)))
    processes_of(output, 1)[0].send_signal(signal.SIGKILL)
    assert process.wait(60) == 1
    wait_until(lambda: not processes_of(output), 10)
    status = read_status(output)
    assert status.state is RunState.FAILED, said(output)[-3000:]
    assert "another process of this training has ended" in status.message


@pytest.mark.parametrize("way", ["none", pytest.param("zero3", marks=[NEEDS_DEEPSPEED, pytest.mark.slow])])
def test_the_command_starts_its_processes_itself(nano_model: Path, data: Path, tmp_path: Path, way: str) -> None:
    output = tmp_path / "run"
    asked = ["--launcher", "accelerate", "--num-processes", "2", "--sharding", way]
    finish(["-m", "halo_forge", *sft(nano_model, data, output, "lora"), *asked], output)
    assert (output / "final_model" / "adapter_model.safetensors").exists()
    events = (output / "events.jsonl").read_text()
    assert "2 processes" in events
    assert ("holds a part of the model" in events) == (way != "none")


@pytest.mark.slow
def test_a_launcher_that_starts_one_of_two_is_told_what_to_say(nano_model: Path, data: Path, tmp_path: Path) -> None:
    """That is what accelerate does without --multi_gpu where there are not several GPUs."""
    output = tmp_path / "run"
    words = [*LAUNCH, *PLAIN, str(COMMAND), *sft(nano_model, data, output, "lora")]
    assert start(words, output).wait(120) == 1
    assert "give it --multi_gpu" in said(output)
    assert not output.exists()
    asked = [*TOGETHER, str(COMMAND), *sft(nano_model, data, output, "lora")]
    finish(asked, output)
    assert "2 processes" in (output / "events.jsonl").read_text()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}, "give --fsdp_version 2"),
        (
            {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_ACTIVATION_CHECKPOINTING": "true"},
            "give --gradient-checkpointing here",
        ),
    ],
)
def test_what_is_not_done_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], answer: str
) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", **asked}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=answer):
        open_team()


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "find_spec", lambda name: None)
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "ACCELERATE_USE_DEEPSPEED": "true"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EnvironmentFault, match=r"pip install 'halo-forge\[deepspeed\]'"):
        open_team()


@pytest.mark.parametrize(("way", "launch"), [("fsdp", "--use_fsdp"), ("zero3", "--use_deepspeed --zero_stage 3")])
def test_parts_need_several_processes(
    nano_model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str, launch: str
) -> None:
    assert run([*sft(nano_model, data, tmp_path / "run", "lora"), "--sharding", way]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"--sharding {way} needs several processes" in told and launch in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("way", ["FSDP", "DEEPSPEED"])
def test_one_process_is_not_cut(
    nano_model: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    way: str,
) -> None:
    for name, value in {"WORLD_SIZE": "1", "RANK": "0", f"ACCELERATE_USE_{way}": "true"}.items():
        monkeypatch.setenv(name, value)
    assert run(sft(nano_model, data, tmp_path / "run", "lora")) == 2
    assert "asks for a model in parts, and there is one process" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launch", "name"), [(PARTS, "FSDP"), pytest.param(ZERO[2], "DeepSpeed", marks=NEEDS_DEEPSPEED)]
)
def test_what_parts_do_not_go_with_is_refused(
    nano_model: Path, data: Path, tmp_path: Path, launch: tuple[str, ...], name: str
) -> None:
    output = tmp_path / "run"
    words = [*launch, str(COMMAND), *sft(nano_model, data, output, "lora"), "--packing"]
    process = start(words, output)
    assert process.wait(120) == 1
    assert f"--packing does not go with {name} here" in said(output)
    assert read_status(output).state is RunState.FAILED
    wait_until(lambda: not processes_of(output), 10)
