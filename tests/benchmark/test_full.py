from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.benchmark.full import full_folder, plan_full, run_full
from halo_forge.cli.app import run
from halo_forge.config.benchmark import BenchmarkFullConfig
from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventType, read_events
from halo_forge.core.types import Checkpoint, Message, Prompt
from halo_forge.data import load_prompts
from halo_forge.report import write_report
from halo_forge.runs.comparison import FullSummary
from halo_forge.runs.launch import describe_launch

Configure = Callable[..., Loaded[BenchmarkFullConfig]]


@pytest.fixture
def raft(tmp_path: Path, nano_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RAFT run's folder with real checkpoints, copies of the tiny model; cycle 2 is published, paths are relative."""
    shutil.copytree(nano_model, tmp_path / "start")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "raft"
    config = load(RaftTrainConfig, {"model": "start", "prompts": Path("p.jsonl"), "output": Path("raft")}).config
    folder.mkdir()
    (folder / "launch_context.json").write_text(describe_launch("raft", config, folder, {}, None).model_dump_json())
    for name, cycle in (("cycle_1_final", 1), ("cycle_2_final", 2), ("final_model", 2)):
        shutil.copytree(nano_model, folder / name)
        checkpoint = Checkpoint(kind="full", base_model="start", run_id="r", cycle=cycle, step=4)
        (folder / name / "checkpoint.json").write_text(checkpoint.model_dump_json())
    monkeypatch.chdir(tmp_path.parent)
    return folder


@pytest.fixture
def configure(tmp_path: Path, raft: Path, write_jsonl: Callable[..., Path]) -> Configure:
    prompts = write_jsonl("prompts.jsonl", *({"id": f"p{i}", "prompt": f"double {i}"} for i in range(6)))

    def make(**changes: Any) -> Loaded[BenchmarkFullConfig]:
        settings = {"run": raft, "prompts": prompts, "output": tmp_path / "full", "samples": 2, "k": (1, 2)}
        settings |= {"max_new_tokens": 4, "generation_batch": 8, **changes}
        return load(BenchmarkFullConfig, settings)

    return make


def test_the_course_is_measured_and_the_final_model_only_once(configure: Configure, tmp_path: Path) -> None:
    summary = run_full(configure())
    output = tmp_path / "full"
    assert [arm.name for arm in summary.comparison.arms] == ["baseline", "cycle_1", "cycle_2"]
    assert summary.same == {"final": "cycle_2"}
    assert not (output / "final").exists()
    drawn = [(output / arm / "rollouts" / "sampled.jsonl").read_text() for arm in ("baseline", "cycle_1", "cycle_2")]
    texts = [[json.loads(line)["completion"]["text"] for line in lines.splitlines()] for lines in drawn]
    assert texts[0] == texts[1] == texts[2]  # equal weights and equal seeds
    assert all(test.difference.value == 0 and test.p_holm == 1 for test in summary.comparison.tests)
    assert {test.arm for test in summary.comparison.tests} == {"cycle_1", "cycle_2"}
    cycles = [e.cycle for e in read_events(output / "events.jsonl") if e.type is EventType.CYCLE_FINISHED]
    assert cycles == [0, 1, 2]
    assert run_full(configure()) == summary


def test_an_interrupted_course_measures_what_is_missing(configure: Configure, tmp_path: Path) -> None:
    whole = run_full(configure())
    output = tmp_path / "full"
    shutil.rmtree(output / "cycle_2")
    for name in ("exit.json", "summary.json"):
        (output / name).unlink()
    kept = (output / "baseline" / "summary.json").read_bytes()
    assert dict(plan_full(configure()).lines)["completions"] == "12"
    assert run_full(configure()).comparison.tests == whole.comparison.tests
    assert (output / "baseline" / "summary.json").read_bytes() == kept


def test_prompts_that_the_run_learnt_from_are_a_caveat(configure: Configure, raft: Path) -> None:
    loaded = configure()
    rows = [*load_prompts(loaded.config.prompts)[:2], Prompt(id="other", messages=(Message(role="user", content="x"),))]
    (raft / "prompts.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in rows))
    (caveat,) = run_full(loaded).comparison.caveats
    assert caveat.startswith("2 of the 6 prompts are among those")


def test_some_cycles_only(configure: Configure) -> None:
    plan = dict(plan_full(configure(cycles=(1,))).lines)
    assert {"baseline", "cycle_1", "final"} < plan.keys() and "cycle_2" not in plan
    assert plan["baseline"].endswith("start")
    with pytest.raises(DataError, match=r"--cycles 7: .* checkpoints of \[1, 2\]"):
        plan_full(configure(cycles=(7,)))


def test_what_is_no_finished_raft_run_is_refused(configure: Configure, raft: Path, tmp_path: Path) -> None:
    shutil.rmtree(raft / "final_model")
    with pytest.raises(DataError, match="has no final_model"):
        run_full(configure())
    with pytest.raises(DataError, match="holds no run"):
        run_full(configure(run=tmp_path))
    assert not (tmp_path / "full").exists()


def test_the_default_output_is_named_after_run_and_prompts(configure: Configure) -> None:
    assert full_folder(configure(output=None).config) == Path("results/raft-prompts-full-seed0")


def test_the_command_writes_a_table_and_a_page(
    configure: Configure, raft: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--run", str(raft), "--prompts", str(tmp_path / "prompts.jsonl"), "--output", str(tmp_path / "full")]
    flags += ["--samples", "2", "--k", "1,2", "--max-new-tokens", "4"]
    assert run(["benchmark", "full", *flags]) == 0
    out = capsys.readouterr().out
    assert "Against baseline, paired over prompts" in out and "final is cycle_2" in out
    page = (tmp_path / "full" / "report.html").read_text()
    assert "Course of a RAFT run" in page and "(cycle_2, the final model)" in page
    assert run(["benchmark", "full", *flags, "--json"]) == 0
    assert FullSummary.model_validate_json(capsys.readouterr().out).same == {"final": "cycle_2"}
    (tmp_path / "full" / "summary.json").unlink()
    assert "No result yet" in write_report(tmp_path / "full").read_text()
