"""What the demo found: every arm on the same prompts, and the paired differences that decide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from halo_forge.core.types import Prompt
from halo_forge.rollout.metrics import by_prompt, paired_difference, pass_values
from halo_forge.rollout.records import read_records
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.runs.run_dir import SUMMARY_FILE
from halo_forge.runs.summary import DEMO_ARMS, BenchmarkSummary, Figures, RaftSummary


def figures(benchmark: Path) -> Figures:
    """The demo's metrics out of a benchmark's run folder."""
    summary = BenchmarkSummary.model_validate_json((benchmark / SUMMARY_FILE).read_bytes())
    assert summary.greedy is not None
    return {
        "compile_rate": summary.sampled.compile_rate,
        "pass@1": summary.sampled.pass_at["1"],
        "greedy_compile_rate": summary.greedy.compile_rate,
        "greedy_pass@1": summary.greedy.pass_at["1"],
    }


def unseen_figures(benchmark: Path) -> Figures:
    """The same metrics on the prompts of group `unseen`."""
    summary = BenchmarkSummary.model_validate_json((benchmark / SUMMARY_FILE).read_bytes())
    if "unseen" not in summary.groups:
        return {}
    sampled, greedy = summary.groups["unseen"]
    assert greedy is not None
    return {"pass@1": sampled.pass_at["1"], "greedy_pass@1": greedy.pass_at["1"]}


def differences(benchmarks: Mapping[str, Path]) -> Figures:
    """RAFT against each other arm, paired over the prompts both have figures for."""
    values = {
        (arm, metric): prompt_values(folder, metric)
        for arm, folder in benchmarks.items()
        for metric in ("pass@1", "greedy_pass@1")
    }
    found = {}
    for metric in ("pass@1", "greedy_pass@1"):
        for arm in DEMO_ARMS:
            if arm != "raft":
                ours, theirs = values["raft", metric], values[arm, metric]
                shared = [prompt for prompt in ours if prompt in theirs]
                found[f"{metric}: raft - {arm}"] = paired_difference(
                    [ours[prompt] for prompt in shared], [theirs[prompt] for prompt in shared]
                )
    return found


def prompt_values(benchmark: Path, metric: str) -> dict[str, float]:
    """pass@1 of each prompt, sampled or greedy."""
    name = "greedy" if metric.startswith("greedy") else "sampled"
    return pass_values(by_prompt(RolloutFile(benchmark / "rollouts" / f"{name}.jsonl").sketches()), 1)


def test_prompts(benchmark: Path) -> list[Prompt]:
    """The prompts a benchmark measured."""
    return list(read_records(benchmark / "prompts.jsonl", Prompt))


def raft_steps(raft: Path) -> int:
    """Optimiser steps RAFT took in all its cycles."""
    summary = RaftSummary.model_validate_json((raft / SUMMARY_FILE).read_bytes())
    return sum(cycle.training.steps for cycle in summary.cycles if cycle.training is not None)
