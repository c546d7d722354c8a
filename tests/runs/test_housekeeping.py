from __future__ import annotations

from pathlib import Path

import pytest
from sample_runs import finished_run, opened

from halo_forge.core.errors import RunConflictError
from halo_forge.runs.housekeeping import clean, dependants, plan_cleaning, remove_run
from halo_forge.runs.run_dir import is_complete


def litter(folder: Path) -> None:
    (folder / "rollouts").mkdir(exist_ok=True)
    (folder / "rollouts" / "x.jsonl.partial").write_bytes(bytes(5000))
    (folder / "cycle_9_final.partial").mkdir()
    (folder / "cycle_9_final.partial" / "model.safetensors").write_bytes(bytes(5000))
    (folder / "training_state").mkdir()
    (folder / "training_state" / "state.pt").write_bytes(bytes(5000))
    (folder / "training_state" / "state.partial").write_bytes(bytes(5000))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_finished_run_is_freed_of_all_but_best_and_last(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    litter(folder)
    before = names(folder)
    plan = plan_cleaning(folder, checkpoints=True, root=tmp_path)
    assert names(folder) == before
    assert {str(item.path.relative_to(folder)) for item in plan.leftovers} == {
        "rollouts/x.jsonl.partial",
        "cycle_9_final.partial",
        "training_state",
        "cycle_1_final",
    }
    assert "cycle_2_final: the best cycle" in plan.spared and "cycle_3_final: the last cycle" in plan.spared
    freed = clean(plan)
    assert freed >= 100_000
    assert before - names(folder) == {"cycle_9_final.partial", "training_state", "cycle_1_final"}
    assert is_complete(folder)
    assert plan_cleaning(folder, checkpoints=True, root=tmp_path).leftovers == ()


def test_checkpoints_stay_unless_asked_for(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    assert plan_cleaning(folder, checkpoints=False, root=tmp_path).leftovers == ()


def test_an_unfinished_run_keeps_what_it_goes_on_from(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    litter(folder)
    (folder / "exit.json").unlink()
    plan = plan_cleaning(folder, checkpoints=True, root=tmp_path)
    assert {item.path.name for item in plan.leftovers} == {
        "x.jsonl.partial",
        "cycle_9_final.partial",
        "state.partial",
    }
    assert len(plan.spared) == 2


def test_a_running_run_is_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as run:
        litter(run.path)
        assert plan_cleaning(run.path, checkpoints=True, root=tmp_path).leftovers == ()
        with pytest.raises(RunConflictError, match=r"is running .*Nothing was removed"):
            remove_run(run.path)


def test_a_checkpoint_that_another_run_started_from_stays(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    finished_run(tmp_path / "other", model=str(folder / "cycle_1_final"))
    plan = plan_cleaning(folder, checkpoints=True, root=tmp_path)
    assert plan.leftovers == ()
    assert "cycle_1_final: another run started from it" in plan.spared
    assert dependants(folder, tmp_path) == [tmp_path / "other"]
    assert dependants(tmp_path / "other", tmp_path) == []


def test_files_that_are_kept_elsewhere_free_nothing(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    (tmp_path / "copy").hardlink_to(folder / "cycle_1_final" / "model.safetensors")
    (item,) = plan_cleaning(folder, checkpoints=True, root=tmp_path).leftovers
    assert item.size < 10_000


def test_runs_are_removed_and_nothing_else(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    remove_run(folder)
    assert not folder.exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(RunConflictError, match="holds no run"):
        remove_run(tmp_path / "mine")
    demo = finished_run(tmp_path / "demo")
    with opened(demo / "raft"), pytest.raises(RunConflictError, match="Nothing was removed"):
        remove_run(demo)
    assert is_complete(demo)
