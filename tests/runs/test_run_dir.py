from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import EnvironmentFault, Interrupted, RunConflictError, RunLockedError
from halo_forge.core.events import EventType, read_events
from halo_forge.runs.launch import InputFile, Judge
from halo_forge.runs.run_dir import check_output, is_complete, open_run, read_launch

INPUTS = {"prompts": InputFile(path="p.jsonl", sha256="aa", rows=3)}


def loaded(output: Path, **changes: object) -> Loaded[RaftTrainConfig]:
    return load(RaftTrainConfig, {"model": "m", "prompts": "p.jsonl", "output": output, **changes})


def started(output: Path) -> str:
    with open_run("raft", loaded(output), output, INPUTS) as run:
        run.rollouts("cycle_1").parent.mkdir(exist_ok=True)
        run.rollouts("cycle_1").touch()
        return run.context.run_id


def test_a_run_leaves_its_launch_settings_events_and_end(tmp_path: Path) -> None:
    output = tmp_path / "out"
    run_id = started(output)
    context = read_launch(output)
    assert context is not None and context.run_id == run_id
    assert context.params["cycles"] == 5
    assert yaml.safe_load((output / "config.yaml").read_text())["model"] == "m"
    assert [e.type for e in read_events(output / "events.jsonl")] == [EventType.RUN_STARTED, EventType.RUN_FINISHED]
    assert is_complete(output)


def test_continuing_keeps_the_launch_context_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "out"
    started(output)
    before = (output / "launch_context.json").read_bytes()
    with open_run("raft", loaded(output, cycles=9), output, INPUTS) as run:
        assert not is_complete(output)
        assert run.context.params["cycles"] == 5
    assert (output / "launch_context.json").read_bytes() == before


def test_changed_settings_and_data_are_refused_with_a_list(tmp_path: Path) -> None:
    output = tmp_path / "out"
    started(output)
    other = {"prompts": INPUTS["prompts"].model_copy(update={"sha256": "bb"})}
    config = loaded(output, temperature=1.0, seed=3).config
    with pytest.raises(RunConflictError) as caught:
        check_output(output, "raft", config, other)
    text = str(caught.value)
    for part in ("temperature was 0.7, now 1.0", "seed was 0, now 3", "the content of prompts (p.jsonl) changed"):
        assert part in text


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    output = tmp_path / "out"
    started(output)
    config = loaded(output).config
    with pytest.raises(RunConflictError, match="belongs to the raft run"):
        check_output(output, "sft", config, {})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("…")
    with pytest.raises(RunConflictError, match=r"holds other files \(thesis.txt\)"):
        check_output(tmp_path / "mine", "raft", config, INPUTS)
    with pytest.raises(RunConflictError, match="is a file"):
        check_output(tmp_path / "mine" / "thesis.txt", "raft", config, INPUTS)


def test_an_attempt_that_failed_before_any_work_is_not_in_the_way(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with pytest.raises(ValueError), open_run("raft", loaded(output), output, INPUTS):
        raise ValueError("no chat template")
    with open_run("raft", loaded(output, chat_template="chatml"), output, INPUTS) as run:
        assert run.context.params["chat_template"] == "chatml"
    assert [event.seq for event in read_events(output / "events.jsonl")] == [0, 1]


def test_another_verifier_in_mid_run_is_said(tmp_path: Path) -> None:
    output = tmp_path / "out"
    for version in ("gcc rules 1; g++ 12.2.0", "gcc rules 1; g++ 13.1.0"):
        with open_run("raft", loaded(output), output, INPUTS, judge=Judge("bubblewrap", version)) as run:
            run.rollouts("cycle_1").parent.mkdir(exist_ok=True)
    notices = [event for event in read_events(output / "events.jsonl") if event.type is EventType.NOTICE]
    assert ["g++ 12.2.0" in str(n.m["message"]) and "g++ 13.1.0" in str(n.m["message"]) for n in notices] == [True]


HOLD = """
import sys
from pathlib import Path
from halo_forge.runs.lock import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    output = tmp_path / "out"
    started(output)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, output], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunLockedError, match=f"being written by process {other.pid} on .*, since 20"):
            started(output)
        other.communicate("")
    assert started(output)


@pytest.mark.parametrize(
    ("error", "status", "code"), [(Interrupted("stop"), "stopped", 130), (ValueError("oh"), "failed", 1)]
)
def test_the_end_is_recorded_truthfully(tmp_path: Path, error: Exception, status: str, code: int) -> None:
    with pytest.raises(type(error)), open_run("raft", loaded(tmp_path / "out"), tmp_path / "out", INPUTS):
        raise error
    ended = json.loads((tmp_path / "out" / "exit.json").read_text())
    assert (ended["status"], ended["exit_code"]) == (status, code)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(small_disk: Path) -> None:
    output = small_disk / "out"
    with (
        pytest.raises(EnvironmentFault, match=r"disk of .* is full"),
        open_run("raft", loaded(output), output, INPUTS) as run,
    ):
        run.rollouts("cycle_1").parent.mkdir()
        while True:
            run.events.notice("x" * 1000)
    whole = len(list(read_events(output / "events.jsonl")))
    assert whole > 10
    with (output / "events.jsonl").open("ab") as file:
        os.ftruncate(file.fileno(), 50_000)
    assert started(output)
    assert [e.seq for e in read_events(output / "events.jsonl")][:10] == list(range(10))


def test_secrets_are_named_and_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdef")
    started(tmp_path / "out")
    text = (tmp_path / "out" / "launch_context.json").read_text()
    assert '"HF_TOKEN"' in text
    assert "hf_abcdef" not in text
