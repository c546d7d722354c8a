"""How well `halo-forge plan` predicts runs that it has not seen, phase by phase, as JSON.

    python benchmarks/plan.py runs/results/seed0 runs/results/seed1 runs/results/seed2 --work /tmp/plan

For each demo folder: `plan --measure` runs three cycles on a part of its prompts, with its SFT model and another seed;
then whole runs are made with that model, some of other sizes, and what each phase took is put beside the prediction.
A phase that took less than a twentieth of its run is given, but not judged. Programs are judged anew in every run: each
has a cache of its own. The processors that other work took meanwhile are told, as the clock counts them too.
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

import psutil
import yaml

from halo_forge.config.load import load
from halo_forge.config.plan import PlanConfig
from halo_forge.core.folders import cache_folder
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


def settings_of(demo: Path, seed: int, **changes: object) -> dict[str, Any]:
    """Settings of the demo's RAFT run, with its model and prompts."""
    settings = yaml.safe_load((demo / "configs" / "raft.yaml").read_text())
    where = {"model": str(demo / "sft"), "prompts": str(demo / "data" / "raft_prompts.jsonl"), "seed": seed}
    return {**settings, **where, "threads": 1, **changes}


def own_cache(folder: Path) -> dict[str, str]:
    """An environment with a cache that knows no verdict, yet the compiler's prepared headers."""
    prepared = cache_folder() / "headers"
    if prepared.exists():
        shutil.copytree(prepared, folder / "cache" / "halo-forge" / "headers", dirs_exist_ok=True)
    return {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}


class Made(NamedTuple):
    """What a run took, and how many processors other work had meanwhile."""

    seconds: dict[str, float]
    wall_s: float
    processors_of_others: float


def run(settings: dict[str, Any], folder: Path) -> Made:
    """Make a whole run."""
    folder.mkdir(parents=True)
    file = folder / "raft.yaml"
    file.write_text(yaml.safe_dump({**settings, "output": str(folder / "run")}))
    environment = own_cache(folder)
    busy_before, own_before, begun = psutil.cpu_times(), os.times(), time.perf_counter()
    command = [sys.executable, "-m", "halo_forge", "raft", "train", "--config", str(file)]
    with (folder / "log").open("wb") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log, env=environment)
    wall_s, own, busy = time.perf_counter() - begun, os.times(), psutil.cpu_times()
    ours = own.children_user + own.children_system - own_before.children_user - own_before.children_system
    idle = busy.idle + busy.iowait - busy_before.idle - busy_before.iowait
    others = (os.cpu_count() or 1) - (idle + ours) / wall_s
    cycles = completed_cycles(folder / "run")
    seconds = {phase: sum(cycle.seconds.get(phase, 0.0) for cycle in cycles) for phase in PHASES}
    seconds["all"] = sum(cycle.seconds["all"] for cycle in cycles)
    return Made(seconds, wall_s, round(max(0.0, others), 2))


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


def compare(demo: Path, shapes: Sequence[dict[str, Any]], work: Path, seed: int) -> dict[str, Any]:
    """Measure shortly, then foretell whole runs of the same model."""
    folder = work / demo.name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "trial").mkdir(parents=True)
    file = folder / "measure.yaml"
    file.write_text(yaml.safe_dump(settings_of(demo, seed + 1000, output=str(folder / "unused"))))
    begun = time.perf_counter()
    measured = measure(file, folder / "trial").measured
    measuring_s = time.perf_counter() - begun
    assert measured is not None
    runs = []
    for number, changes in enumerate(shapes):
        prompts = changes.get("max_prompts", measured.prompts)
        asked = {name: value for name, value in changes.items() if name != "max_prompts"}
        by = {"measured": folder / "trial" / "run", "nodes": 1, "prompts": prompts, "cycles": measured.cycles}
        plan = make_plan(load(PlanConfig, {**by, **asked}).config)
        made = run(settings_of(demo, seed + number, **changes), folder / f"run_{number}")
        phases = foretell(plan, made.seconds)
        others = {"processors_of_others": made.processors_of_others}
        runs.append({"differs_in": changes, "wall_s": round(made.wall_s, 1), **others, "phases": phases})
    return {"demo": demo.name, "measuring_s": round(measuring_s, 1), "runs": runs}


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
    parser.add_argument("--seed", type=int, default=70)
    options = parser.parse_args()
    found = [compare(demo, SHAPES[: options.shapes], options.work, options.seed) for demo in options.demos]
    print(json.dumps({"ratios": extremes(found), "demos": found}, indent=2))


if __name__ == "__main__":
    main()
