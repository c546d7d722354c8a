from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.benchmark.loop import output_folder, plan_benchmark, run_benchmark
from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.load import Loaded, load
from halo_forge.core.errors import DataError, ModelError
from halo_forge.rollout.metrics import measure
from halo_forge.rollout.records import read_rollouts
from halo_forge.rollout.sketch import sketch

Configure = Callable[..., Loaded[BenchmarkRunConfig]]


@pytest.fixture
def configure(tmp_path: Path, nano_model: Path, write_jsonl: Callable[..., Path]) -> Configure:
    rows = [
        {"id": f"p{i}", "prompt": "double n", "tests": ["assert(f(2) == 4);"], "entry_point": "f", "group": "ab"[i % 2]}
        for i in range(6)
    ]
    prompts = write_jsonl("prompts.jsonl", *rows)

    def make(**changes: Any) -> Loaded[BenchmarkRunConfig]:
        settings = {"model": str(nano_model), "prompts": prompts, "output": tmp_path / "out", "samples": 4, "k": (1, 4)}
        settings |= {"max_new_tokens": 8, "generation_batch": 8, "greedy": True, **changes}
        return load(BenchmarkRunConfig, settings)

    return make


def test_figures_come_from_the_stored_rollouts(configure: Configure, tmp_path: Path) -> None:
    summary = run_benchmark(configure())
    rollouts = read_rollouts(tmp_path / "out" / "rollouts" / "sampled.jsonl")
    assert len(rollouts) == 24
    assert summary.sampled == measure(sketch(rollouts), (1, 4))
    assert summary.greedy is not None and summary.greedy.completions == 6
    assert set(summary.groups) == {"a", "b"}
    assert summary.groups["a"][0].prompts == 3
    assert summary.tokens_per_s


def test_a_finished_benchmark_is_returned_as_it_is(configure: Configure, tmp_path: Path) -> None:
    first = run_benchmark(configure())
    stored = (tmp_path / "out" / "rollouts" / "sampled.jsonl").read_bytes()
    assert run_benchmark(configure()) == first
    assert (tmp_path / "out" / "rollouts" / "sampled.jsonl").read_bytes() == stored


def test_a_torn_benchmark_goes_on_to_the_same_completions(configure: Configure, tmp_path: Path) -> None:
    whole = run_benchmark(configure(output=tmp_path / "whole"))
    run_benchmark(configure())
    path = tmp_path / "out" / "rollouts" / "sampled.jsonl"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for name in ("exit.json", "summary.json"):
        (tmp_path / "out" / name).unlink()
    again = run_benchmark(configure())
    texts = [r.completion for r in read_rollouts(path)]
    assert texts == [r.completion for r in read_rollouts(tmp_path / "whole" / "rollouts" / "sampled.jsonl")]
    assert again.sampled == whole.sampled
    assert again.prompts_hash == whole.prompts_hash


def test_a_base_that_is_not_the_models_is_refused(configure: Configure) -> None:
    with pytest.raises(ModelError, match="holds full weights and needs no base"):
        run_benchmark(configure(base="Other/model"))


def test_prompts_that_do_not_fit_are_refused_before_anything_is_written(
    configure: Configure, write_jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    long = write_jsonl("long.jsonl", {"id": "ok", "prompt": "a"}, {"id": "huge", "prompt": "x y " * 600})
    with pytest.raises(DataError, match=r"1 prompts fill the context of .* \(such as huge\)"):
        run_benchmark(configure(prompts=long))
    assert not (tmp_path / "out").exists()


def test_the_default_output_is_named_after_model_and_prompts() -> None:
    loaded = load(BenchmarkRunConfig, {"model": "models/raft/cycle_5_final", "prompts": Path("data/test.jsonl")})
    assert output_folder(loaded.config) == Path("results/raft-cycle_5_final-test-seed0")


def test_a_dry_run_writes_nothing(configure: Configure, tmp_path: Path) -> None:
    assert dict(plan_benchmark(configure()).lines)["completions"] == "30"
    assert not (tmp_path / "out").exists()
