"""How well `halo-forge plan` predicts runs that it has not seen, phase by phase, as JSON.

    python benchmarks/plan.py runs/results/seed0 runs/results/seed1 runs/results/seed2 --work /tmp/plan

For each demo folder: `plan --measure` runs three cycles of its settings with its SFT model; then whole runs are made
with that model, the demo's own and some of other sizes, and what each phase took is put beside the prediction. With
`--measure-seed` the measuring draws other answers than the runs do, and learns other things. A phase that took less
than a twentieth of its run is given, but not judged. Programs are judged anew in every run: each has a cache of its
own. The processors that other work took meanwhile are told, as the clock counts them too, and the programs that ran
until their time was up: one takes as long as a hundred others, and no short run foretells it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from halo_forge.config.load import load
from halo_forge.config.plan import PlanConfig
from halo_forge.core.folders import cache_folder
from halo_forge.core.types import Rollout
from halo_forge.planning.others import Watch
from halo_forge.planning.plan import Plan, make_plan
from halo_forge.planning.trial import measure
from halo_forge.raft.loop import completed_cycles

PHASES = ("generate", "verify", "collect", "train", "evaluate")
WORTH_JUDGING = 0.05
# Settings in which a run differs from the demo's.
SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"max_prompts": 60, "samples_per_prompt": 16, "cycles": 2},
    {"samples_per_prompt": 4, "cycles": 6},
)


def settings_of(demo: Path, **changes: object) -> dict[str, Any]:
    """Settings of the demo's RAFT run, with its model and prompts."""
    settings = yaml.safe_load((demo / "configs" / "raft.yaml").read_text())
    where = {"model": str(demo / "sft"), "prompts": str(demo / "data" / "raft_prompts.jsonl")}
    return {**settings, **where, "threads": 1, **changes}


def own_cache(folder: Path) -> dict[str, str]:
    """An environment with a cache that knows no verdict, yet the compiler's prepared headers."""
    prepared = cache_folder() / "headers"
    if prepared.exists():
        shutil.copytree(prepared, folder / "cache" / "halo-forge" / "headers", dirs_exist_ok=True)
    return {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}


class Made(NamedTuple):
    """What a run took, the seconds of verdicts on endless programs, and the processors of other work."""

    seconds: dict[str, float]
    endless_s: dict[str, float]
    wall_s: float
    processors_of_others: float


def run(settings: dict[str, Any], folder: Path) -> Made:
    """Make a whole run."""
    folder.mkdir(parents=True)
    file = folder / "raft.yaml"
    file.write_text(yaml.safe_dump({**settings, "output": str(folder / "run")}))
    environment = own_cache(folder)
    watch, begun = Watch(), time.perf_counter()
    command = [sys.executable, "-m", "halo_forge", "raft", "train", "--config", str(file)]
    with (folder / "log").open("wb") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log, env=environment)
    wall_s, others = time.perf_counter() - begun, watch.processors()
    cycles = completed_cycles(folder / "run")
    seconds = {phase: sum(cycle.seconds.get(phase, 0.0) for cycle in cycles) for phase in PHASES}
    seconds["all"] = sum(cycle.seconds["all"] for cycle in cycles)
    return Made(seconds, _endless(folder / "run"), wall_s, round(others, 2))


def _endless(run_folder: Path) -> dict[str, float]:
    """File of rollouts -> seconds of the different programs in it that did not end by themselves."""
    found: dict[str, dict[str, float]] = {}
    for file in sorted((run_folder / "rollouts").glob("*.jsonl")):
        for rollout in map(Rollout.model_validate_json, file.read_bytes().splitlines()):
            if rollout.verdict.detail.startswith("timed out"):
                found.setdefault(file.stem, {})[rollout.completion.text] = round(rollout.verdict.wall_s, 2)
    return {name: sum(each.values()) for name, each in found.items()}


def foretell(plan: Plan, measured: dict[str, float]) -> dict[str, Any]:
    """Put predicted and measured seconds side by side."""
    told = {phase: sum(getattr(cycle, phase) for cycle in plan.prediction.cycles) for phase in PHASES}
    told["all"] = sum(cycle.total for cycle in plan.prediction.cycles)
    return {
        phase: {
            "predicted_s": round(told[phase], 2),
            "measured_s": round(seconds, 2),
            "ratio": round(told[phase] / seconds, 3),
            "judged": seconds >= WORTH_JUDGING * measured["all"],
        }
        for phase, seconds in measured.items()
    }


def compare(demo: Path, shapes: Sequence[dict[str, Any]], work: Path, seed: int | None) -> dict[str, Any]:
    """Measure shortly, then foretell whole runs of the same model."""
    folder = work / demo.name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "trial").mkdir(parents=True)
    file = folder / "measure.yaml"
    other = {} if seed is None else {"seed": seed}
    file.write_text(yaml.safe_dump(settings_of(demo, output=str(folder / "unused"), **other)))
    begun = time.perf_counter()
    rates = measure(file, folder / "trial")
    measuring = {"wall_s": round(time.perf_counter() - begun, 1), "processors_of_others": rates.others}
    measured = rates.measured
    assert measured is not None
    runs = []
    for number, changes in enumerate(shapes):
        prompts = changes.get("max_prompts", measured.prompts)
        asked = {name: value for name, value in changes.items() if name != "max_prompts"}
        by = {"measured": folder / "trial" / "run", "nodes": 1, "prompts": prompts, "cycles": measured.cycles}
        plan = make_plan(load(PlanConfig, {**by, **asked}).config)
        made = run(settings_of(demo, **changes), folder / f"run_{number}")
        phases = foretell(plan, made.seconds)
        others = {"processors_of_others": made.processors_of_others, "endless_s": made.endless_s}
        runs.append({"differs_in": changes, "wall_s": round(made.wall_s, 1), **others, "phases": phases})
    return {"demo": demo.name, "measuring": measuring, "runs": runs}


def extremes(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The least and the greatest ratio of each phase that is judged, over all runs."""
    every = [each["phases"] for one in found for each in one["runs"]]
    ratios = {phase: [run[phase]["ratio"] for run in every if run[phase]["judged"]] for phase in (*PHASES, "all")}
    return {phase: {"least": min(each), "most": max(each)} for phase, each in ratios.items() if each}


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("demos", type=Path, nargs="+", help="folders of finished demos")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs; those of an earlier one go")
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="runs a demo")
    parser.add_argument("--measure-seed", type=int, help="seed of the measuring (default: that of the run)")
    options = parser.parse_args()
    found = [compare(demo, SHAPES[: options.shapes], options.work, options.measure_seed) for demo in options.demos]
    print(json.dumps({"ratios": extremes(found), "demos": found}, indent=2))


if __name__ == "__main__":
    main()
