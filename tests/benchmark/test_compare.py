from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy import ToyEngine, write_toy_model

from halo_forge.benchmark.compare import compare_runs
from halo_forge.benchmark.loop import run_benchmark
from halo_forge.cli.app import run
from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import DataError
from halo_forge.core.types import Rollout
from halo_forge.raft.loop import train_raft
from halo_forge.rollout.metrics import measure as figures
from halo_forge.rollout.records import read_records
from halo_forge.rollout.sketch import sketch
from halo_forge.runs.comparison import Comparison
from halo_forge.runs.summary import BenchmarkSummary

Measure = Callable[..., str]


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [
        {"id": f"p{i}", "prompt": f"double {i}", "tests": [f"assert(f({i}) == {2 * i});"], "entry_point": "f"}
        for i in range(6)
    ]


@pytest.fixture
def measure(tmp_path: Path, nano_model: Path, rows: list[dict[str, Any]], write_jsonl: Callable[..., Path]) -> Measure:
    """Benchmark the tiny model from random weights; what it says is noise."""

    def make(name: str, changed_rows: list[dict[str, Any]] | None = None, **changes: Any) -> str:
        prompts = write_jsonl(f"{name}.jsonl", *(rows if changed_rows is None else changed_rows))
        settings = {"model": str(nano_model), "prompts": prompts, "output": tmp_path / name, "samples": 4, "k": (1, 4)}
        settings |= {"max_new_tokens": 6, "generation_batch": 8, "greedy": True, "temperature": 1.5, **changes}
        run_benchmark(load(BenchmarkRunConfig, settings))
        return str(tmp_path / name)

    return make


def judge_again(folder: str, passed: Callable[[str, int], bool | None]) -> None:
    """Write other verdicts into a finished benchmark, and the summary that follows from them."""
    updates = {}
    for name in ("sampled", "greedy"):
        path = Path(folder) / "rollouts" / f"{name}.jsonl"
        judged = []
        for rollout in read_records(path, Rollout):
            says = passed(rollout.prompt_id, rollout.completion.index)
            fault = {"reward": None, "passed": False, "fault": "sandbox down"}
            right = {"reward": float(bool(says)), "passed": bool(says), "fault": None}
            verdict = rollout.verdict.model_copy(update=fault if says is None else right)
            judged.append(rollout.model_copy(update={"verdict": verdict}))
        path.write_text("".join(r.model_dump_json() + "\n" for r in judged))
        updates[name] = figures(sketch(judged), (1, 4) if name == "sampled" else (1,))
    file = Path(folder) / "summary.json"
    file.write_text(
        BenchmarkSummary.model_validate_json(file.read_bytes()).model_copy(update=updates).model_dump_json()
    )


def test_gains_and_losses_are_counted_prompt_by_prompt(measure: Measure) -> None:
    first, other = measure("first"), measure("other", seed=1)
    judge_again(first, lambda prompt, index: prompt in ("p0", "p1"))
    judge_again(other, lambda prompt, index: prompt in ("p1", "p2", "p3", "p4") and index < 2)
    found = compare_runs([first, other])
    tests = {test.metric: test for test in found.tests}
    assert list(tests) == ["pass@1", "pass@4", "greedy pass@1"]
    greedy, sampled = tests["greedy pass@1"], tests["pass@1"]
    assert greedy.gained == ("p2", "p3", "p4") and greedy.lost == ("p0",)
    assert greedy.p_value == pytest.approx(10 / 16)
    assert sampled.lost == ("p0", "p1")
    assert sampled.difference.value == pytest.approx((3 * 0.5 - 1 - 0.5) / 6)
    assert found.arms[1].figures["pass@1"].value == pytest.approx(2 / 6)
    assert found.caveats == ()


def test_prompts_that_could_not_be_verified_are_left_out_and_said(measure: Measure) -> None:
    first, other = measure("first"), measure("other", seed=1)
    judge_again(first, lambda prompt, index: None if prompt == "p0" else True)
    judge_again(other, lambda prompt, index: prompt != "p5")
    found = {test.metric: test for test in compare_runs([first, other]).tests}["pass@1"]
    assert (found.prompts, found.left_out, found.lost) == (5, 1, ("p5",))


def test_three_runs_are_compared_with_the_first_and_corrected(measure: Measure) -> None:
    names = [measure(name, seed=seed) for seed, name in enumerate(("a", "b", "c"))]
    judge_again(names[0], lambda prompt, index: False)
    judge_again(names[1], lambda prompt, index: True)
    judge_again(names[2], lambda prompt, index: False)
    tests = {test.arm: test for test in compare_runs(names).tests if test.metric == "greedy pass@1"}
    assert tests[names[1]].p_value == pytest.approx(2 / 64)
    assert tests[names[1]].p_holm == pytest.approx(4 / 64)
    assert tests[names[2]].p_holm == 1.0


def test_unlike_runs_are_refused_with_a_list(measure: Measure, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    other_rows = [*rows[1:5], {**rows[5], "tests": ["assert(f(1) == 1);"]}, {**rows[0], "id": "new"}]
    first = measure("first")
    other = measure("other", other_rows, temperature=0.9, samples=5)
    with pytest.raises(DataError) as refused:
        compare_runs([first, other])
    text = str(refused.value)
    for words in (
        "1 prompts are only in",
        "(such as new)",
        "with other texts or tests",
        "(such as p5)",
        "samples is 4 in",
        "temperature is 1.5 in",
        "--allow-different-sampling",
    ):
        assert words in text
    with pytest.raises(DataError, match="prompts are only in"):
        compare_runs([first, other], allow_different_sampling=True)


def test_other_sampling_can_be_allowed_and_is_then_a_caveat(measure: Measure) -> None:
    found = compare_runs([measure("first"), measure("other", max_new_tokens=8)], allow_different_sampling=True)
    assert len(found.caveats) == 1 and "max_new_tokens is 6 in" in found.caveats[0]


def test_another_verifier_is_refused(measure: Measure) -> None:
    first, other = measure("first"), measure("other")
    file = Path(other) / "summary.json"
    summary = json.loads(file.read_text())
    file.write_text(json.dumps({**summary, "verifier_version": "another"}))
    with pytest.raises(DataError, match=r"the verifier is gcc .* --allow-different-verifier"):
        compare_runs([first, other])
    assert "another" in compare_runs([first, other], allow_different_verifier=True).caveats[0]


def test_rollouts_that_are_not_the_summarys_are_refused(measure: Measure) -> None:
    first, other = measure("first"), measure("other")
    path = Path(other) / "rollouts" / "greedy.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match="does not hold the completions"):
        compare_runs([first, other])


def test_a_summary_of_another_version_is_refused(measure: Measure) -> None:
    first, other = measure("first"), measure("other")
    file = Path(other) / "summary.json"
    summary = json.loads(file.read_text())
    del summary["sampled"]["compile_rate"]
    file.write_text(json.dumps(summary))
    with pytest.raises(DataError, match=r"another version of halo-forge \(sampled.compile_rate: Field required\)"):
        compare_runs([first, other])


def test_what_is_no_benchmark_is_refused(measure: Measure, tmp_path: Path) -> None:
    first = measure("first")
    with pytest.raises(DataError, match="at least two runs"):
        compare_runs([first])
    with pytest.raises(DataError, match="named twice"):
        compare_runs([first, first])
    with pytest.raises(DataError, match="holds no run"):
        compare_runs([first, str(tmp_path)])
    with pytest.raises(DataError, match="only a raft run has cycles"):
        compare_runs([first, f"{first}@2"])


def test_the_command_writes_tables_ids_and_json(measure: Measure, capsys: pytest.CaptureFixture[str]) -> None:
    first, other = measure("first"), measure("other", seed=1)
    judge_again(first, lambda prompt, index: False)
    judge_again(other, lambda prompt, index: prompt == "p3")
    assert run(["benchmark", "compare", first, f"{other}/summary.json", "--prompts"]) == 0
    out = capsys.readouterr().out
    assert "difference, points" in out and "+16.7" in out
    assert "gained: p3" in out
    assert run(["benchmark", "compare", first, other, "--json"]) == 0
    assert Comparison.model_validate_json(capsys.readouterr().out).tests[0].gained == ("p3",)
    assert run(["benchmark", "compare", first, "nowhere"]) == 2


def test_held_out_prompts_of_raft_runs_by_cycle(tmp_path: Path, write_jsonl: Callable[..., Path]) -> None:
    rows = [{"id": f"p{i}", "prompt": f"double n ({i})", "entry_point": "f"} for i in range(20)]
    settings = {
        "model": str(write_toy_model(tmp_path / "start", 0.3)),
        "prompts": write_jsonl("prompts.jsonl", *rows),
        "output": tmp_path / "out",
        "cycles": 2,
        "samples_per_prompt": 4,
        "holdout_fraction": 0.5,
    }
    summary = train_raft(load(RaftTrainConfig, settings), engine_factory=ToyEngine)
    start, last = f"{tmp_path}/out@0", f"{tmp_path}/out@2"
    found = compare_runs([start, last])
    assert found.prompts == 10
    assert found.arms[0].figures["pass@1"] == summary.cycles[0].holdout.pass_at["1"]  # type: ignore[union-attr]
    assert found.tests[0].difference.value == pytest.approx(
        found.arms[1].figures["pass@1"].value - found.arms[0].figures["pass@1"].value  # type: ignore[operator]
    )
    published = compare_runs([start, f"{tmp_path}/out"])
    assert "also chose this cycle" in published.caveats[0]
    with pytest.raises(DataError, match="has the cycles 0 to 2"):
        compare_runs([start, f"{tmp_path}/out@7"])
