"""What a finished run measured, as its summary has it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from halo_forge.rollout.metrics import Estimate
from halo_forge.runs.run_dir import SUMMARY_FILE, read_launch
from halo_forge.runs.summary import BenchmarkSummary, DemoSummary, RaftSummary
from halo_forge.web.responses import existing

ARMS = {
    "sft": "after SFT",
    "raft": "after RAFT",
    "control": "control: further SFT",
    "unfiltered": "control: no rewards",
}


def figures_of(folder: Path) -> dict[str, Estimate]:
    """Return metric -> figure; nothing of a run that has not ended, or of a kind without such figures."""
    path, context = existing(folder, SUMMARY_FILE), read_launch(folder)
    if path is None or context is None:
        return {}
    try:
        content = path.read_bytes()
        if context.kind == "benchmark":
            return _of_benchmark(BenchmarkSummary.model_validate_json(content))
        if context.kind == "raft":
            return _of_raft(RaftSummary.model_validate_json(content))
        if context.kind == "demo":
            return _of_demo(DemoSummary.model_validate_json(content))
    except ValidationError:
        pass  # of another version of halo-forge, or of several demos
    return {}


def _of_benchmark(summary: BenchmarkSummary) -> dict[str, Estimate]:
    found = {f"pass@{k}": estimate for k, estimate in summary.sampled.pass_at.items()}
    greedy = summary.greedy.pass_at if summary.greedy else {}
    return found | {f"greedy pass@{k}": estimate for k, estimate in greedy.items()}


def _of_raft(summary: RaftSummary) -> dict[str, Estimate]:
    best = next((cycle for cycle in summary.cycles if cycle.cycle == summary.best_cycle), None)
    held = best.holdout.pass_at if best and best.holdout else {}
    return {f"held-out pass@{k}": estimate for k, estimate in held.items()}


def _of_demo(summary: DemoSummary) -> dict[str, Estimate]:
    metric = summary.primary_metric
    found = {f"{metric} {said}": summary.arm(arm).get(metric) for arm, said in ARMS.items()}
    return {name: estimate for name, estimate in found.items() if estimate is not None}
