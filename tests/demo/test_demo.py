"""The whole pipeline through the commands a user types: every step real, only shorter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import IO, NamedTuple

import pytest
from warm import Warm, warm_process

from halo_forge.cli.app import run as run_here
from halo_forge.demo import demos, jobs
from halo_forge.demo.recipes import RECIPES

ARMS = ("sft", "raft", "control", "unfiltered")


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "halo_forge", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


class Forked:
    """Stands for `Popen` where demos start their commands: copies of processes that have imported torch.

    The demo of one domain itself runs here.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self._folder, self._idle = stack, folder, list[Warm]()

    def __call__(self, words: list[str], *, stdout: IO[bytes], **_: object) -> Command | Over:
        assert words[:3] == [sys.executable, "-m", "halo_forge"]
        if words[3] == "demo":
            return Over(run_here(words[3:]))
        warm = self._idle.pop() if self._idle else self._stack.enter_context(warm_process(self._folder))
        return Command(warm, self._idle, words[3:], Path(stdout.name))


class Over(NamedTuple):
    """A command that has ended."""

    returncode: int

    def poll(self) -> int:
        return self.returncode


class Command:
    """One of these commands; it is asked for as a `Popen` is."""

    def __init__(self, warm: Warm, idle: list[Warm], words: list[str], console: Path) -> None:
        self.returncode: int | None = None
        self._warm, self._idle = warm, idle
        warm.console(console)
        warm.start(words)

    def poll(self) -> int | None:
        if self.returncode is None and self._warm.is_over():
            self.returncode = self._warm.wait()
            self._idle.append(self._warm)
        return self.returncode


@pytest.fixture(scope="module")
def every_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`--domain all`, for which code stands alone here; the slow test below runs each, in processes of their own."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(demos, "RECIPES", {"code": RECIPES["code"]})
        patch.setattr(jobs, "subprocess", SimpleNamespace(Popen=Forked(stack, folder), DEVNULL=None, STDOUT=None))
        assert run_here(["demo", "--domain", "all", "--quick", "--output", str(folder / "all")]) == 0
    return folder / "all"


@pytest.fixture(scope="module")
def quick(every_demo: Path) -> Path:
    return every_demo / "code"


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
    again = run("demo", "--quick", "--output", quick.name, "--json", cwd=quick.parent)
    assert again.returncode == 0
    assert json.loads(again.stdout) == json.loads((quick / "summary.json").read_text())


def test_every_demo_has_one_table_and_one_page(
    every_demo: Path, quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["demo", "--domain", "all", "--quick", "--output", str(every_demo)]
    assert run_here(words) == 0
    said = capsys.readouterr().out
    assert "The deciding metric, decoded greedily" in said and "its figures mean nothing" in said
    summary = json.loads((every_demo / "summary.json").read_text())
    assert summary["demos"] == {"code": json.loads((quick / "summary.json").read_text())}
    assert "RAFT is better than as much further SFT in" in (every_demo / "report.html").read_text()
    assert run_here([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == summary
    assert run_here([*words, "--domain", "code"]) == 2, "the folder belongs to all of them"


@pytest.mark.slow
def test_every_demo_stopped_and_continued(tmp_path: Path) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    words = ("demo", "--domain", "all", "--quick", "--output", "out")
    started = subprocess.Popen([sys.executable, "-m", "halo_forge", *words], cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 900
    while not (tmp_path / "out" / "reasoning" / "sft" / "exit.json").exists():
        assert started.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    started.terminate()
    assert started.wait(120) == 130
    first = (tmp_path / "out" / "code" / "events.jsonl").read_bytes()
    done = run(*words, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "code" / "events.jsonl").read_bytes() == first
    found = json.loads(done.stdout)["demos"]
    assert list(found) == ["code", "reasoning", "audio", "vlm", "agentic"]
    for domain, demo in found.items():
        assert json.loads((tmp_path / "out" / domain / "summary.json").read_text()) == demo
    assert found["audio"]["primary_metric"] == "WER" and found["audio"]["higher_is_better"] is False


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
