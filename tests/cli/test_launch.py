"""What the commands that make a run share, tried with small jobs of our own and with the real SFT on a tiny model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from rich.console import Console

from halo_forge.cli.app import app, run
from halo_forge.cli.launch import Job, run_command
from halo_forge.cli.tables import show_sft
from halo_forge.config.load import Loaded
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.events import EventType, Listener
from halo_forge.runs.plan import Plan
from halo_forge.runs.run_dir import open_run
from halo_forge.runs.summary import SftSummary, TrainingFigures

SUMMARY = SftSummary(
    run_id="r",
    model="m",
    seed=0,
    rows=12,
    dropped={},
    training=TrainingFigures(
        rows=12, steps=3, learnt_tokens=100, mean_loss=0.6, last_loss=0.5, learning_rate=2e-4, weight_change=0.01
    ),
    wall_s=2.0,
)


def train(loaded: Loaded[SftTrainConfig], listeners: tuple[Listener, ...]) -> SftSummary:
    """Go through a run without training anything."""
    with open_run("sft", loaded, loaded.config.output, {}, listeners=listeners) as opened:
        opened.events.emit(EventType.PHASE_STARTED, phase="train", total=3, done=0)
        opened.events.emit(EventType.STEP, phase="train", step=3, total=3, loss=0.5)
        opened.events.notice("one row was dropped")
        if loaded.config.seed == 13:
            raise ZeroDivisionError("unlucky")
        opened.events.emit(EventType.PHASE_FINISHED, phase="train", wall_s=1.0)
        (opened.path / "summary.json").write_text(SUMMARY.model_dump_json())
    return SUMMARY


def plan(loaded: Loaded[SftTrainConfig]) -> Plan:
    return Plan((("start", loaded.config.model),))


def folder(config: SftTrainConfig) -> Path:
    return config.output


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The arguments of a run by a command that does everything but train."""
    command = run_command("job", Job(SftTrainConfig, train, folder, show_sft, plan, resumable=True))
    monkeypatch.setitem(app.commands, "job", command)
    return ["job", "--model", "m", "--data", "rows.jsonl", "--output", str(tmp_path / "run")]


def test_a_run_prints_its_summary_and_where_things_are(
    job: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(job) == 0
    captured = capsys.readouterr()
    assert "SFT of m" in captured.out
    assert f"run     {tmp_path / 'run'}\n" in captured.out
    assert "note: one row was dropped" in captured.err
    assert "note: one row was dropped" in (tmp_path / "run" / "console.log").read_text()


def test_json_is_all_there_is_on_stdout(job: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*job, "--json"]) == 0
    captured = capsys.readouterr()
    assert SftSummary.model_validate_json(captured.out) == SUMMARY
    assert f"run     {tmp_path / 'run'}\n" in captured.err


def test_dry_run_shows_settings_and_plan_and_writes_nothing(
    job: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*job, "--dry-run", "--epochs", "2"]) == 0
    out = capsys.readouterr().out
    assert "epochs: 2.0  # flag" in out
    assert "batch_size: 16  # default" in out
    assert "Nothing was run" in out
    assert not (tmp_path / "run").exists()


def test_dry_run_as_json(job: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*job, "--dry-run", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["plan"] == {"start": "m"}
    assert content["settings"]["batch_size"] == 16


def test_resume_needs_a_run(job: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*job, "--resume"]) == 2
    assert "holds no run to continue" in capsys.readouterr().err
    assert run(job) == 0
    assert run([*job, "--resume"]) == 0
    assert f"continuing sft run {json.loads((tmp_path / 'run/launch_context.json').read_text())['run_id']}" in (
        capsys.readouterr().err
    )


def test_a_failing_run_ends_in_one_line(job: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*job, "--seed", "13"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == (
        "halo-forge: error: ZeroDivisionError: unlucky; run again with --debug for the traceback"
    )
    assert "Traceback" not in captured.err
    assert "failed after" in (tmp_path / "run" / "console.log").read_text()


def test_a_run_that_was_complete_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    def again(loaded: Loaded[SftTrainConfig], listeners: tuple[Listener, ...]) -> SftSummary:
        return SUMMARY

    def show(summary: SftSummary, console: Console) -> None:
        console.print("shown")

    args = ["job", "--model", "m", "--data", "rows.jsonl", "--output", str(tmp_path / "run")]
    monkeypatch.setitem(app.commands, "job", run_command("job", Job(SftTrainConfig, train, folder, show)))
    assert run(args) == 0
    monkeypatch.setitem(app.commands, "job", run_command("job", Job(SftTrainConfig, again, folder, show)))
    capsys.readouterr()
    assert run(args) == 0
    captured = capsys.readouterr()
    assert "complete already" in captured.err
    assert captured.out.startswith("shown\n")


def test_flags_that_a_job_does_not_have_are_refused() -> None:
    command = run_command("job", Job(SftTrainConfig, train, folder, show_sft))
    for flag in ("--dry-run", "--resume"):
        with pytest.raises(click.NoSuchOption):
            command.make_context("job", [flag])


def sft(output: Path, model: Path, data: Path, *more: str) -> list[str]:
    words = ["sft", "train", "--model", str(model), "--data", str(data), "--output", str(output), "--tuning", "full"]
    return [*words, "--max-length", "64", "--batch-size", "4", *more]


def start(words: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "halo_forge", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def rows(write_jsonl) -> Path:
    return write_jsonl("rows.jsonl", *({"prompt": f"Write f{i}.", "completion": f"int f{i}();"} for i in range(32)))


def test_a_real_run_is_quiet_but_for_its_own_lines(nano_model: Path, rows: Path, tmp_path: Path) -> None:
    process = start(sft(tmp_path / "sft", nano_model, rows, "--max-steps", "2", "--json"))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out)["training"]["steps"] == 2
    starts = ("starting ", "train", "note: ", "saved ", "finished ", "run ", "model ", "plots ", "report ")
    assert [line for line in err.splitlines() if line and not line.startswith(starts)] == []


def test_an_interrupt_stops_at_a_safe_point_and_the_same_command_goes_on(
    nano_model: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = sft(tmp_path / "sft", nano_model, rows, "--max-steps", "4000", "--save-steps", "1000")
    process = start(words)
    deadline = time.monotonic() + 200
    events = tmp_path / "sft" / "events.jsonl"
    while not (events.exists() and '"step"' in events.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("halo-forge: stopped at a safe point")
    assert "Traceback" not in err
    assert run([*words, "--resume", "--dry-run"]) == 0
    assert "continues" in capsys.readouterr().out
