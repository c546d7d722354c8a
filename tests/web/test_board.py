from __future__ import annotations

import time
from pathlib import Path

import pytest
from sample_runs import opened

from halo_forge.runs.attempt import PROCESS_FILE, Asked, Supervision
from halo_forge.runs.control import kill_run
from halo_forge.runs.lock import hold_lock, read_holder
from halo_forge.runs.overview import Overview, overview
from halo_forge.runs.process import ProcessMark, this_process
from halo_forge.runs.run_dir import Exit
from halo_forge.web import board
from halo_forge.web.board import Board, Standing


def killed(folder: Path) -> str:
    """A run that began and did not say how it ended; gives its id."""
    with opened(folder) as run:
        run_id = run.context.run_id
    (folder / "exit.json").unlink()
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join(lines[:-1]))
    return run_id


def test_an_end_that_is_told_while_one_looks_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    run_id = killed(folder)
    shown = Board(tmp_path)
    assert shown.entry(run_id).standing is Standing.LOST
    told: list[Overview] = []

    def look(path: Path, root: Path | None = None) -> Overview:
        found = overview(path, root)
        if not told:  # the supervisor says it behind the look at the run, and before that at the processes
            told.append(found)
            ended = Exit(status="stopped", exit_code=130, message="it was killed", ended_at=time.time())
            (folder / "exit.json").write_text(ended.model_dump_json())
            attempt = Supervision(supervisor=this_process(), started=1, ended=time.time(), exit_status=-9)
            (folder / PROCESS_FILE).write_text(attempt.model_dump_json())
        return found

    monkeypatch.setattr(board, "overview", look)
    seen = shown.entry(run_id)
    assert told and (seen.standing, seen.run.ended) == (Standing.STOPPED, "it was killed")


def test_a_killed_process_that_takes_its_time_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does whose disk is slow: the signal is sent and the process still there."""
    sent: list[int] = []
    monkeypatch.setattr(ProcessMark, "signal", lambda _, number: sent.append(number) is not None)
    with opened(tmp_path / "run") as run:
        kill_run(run.path, wait_s=0)
        holder = read_holder(run.path)
        assert sent and holder is not None
        asked = Asked(what="kill", at=time.time())
        (run.path / "asked.json").write_text(asked.model_dump_json())
        assert Board(tmp_path).entry(run.context.run_id).standing is Standing.STOPPING


def test_who_writes_the_end_is_not_taken_for_a_run_at_work(tmp_path: Path) -> None:
    run_id = killed(tmp_path / "run")
    with hold_lock(tmp_path / "run", named=False):
        assert Board(tmp_path).entry(run_id).standing is Standing.LOST
