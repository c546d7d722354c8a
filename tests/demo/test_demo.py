"""The whole pipeline through the commands a user types: every step real, only shorter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ARMS = ("sft", "raft", "control", "unfiltered")


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "halo_forge", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    done = run("demo", "--quick", "--output", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_the_summary_has_every_arm_and_metric_with_an_interval(quick: Path) -> None:
    summary = json.loads((quick / "summary.json").read_text())
    assert (summary["domain"], summary["seed"], summary["primary_metric"]) == ("code", 0, "pass@1")
    assert summary["higher_is_better"] is True
    assert summary["wall_s"] > 0
    for arm in ARMS:
        for metric in ("compile_rate", "pass@1", "greedy_pass@1"):
            figure = summary[arm][metric]
            low, high = figure["ci95"]
            assert 0 <= low <= figure["value"] <= high <= 1


def test_each_arm_is_a_run_of_a_command_that_a_person_can_type(quick: Path) -> None:
    summary = json.loads((quick / "summary.json").read_text())
    for name, command in summary["commands"].items():
        assert command.startswith("halo-forge ")
        assert json.loads((quick / name / "exit.json").read_text())["status"] == "succeeded"
    steps = json.loads((quick / "control" / "summary.json").read_text())["training"]["steps"]
    assert steps == summary["control_steps"] > 0


def test_prompts_of_the_splits_have_nothing_in_common(quick: Path) -> None:
    texts = {}
    for name in ("raft_prompts", "test_prompts"):
        rows = [json.loads(line) for line in (quick / "data" / f"{name}.jsonl").read_text().splitlines()]
        texts[name] = {row["prompt"] for row in rows}
        assert len(texts[name]) == len(rows)
    rows = [json.loads(line) for line in (quick / "data" / "sft.jsonl").read_text().splitlines()]
    texts["sft"] = {row["messages"][0]["content"] for row in rows}
    assert not texts["raft_prompts"] & texts["test_prompts"]
    assert not texts["sft"] & texts["test_prompts"]


def test_the_report_is_one_file_with_plots(quick: Path) -> None:
    page = (quick / "report.html").read_text()
    assert "<html" in page and "http://" not in page.replace("http://www.w3.org", "")
    assert list((quick / "plots").glob("*.png"))


def test_the_same_command_returns_the_finished_demo(quick: Path) -> None:
    again = run("demo", "--quick", "--output", "out", "--json", cwd=quick.parent)
    assert again.returncode == 0
    assert json.loads(again.stdout) == json.loads((quick / "summary.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demo_reaches_what_it_promises(seed: int, tmp_path: Path) -> None:
    done = run("demo", "--seed", str(seed), "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    compiled = {arm: summary[arm]["compile_rate"]["value"] for arm in ARMS}
    assert 0.15 <= compiled["sft"] <= 0.40
    assert compiled["raft"] >= 0.80
    assert compiled["raft"] - max(compiled["control"], compiled["unfiltered"]) >= 0.30
    assert summary["raft"]["pass@1"]["value"] >= 2 * summary["sft"]["pass@1"]["value"]
    for arm in ("sft", "control"):
        assert summary["differences"][f"greedy_pass@1: raft - {arm}"]["ci95"][0] > 0
