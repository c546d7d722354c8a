"""What the demo found: every arm on the same prompts, and the paired differences that decide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from halo_forge.core.types import Prompt
from halo_forge.demo.recipe import Recipe
from halo_forge.rollout.metrics import Metrics, by_prompt, pass_values, score_values, weighted_estimate
from halo_forge.rollout.records import read_records
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.runs.run_dir import SUMMARY_FILE
from halo_forge.runs.summary import DEMO_ARMS, BenchmarkSummary, Figures, RaftSummary


def summary_labels(recipe: Recipe) -> dict[str, str]:
    """What a reader of the summary is told: see `DemoSummary.labels`."""
    return {"passes": recipe.passes, "unseen": recipe.unseen, "story": recipe.story, **recipe.metrics}


def figures(recipe: Recipe, benchmark: Path) -> Figures:
    """The demo's metrics out of a benchmark's run folder."""
    summary = BenchmarkSummary.model_validate_json((benchmark / SUMMARY_FILE).read_bytes())
    return _figures(recipe, summary.sampled, summary.greedy)


def unseen_figures(recipe: Recipe, benchmark: Path) -> Figures:
    """The same metrics on the prompts of group `unseen`."""
    summary = BenchmarkSummary.model_validate_json((benchmark / SUMMARY_FILE).read_bytes())
    return _figures(recipe, *summary.groups["unseen"]) if "unseen" in summary.groups else {}


def _figures(recipe: Recipe, sampled: Metrics, greedy: Metrics | None) -> Figures:
    assert greedy is not None
    found: Figures = {}
    for prefix, metrics in (("", sampled), ("greedy_", greedy)):
        known = {"pass@1": metrics.pass_at["1"], "compile_rate": metrics.compile_rate, **metrics.scores}
        found |= {
            prefix + name: known[name] for name in dict.fromkeys((*recipe.metrics, recipe.primary)) if name in known
        }
    return found


def differences(recipe: Recipe, benchmarks: Mapping[str, Path]) -> Figures:
    """RAFT against each other arm in the primary metric, paired over the prompts both have figures for."""
    found = {}
    for metric in (recipe.primary, f"greedy_{recipe.primary}"):
        values = {arm: prompt_values(folder, metric) for arm, folder in benchmarks.items()}
        weights = prompt_weights(benchmarks["raft"], metric)
        for arm in DEMO_ARMS:
            if arm != "raft":
                ours, theirs = values["raft"], values[arm]
                shared = [prompt for prompt in ours if prompt in theirs]
                # A rate of sums differs by the sum of the differences, each as heavy as what it is a share of.
                found[f"{metric}: raft - {arm}"] = weighted_estimate(
                    [(ours[prompt] - theirs[prompt]) * weights.get(prompt, 1.0) for prompt in shared],
                    [weights.get(prompt, 1.0) for prompt in shared],
                )
    return found


def prompt_values(benchmark: Path, metric: str) -> dict[str, float]:
    """A metric's figure for each prompt, sampled or greedy; of a score, its own amounts over what they are of."""
    file = "greedy" if metric.startswith("greedy_") else "sampled"
    groups = by_prompt(RolloutFile(benchmark / "rollouts" / f"{file}.jsonl").sketches())
    name = metric.removeprefix("greedy_")
    return pass_values(groups, 1) if name == "pass@1" else score_values(groups, name)


def prompt_weights(benchmark: Path, metric: str) -> dict[str, float]:
    """How much a prompt counts in the figure of the set, such as its words in a word error rate; {} where all alike."""
    name = metric.removeprefix("greedy_")
    if name == "pass@1":
        return {}
    file = "greedy" if metric.startswith("greedy_") else "sampled"
    weights: dict[str, float] = {}
    for rollout in RolloutFile(benchmark / "rollouts" / f"{file}.jsonl").sketches():
        if rollout.reward is not None:
            for key, _, of in rollout.scores:
                if key == name:
                    weights[rollout.prompt_id] = weights.get(rollout.prompt_id, 0.0) + of
    return weights


def test_prompts(benchmark: Path) -> list[Prompt]:
    """The prompts a benchmark measured."""
    return list(read_records(benchmark / "prompts.jsonl", Prompt))


def raft_steps(raft: Path) -> int:
    """Optimiser steps RAFT took in all its cycles."""
    summary = RaftSummary.model_validate_json((raft / SUMMARY_FILE).read_bytes())
    return sum(cycle.training.steps for cycle in summary.cycles if cycle.training is not None)
