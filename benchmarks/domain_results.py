"""Run a domain's demo for several seeds, pool what it found, and write its table in docs/results.md.

    python benchmarks/domain_results.py --domain reasoning --seeds 0 1 2 --output runs/results [--write docs/results.md]

A demo that is already finished in its folder is not run again. The metric is the one the domain's recipe decides by;
pooled figures treat (seed, prompt) as the unit: percentile bootstrap, 95%. Prints JSON; with --write replaces the part
of the page between the domain's two markers.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from demo_results import percent, pooled, pooled_difference, write_between

from halo_forge.config.demo import DemoConfig
from halo_forge.config.load import load
from halo_forge.demo.run import run_demo
from halo_forge.runs.summary import DEMO_ARMS, DemoSummary


def table(summaries: list[DemoSummary], folders: list[Path]) -> str:
    """The markdown of one domain: every arm seed by seed and pooled, and what RAFT gains over each."""
    primary = summaries[0].primary_metric
    metrics = (primary, f"greedy_{primary}")
    better = "more" if summaries[0].higher_is_better else "less"
    rows = [
        f"| {summary.seed} | {DEMO_ARMS[arm]} | " + " | ".join(percent(summary.arm(arm)[m]) for m in metrics) + " | | |"
        for summary in summaries
        for arm in DEMO_ARMS
    ]
    for arm in DEMO_ARMS:
        figures = [percent(pooled(folders, arm, metric)) for metric in metrics]
        gains = ["", ""]
        if arm != "raft":
            gains = [percent(pooled_difference(folders, arm, metric), True) for metric in metrics]
        rows.append(f"| pooled | **{DEMO_ARMS[arm]}** | " + " | ".join([*figures, *gains]) + " |")
    name = summaries[0].labels.get(primary, primary)
    minutes = ", ".join(f"{summary.wall_s / 60:.1f}" for summary in summaries)
    return "\n".join(
        [
            f"Figures are percent ({name}; {better} is better) on {summaries[0].test_prompts} test prompts a seed.",
            "",
            f"| seed | model | {primary}, sampled | {primary}, greedy | RAFT's difference, sampled | greedy |",
            "| --- " * 6 + "|",
            *rows,
            "",
            f"Minutes on the clock, seed by seed: {minutes}.",
        ]
    )


def main() -> None:
    """Parse, run what is missing, pool, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("runs/results"))
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    folders = [chosen.output / f"{chosen.domain}-seed{seed}" for seed in chosen.seeds]
    summaries = []
    for seed, folder in zip(chosen.seeds, folders, strict=True):
        print(f"seed {seed} in {folder}", file=sys.stderr)
        summaries.append(run_demo(load(DemoConfig, {"domain": chosen.domain, "seed": seed, "output": folder})))
    if chosen.write:
        name = chosen.domain
        marks = (f"<!-- {name} results: made by benchmarks/domain_results.py -->", f"<!-- end of {name} results -->")
        write_between(chosen.write, marks, table(summaries, folders))
    primary = summaries[0].primary_metric
    metrics = (primary, f"greedy_{primary}")
    found = {arm: {metric: pooled(folders, arm, metric).model_dump() for metric in metrics} for arm in DEMO_ARMS}
    gains = {
        f"{metric}: raft - {arm}": pooled_difference(folders, arm, metric).model_dump()
        for metric in metrics
        for arm in DEMO_ARMS
        if arm != "raft"
    }
    print(json.dumps({"domain": chosen.domain, "pooled": found, "differences": gains}, indent=2))


if __name__ == "__main__":
    main()
