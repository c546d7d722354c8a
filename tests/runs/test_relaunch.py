from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from sample_runs import INPUTS, finished_run, opened, raft_settings

from halo_forge.config.schemas import SCHEMAS
from halo_forge.core.errors import ConfigError, Interrupted, RunConflictError
from halo_forge.runs.relaunch import COMMANDS, changed_settings, plan_rerun, plan_resume, resume_command
from halo_forge.runs.run_dir import check_output, open_run, read_launch


@pytest.fixture
def held(tmp_path: Path) -> Path:
    with pytest.raises(Interrupted), opened(tmp_path / "held", temperature=0.9, lora_targets=("q_proj", "v_proj")):
        raise Interrupted("stopped")
    return tmp_path / "held"


def test_a_resumed_run_has_the_settings_it_was_started_with(held: Path) -> None:
    plan = plan_resume(held, {})
    config = plan.loaded.config
    assert plan.command == "raft train"
    assert config.model_dump()["temperature"] == 0.9
    assert check_output(held, "raft", config, INPUTS) is not None
    assert plan.loaded.origins["temperature"].endswith("launch_context.json")
    assert plan.loaded.origins["cycles"] == "default"
    assert plan.cwd == Path.cwd()


def test_the_command_line_that_is_stored_is_never_used(held: Path) -> None:
    file = held / "launch_context.json"
    context = json.loads(file.read_text())
    file.write_text(json.dumps({**context, "argv": ["halo-forge", "raft", "train", "--temperature", "5"]}))
    assert plan_resume(held, {}).loaded.config.model_dump()["temperature"] == 0.9
    file.write_text(json.dumps({**context, "params": {**context["params"], "temperature": "; rm -rf"}}))
    with pytest.raises(ConfigError, match="temperature"):
        plan_resume(held, {})


def test_a_moved_run_goes_on_where_it_is(held: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "run"
    moved.parent.mkdir()
    shutil.move(held, moved)
    assert plan_resume(moved, {}).loaded.config.model_dump()["output"] == moved


def test_only_what_may_change_changes_and_the_last_change_counts(held: Path) -> None:
    assert plan_resume(held, {"cycles": 9}).loaded.config.model_dump()["cycles"] == 9
    with pytest.raises(ConfigError, match=r"temperature cannot change.*cycles.*runs rerun"):
        plan_resume(held, {"temperature": 0.1})
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        plan_resume(held, {"temprature": 0.1})
    settings = raft_settings(held, temperature=0.9, lora_targets=("q_proj", "v_proj"), cycles=7)
    with pytest.raises(Interrupted), open_run("raft", settings, held, INPUTS):
        raise Interrupted("stopped")
    assert plan_resume(held, {}).loaded.config.model_dump()["cycles"] == 7


def test_a_finished_run_and_a_running_one_are_not_resumed(tmp_path: Path) -> None:
    done = finished_run(tmp_path / "done")
    with pytest.raises(RunConflictError, match=r"has finished: give --set cycles=N"):
        plan_resume(done, {})
    assert resume_command(done) is None
    assert plan_resume(done, {"cycles": 6}).command == "raft train"
    with opened(tmp_path / "busy"), pytest.raises(RunConflictError, match="is running"):
        plan_resume(tmp_path / "busy", {})


def test_a_kind_that_cannot_go_on_is_refused(held: Path) -> None:
    file = held / "launch_context.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "kind": "walk"}))
    for make in (lambda: plan_resume(held, {}), lambda: plan_rerun(held, None, {})):
        with pytest.raises(RunConflictError, match=r"is a walk run.*these can: sft, raft"):
            make()
    assert resume_command(held) is None


def test_a_rerun_is_a_new_run_with_a_parent(held: Path) -> None:
    plan = plan_rerun(held, None, {"seed": 3})
    output = held.parent / "held-2"
    config = plan.loaded.config
    assert config.model_dump()["output"] == output and config.model_dump()["seed"] == 3
    with open_run("raft", plan.loaded, output, INPUTS):
        pass
    old, new = read_launch(held), read_launch(output)
    assert old is not None and new is not None
    assert (new.parent, old.parent) == (old.run_id, None)
    assert new.run_id != old.run_id
    assert plan_rerun(output, None, {}).loaded.config.model_dump()["output"] == held.parent / "held-3"
    with pytest.raises(ConfigError, match="--output"):
        plan_rerun(held, None, {"output": "x"})


def test_a_changed_environment_is_told(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert plan_resume(held, {}).changed_environment == {"OMP_NUM_THREADS": (before, "7")}


def test_settings_that_are_not_the_defaults(held: Path) -> None:
    context = read_launch(held)
    assert context is not None
    assert changed_settings(context) == {
        "model": "m",
        "prompts": "p.jsonl",
        "output": str(held),
        "temperature": 0.9,
        "lora_targets": ["q_proj", "v_proj"],
    }


def test_every_kind_has_a_command_with_a_schema() -> None:
    assert set(COMMANDS.values()) <= set(SCHEMAS)
