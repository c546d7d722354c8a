from __future__ import annotations

from pathlib import Path

import pytest
from sample_runs import finished_run

from halo_forge.core.errors import RunConflictError
from halo_forge.runs.aside import FOLDER, erase, list_set_aside, put_back, set_aside
from halo_forge.runs.housekeeping import Cleaning, plan_cleaning
from halo_forge.runs.overview import list_runs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = finished_run(tmp_path / "runs" / "one")
    (made / "rollouts" / "cycle_3.jsonl.partial").write_text("half")
    return made


def plan(folder: Path) -> Cleaning:
    return plan_cleaning(folder, checkpoints=True, root=folder.parent)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_was_set_aside_is_put_back_as_it_was(folder: Path) -> None:
    before, planned = files(folder), {str(item.path.relative_to(folder)) for item in plan(folder).leftovers}
    assert planned == {"rollouts/cycle_3.jsonl.partial", "cycle_1_final"}
    assert set_aside(plan(folder)) > 100_000
    assert not (folder / "cycle_1_final").exists() and plan(folder).leftovers == ()
    assert {item.name for item in list_set_aside(folder)} == planned
    assert [run.path for run in list_runs(folder.parent).runs] == [folder]
    assert put_back(folder) == 2
    assert files(folder) == before and not (folder / FOLDER).exists()


def test_what_is_erased_is_gone(folder: Path) -> None:
    set_aside(plan(folder))
    assert erase(folder) > 100_000
    assert list_set_aside(folder) == () and not (folder / FOLDER).exists() and put_back(folder) == 0


def test_what_the_run_made_again_is_not_overwritten(folder: Path) -> None:
    set_aside(plan(folder))
    (folder / "cycle_1_final").mkdir()
    (folder / "cycle_1_final" / "config.json").write_text("new")
    with pytest.raises(RunConflictError, match="there again"):
        put_back(folder)
    assert (folder / "cycle_1_final" / "config.json").read_text() == "new"
    assert (folder / FOLDER / "rollouts" / "cycle_3.jsonl.partial").exists()


def test_a_link_in_its_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "cycle_1_final").mkdir(parents=True)
    (folder / FOLDER).symlink_to(other)
    with pytest.raises(RunConflictError, match="link"):
        set_aside(plan(folder))
    assert (other / "cycle_1_final").exists() and (folder / "cycle_1_final").exists()
    assert list_set_aside(folder) == ()
