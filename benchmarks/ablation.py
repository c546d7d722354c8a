"""What each part of the RAFT loop is worth on the demo's task: arms that leave one out, or take another way.

    python benchmarks/ablation.py --results runs/results --output runs/ablation [--seeds 0 1 2] [--arms full plain …]
        [--write docs/results.md]

Every arm starts from the model after SFT of a finished demo (`make results`), with the same prompts, seed, number of
cycles and of samples; its final model then answers the demo's test prompts. `plain` is the selection that most such
loops have: everything above the threshold, the best half by reward over all prompts, duplicates and all, each cycle
trained on what it kept; its epochs are chosen so that it takes about as many optimiser steps as the recipe. Finished
runs are not run again. Prints JSON; a unit of the pooled figures is (seed, prompt).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from demo_results import write_between

from halo_forge.core.events import EventLog
from halo_forge.core.stop import StopRequest
from halo_forge.demo.code import CODE
from halo_forge.demo.jobs import Job, arguments, run_jobs
from halo_forge.demo.summary import prompt_values
from halo_forge.raft.loop import completed_cycles
from halo_forge.rollout.metrics import Estimate, estimate, paired_difference

MARKS = ("<!-- ablation: made by benchmarks/ablation.py -->", "<!-- end of ablation -->")
SLOTS = 2
METRICS = ("pass@1", "greedy_pass@1")
BASELINE = "plain"


class Arm(NamedTuple):
    """One way to run the loop.

    Args:
        says: what the table calls it.
        settings: what differs from the demo's recipe.
    """

    says: str
    settings: Mapping[str, object]


PLAIN = {
    "select": "top",
    "reward_threshold": 0.5,
    "keep_fraction": 0.5,
    "accumulate": False,
    "epochs": 3,
}
UNCAPPED = {"max_kept_per_prompt": 8, "max_kept_if_solved": 8}
OWN_SAMPLES = {"accumulate": False}  # an objective that compares with the policy that drew takes no others
ARMS = {
    "full": Arm("the demo's recipe", {}),
    BASELINE: Arm("plain: threshold 0.5, best half by reward, 3 epochs", PLAIN),
    "plain-tests": Arm("plain, threshold 1.0", {**PLAIN, "reward_threshold": 1.0}),
    "plain-longer": Arm("plain, 8 epochs", {**PLAIN, "epochs": 8}),
    "threshold": Arm("recipe with threshold 0.5", {"reward_threshold": 0.5}),
    "duplicates": Arm("recipe with duplicates, no caps, 1 epoch", {**UNCAPPED, "keep_duplicates": True, "epochs": 1}),
    "uncapped": Arm("recipe without caps", UNCAPPED),
    "forgetful": Arm("recipe, each cycle on its own samples only", OWN_SAMPLES),
    "base": Arm("recipe, each cycle from the SFT model", {"start_from": "base"}),
    "raft++": Arm("raft++, own samples", {**OWN_SAMPLES, "objective": "raft++"}),
    "reinforce-rej": Arm("reinforce-rej, 1 epoch", {**OWN_SAMPLES, "objective": "reinforce-rej", "epochs": 1}),
    "grpo": Arm("grpo, 1 epoch", {**OWN_SAMPLES, "objective": "grpo", "epochs": 1}),
}


def jobs(results: Path, output: Path, seed: int, arm: str) -> list[Job]:
    """The commands of one arm and seed."""
    demo, folder = results / f"seed{seed}", output / f"seed{seed}" / arm
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.yaml" for name in ("raft", "benchmark")}
    files["raft"].write_text(yaml.safe_dump({**CODE.raft, **ARMS[arm].settings}), encoding="utf-8")
    files["benchmark"].write_text(yaml.safe_dump(CODE.benchmark), encoding="utf-8")
    train = arguments(
        "raft train",
        config=files["raft"],
        model=demo / "sft",
        prompts=demo / "data" / "raft_prompts.jsonl",
        output=folder / "raft",
        seed=seed,
    )
    measure = arguments(
        "benchmark run",
        config=files["benchmark"],
        model=folder / "raft",
        prompts=demo / "data" / "test_prompts.jsonl",
        output=folder / "benchmark",
        seed=seed,
    )
    name = f"seed{seed}-{arm}"
    return [
        Job(name=name, arguments=train, output=folder / "raft"),
        Job(name=f"{name}-benchmark", arguments=measure, output=folder / "benchmark", after=(name,)),
    ]


class Found(NamedTuple):
    """What an arm reached, over all seeds.

    Args:
        figures: metric -> figure on the test prompts.
        gains: metric -> difference from the baseline, paired by seed and prompt.
        holdout: pass@1 on the held-out slice after each cycle, the start model first, mean over the seeds.
        cycles_to_baseline: cycles after which the held-out pass@1 reaches the baseline's best, seed by seed; None
            where it never does.
        steps: optimiser steps, mean over the seeds.
    """

    figures: dict[str, Estimate]
    gains: dict[str, Estimate]
    holdout: list[float]
    cycles_to_baseline: list[int | None]
    steps: float


def found(output: Path, seeds: Sequence[int], arm: str) -> Found:
    """Read the finished runs of an arm."""
    figures, gains = {}, {}
    for metric in METRICS:
        ours, theirs = (
            {
                (seed, prompt): value
                for seed in seeds
                for prompt, value in prompt_values(output / f"seed{seed}" / name / "benchmark", metric).items()
            }
            for name in (arm, BASELINE)
        )
        shared = [key for key in ours if key in theirs]
        figures[metric] = estimate(list(ours.values()))
        gains[metric] = paired_difference([ours[key] for key in shared], [theirs[key] for key in shared])
    curves = [holdout(output / f"seed{seed}" / arm / "raft") for seed in seeds]
    goals = [max(holdout(output / f"seed{seed}" / BASELINE / "raft")) for seed in seeds]
    reached = [
        next((number for number, value in enumerate(curve) if value >= goal), None)
        for curve, goal in zip(curves, goals, strict=True)
    ]
    steps = [
        sum(cycle.training.steps for cycle in completed_cycles(output / f"seed{seed}" / arm / "raft") if cycle.training)
        for seed in seeds
    ]
    means = [sum(values) / len(values) for values in zip(*curves, strict=False)]
    return Found(figures, gains, means, reached, sum(steps) / len(steps))


def holdout(raft: Path) -> list[float]:
    """pass@1 on the held-out slice, the start model first."""
    values = [cycle.holdout.pass_at["1"].value for cycle in completed_cycles(raft) if cycle.holdout]
    return [value for value in values if value is not None]


def table(results: Mapping[str, Found]) -> str:
    """The markdown of the results."""
    lines = [
        "| arm | pass@1, sampled | against plain | pass@1, greedy | against plain | held-out pass@1 by cycle "
        "| cycles to plain's best | steps |",
        "| --- " * 8 + "|",
    ]
    for arm, one in results.items():
        cells = [ARMS[arm].says]
        for metric in METRICS:
            cells += [percent(one.figures[metric]), "" if arm == BASELINE else percent(one.gains[metric], sign=True)]
        cells.append(" ".join(f"{100 * value:.0f}" for value in one.holdout))
        cells.append(", ".join("never" if number is None else str(number) for number in one.cycles_to_baseline))
        cells.append(f"{one.steps:.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def percent(figure: Estimate, *, sign: bool = False) -> str:
    """A figure with its interval, in percent or percentage points."""
    if figure.value is None or figure.ci95 is None:
        return "not measured"
    form = "{:+.1f}" if sign else "{:.1f}"
    low, high = (form.format(100 * bound) for bound in figure.ci95)
    return f"{form.format(100 * figure.value)} [{low}, {high}]"


def main() -> None:
    """Parse, run what is missing, pool, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("runs/results"))
    parser.add_argument("--output", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    arms = list(dict.fromkeys([*chosen.arms, BASELINE]))
    work = [job for seed in chosen.seeds for arm in arms for job in jobs(chosen.results, chosen.output, seed, arm)]
    with EventLog(chosen.output / "events.jsonl") as events:
        events.listen(lambda event: print(event.type, event.phase or "", event.m.get("message", ""), file=sys.stderr))
        run_jobs(work, SLOTS, chosen.output / "logs", events, StopRequest())
    results = {arm: found(chosen.output, chosen.seeds, arm) for arm in arms}
    if chosen.write:
        write_between(chosen.write, MARKS, table(results))
    plain = {
        arm: {
            **one._asdict(),
            "figures": {metric: figure.model_dump() for metric, figure in one.figures.items()},
            "gains": {metric: figure.model_dump() for metric, figure in one.gains.items()},
        }
        for arm, one in results.items()
    }
    print(json.dumps(plain, indent=2))


if __name__ == "__main__":
    main()
