"""`halo-forge runs` on real folders; the SFT run in it is a real one on a tiny model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sample_runs import finished_run, opened

from halo_forge.cli.app import run
from halo_forge.core.errors import Interrupted
from halo_forge.core.events import EventType, read_events
from halo_forge.runs.run_dir import is_complete, read_launch


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    finished_run(tmp_path / "models" / "done")
    with pytest.raises(Interrupted), opened(tmp_path / "models" / "held") as held:
        held.events.emit(EventType.PHASE_STARTED, cycle=1, phase="generate", total=80, done=0)
        held.events.emit(EventType.PROGRESS, cycle=1, phase="generate", step=64)
        held.events.notice("a prompt was left out")
        raise Interrupted("stopped at a safe point")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_runs_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "list"]) == 0
    out = capsys.readouterr().out
    for word in (
        "models/done",
        "finished",
        "held-out pass@1 50.0%",
        "models/held",
        "stopped",
        "cycle 1 generate 64/80",
    ):
        assert word in out
    assert run(["runs", "list", "--state", "stopped", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert [(r["name"], r["progress"]["step"]) for r in listing["runs"]] == [("models/held", 64)]
    assert run(["runs", "list", "--state", "asleep"]) == 2
    assert "queued, running, finished, stopped, failed, lost" in capsys.readouterr().err
    assert run(["runs", "list", "--root", "models/done/kept"]) == 2


def test_a_run_is_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "show", "models/held"]) == 0
    out = capsys.readouterr().out
    for word in ("stopped at a safe point", "a prompt was left out", "halo-forge runs resume", "p.jsonl"):
        assert word in out
    assert "temperature" not in out
    assert run(["runs", "show", "models/done", "--json"]) == 0
    detail = json.loads(capsys.readouterr().out)
    assert [cycle["cycle"] for cycle in detail["cycles"]] == [0, 1, 2, 3]
    assert detail["resume"] is None and detail["run"]["state"] == "finished"
    assert run(["runs", "show", "models/hold"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_logs_are_the_events_in_words_or_as_they_are(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "logs", "models/held"]) == 0
    assert "note: a prompt was left out" in capsys.readouterr().out
    assert run(["runs", "logs", "models/held", "--json", "-n", "2"]) == 0
    assert [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()] == ["notice", "run_stopped"]
    (root / "models" / "held" / "console.log").write_text("one\ntwo\n")
    assert run(["runs", "logs", "models/held", "-n", "1"]) == 0
    assert capsys.readouterr().out == "two\n"


def test_logs_are_followed_until_the_run_ends(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with opened(root / "busy") as busy:
        follower = subprocess.Popen(
            [sys.executable, "-m", "halo_forge", "runs", "logs", "busy", "-f", "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert follower.stdout is not None
        assert "run_started" in follower.stdout.readline()
        busy.events.notice("news")
        assert "news" in follower.stdout.readline()
        assert follower.poll() is None
    rest, _ = follower.communicate(timeout=60)
    assert "run_finished" in rest and follower.returncode == 0


def test_removing_asks_first(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["runs", "rm", "models/held"]) == 130
    assert (root / "models" / "held").exists()
    assert run(["runs", "rm", "models/held", "--yes"]) == 0
    assert not (root / "models" / "held").exists()
    with opened(root / "busy"):
        assert run(["runs", "rm", "busy", "--yes"]) == 2
    assert (root / "busy").exists()


def test_space_is_freed_after_a_look(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = root / "models" / "done" / "cycle_1_final"
    assert run(["runs", "gc", "--checkpoints", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [item["path"] for plan in told["runs"] for item in plan["leftovers"]] == [str(first)]
    assert first.exists()
    assert run(["runs", "gc", "--checkpoints"]) == 0
    assert "neither the best cycle nor the last" in capsys.readouterr().out
    assert not first.exists()


@pytest.fixture
def sft(nano_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    rows = [{"prompt": f"add {i}", "completion": f"n + {i};"} for i in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    flags = ["--model", os.path.relpath(nano_model), "--data", "rows.jsonl", "--save-steps", "1", "--batch-size", "4"]
    return ["sft", "train", *flags, "--max-steps", "120", "--output", "out", "--tuning", "full"]


def test_a_stopped_run_is_resumed_from_another_folder_and_run_again(
    sft: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "halo_forge", *sft], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    events = tmp_path / "out" / "events.jsonl"
    deadline = time.monotonic() + 120
    while not any(event.type is EventType.STEP for event in read_events(events)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    assert run(["runs", "stop", "out", "--wait-s", "60"]) == 0
    assert process.wait(60) == 130
    assert "is stopped" in capsys.readouterr().out
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    assert run(["runs", "resume", "out", "--root", ".."]) == 0
    assert is_complete(tmp_path / "out")
    steps = [event.step for event in read_events(events) if event.type is EventType.STEP]
    assert steps[-1] == 120
    assert sum(event.type is EventType.RUN_STARTED for event in read_events(events)) == 2
    monkeypatch.chdir(tmp_path / "away")
    assert run(["runs", "resume", "../out"]) == 2
    assert "has finished" in capsys.readouterr().err
    assert run(["runs", "rerun", "../out", "--set", "max_steps=3", "--output", "again"]) == 0
    first, again = read_launch(tmp_path / "out"), read_launch(tmp_path / "away" / "again")
    assert first is not None and again is not None
    assert again.parent == first.run_id and again.params["max_steps"] == 3
    assert is_complete(tmp_path / "away" / "again")
