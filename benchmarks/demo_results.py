"""Run the demo for several seeds, pool what it found, and write the table of docs/results.md.

    python benchmarks/demo_results.py --seeds 0 1 2 --output runs/results [--write docs/results.md]

A demo that is already finished in its folder is not run again. Pooled figures treat (seed, prompt) as the unit:
percentile bootstrap, 95%. Prints JSON; with --write replaces the part of the page between the two markers.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from halo_forge.config.demo import DemoConfig
from halo_forge.config.load import load
from halo_forge.demo.run import run_demo
from halo_forge.demo.summary import prompt_values, prompt_weights
from halo_forge.rollout.metrics import Estimate, by_prompt, weighted_estimate
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.runs.summary import DEMO_ARMS, DemoSummary

MARKS = ("<!-- demo results: made by benchmarks/demo_results.py -->", "<!-- end of demo results -->")
METRICS = ("compile_rate", "greedy_compile_rate", "pass@1", "greedy_pass@1")


def values(folder: Path, arm: str, metric: str) -> dict[str, float]:
    """One value a test prompt of one demo."""
    benchmark = folder / f"benchmark_{arm}"
    if not metric.endswith("compile_rate"):
        return prompt_values(benchmark, metric)
    name = "greedy" if metric.startswith("greedy") else "sampled"
    groups = by_prompt(RolloutFile(benchmark / "rollouts" / f"{name}.jsonl").sketches())
    return {prompt: sum(r.compiled for r in rollouts) / len(rollouts) for prompt, rollouts in groups.items()}


def weights(folder: Path, arm: str, metric: str) -> dict[str, float]:
    """How much each test prompt of one demo counts; a prompt that is not in it counts once."""
    return {} if metric.endswith("compile_rate") else prompt_weights(folder / f"benchmark_{arm}", metric)


def pooled(folders: list[Path], arm: str, metric: str) -> Estimate:
    """A metric over all seeds' prompts."""
    sums: list[float] = []
    counts: list[float] = []
    for folder in folders:
        weight = weights(folder, arm, metric)
        for prompt, value in values(folder, arm, metric).items():
            counts.append(weight.get(prompt, 1.0))
            sums.append(value * counts[-1])
    return weighted_estimate(sums, counts)


def pooled_difference(folders: list[Path], arm: str, metric: str) -> Estimate:
    """RAFT minus another arm, paired over all seeds' prompts."""
    sums: list[float] = []
    counts: list[float] = []
    for folder in folders:
        raft, other, weight = values(folder, "raft", metric), values(folder, arm, metric), weights(folder, arm, metric)
        for prompt in (prompt for prompt in raft if prompt in other):
            counts.append(weight.get(prompt, 1.0))
            sums.append((raft[prompt] - other[prompt]) * counts[-1])
    return weighted_estimate(sums, counts)


def percent(figure: Estimate, sign: bool = False) -> str:
    """A figure as the tables show it."""
    if figure.value is None or figure.ci95 is None:
        return "not measured"
    form = "{:+.1f}" if sign else "{:.1f}"
    low, high = (form.format(100 * bound) for bound in figure.ci95)
    return f"{form.format(100 * figure.value)} [{low}, {high}]"


def tables(summaries: list[DemoSummary], folders: list[Path]) -> str:
    """The markdown of the results."""
    head = (
        "| seed | model | compiles, sampled | compiles, greedy | pass@1, sampled | pass@1, greedy |\n"
        + "| --- " * 6
        + "|"
    )
    rows = []
    for summary in summaries:
        for arm in DEMO_ARMS:
            figures = [percent(summary.arm(arm)[metric]) for metric in METRICS]
            rows.append(f"| {summary.seed} | {DEMO_ARMS[arm]} | " + " | ".join(figures) + " |")
    for arm in DEMO_ARMS:
        figures = [percent(pooled(folders, arm, metric)) for metric in METRICS]
        rows.append(f"| pooled | **{DEMO_ARMS[arm]}** | " + " | ".join(figures) + " |")
    unseen_head = "| seed | model | pass@1, sampled | pass@1, greedy |\n| --- | --- | --- | --- |"
    unseen = [
        f"| {summary.seed} | {DEMO_ARMS[arm]} | {percent(summary.unseen[arm]['pass@1'])} | "
        f"{percent(summary.unseen[arm]['greedy_pass@1'])} |"
        for summary in summaries
        for arm in DEMO_ARMS
    ]
    gain_head = "| RAFT against | pass@1, sampled | pass@1, greedy |\n| --- | --- | --- |"
    gains = [
        f"| {DEMO_ARMS[arm]} | {percent(pooled_difference(folders, arm, 'pass@1'), True)} | "
        f"{percent(pooled_difference(folders, arm, 'greedy_pass@1'), True)} |"
        for arm in DEMO_ARMS
        if arm != "raft"
    ]
    times = ", ".join(f"{summary.wall_s / 60:.1f}" for summary in summaries)
    return "\n".join(
        [
            f"All figures are percent on {summaries[0].test_prompts} test prompts a seed, with 95% intervals.",
            "",
            head,
            *rows,
            "",
            "On the half of the test prompts whose combinations no training has shown:",
            "",
            unseen_head,
            *unseen,
            "",
            "Paired differences in percentage points, pooled over the seeds:",
            "",
            gain_head,
            *gains,
            "",
            f"Minutes on the clock, seed by seed: {times}.",
        ]
    )


def write_between(page: Path, marks: tuple[str, str], text: str) -> None:
    """Replace what stands between two markers of a page."""
    begin, end = marks
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Parse, run what is missing, pool, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("runs/results"))
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    folders = [chosen.output / f"seed{seed}" for seed in chosen.seeds]
    summaries = []
    for seed, folder in zip(chosen.seeds, folders, strict=True):
        print(f"seed {seed} in {folder}", file=sys.stderr)
        summaries.append(run_demo(load(DemoConfig, {"seed": seed, "output": folder})))
    if chosen.write:
        write_between(chosen.write, MARKS, tables(summaries, folders))
    found = {arm: {metric: pooled(folders, arm, metric).model_dump() for metric in METRICS} for arm in DEMO_ARMS}
    gains = {
        f"{metric}: raft - {arm}": pooled_difference(folders, arm, metric).model_dump()
        for metric in ("pass@1", "greedy_pass@1")
        for arm in DEMO_ARMS
        if arm != "raft"
    }
    seeds = {str(summary.seed): summary.model_dump(include=set(DEMO_ARMS)) for summary in summaries}
    print(json.dumps({"seeds": seeds, "pooled": found, "differences": gains}, indent=2))


if __name__ == "__main__":
    main()
