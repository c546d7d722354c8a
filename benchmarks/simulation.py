"""How well the simulation of `halo-forge plan` foretells a run on one and on two nodes of a real Ray cluster, as JSON.

    python benchmarks/simulation.py runs/results/seed0 --work /tmp/simulation

Nodes have one processor each. Rates are measured on a cluster of one; then the demo's run is made by one and by two,
and what its cycles took on the clock for drawing and judging is put beside the simulation with as many nodes.
Processors of one machine share memory and caches, and there is no network between such nodes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

import yaml
from plan import run, settings_of
from scale import nodes

from halo_forge.config.load import load
from halo_forge.config.plan import PlanConfig
from halo_forge.planning.plan import make_plan
from halo_forge.planning.simulate import Network, simulate
from halo_forge.planning.trial import measure
from halo_forge.raft.loop import completed_cycles

ROWS_PER_CHUNK = 64  # a dozen chunks a cycle, so that two nodes can share them evenly


def collected(folder: Path) -> float:
    """Seconds in which the cycles of a run drew and judged, held-out prompts included."""
    cycles = completed_cycles(folder)
    return sum(cycle.seconds.get("collect", 0.0) + cycle.seconds.get("evaluate", 0.0) for cycle in cycles[1:])


def compare(demo: Path, work: Path, most: int) -> dict[str, Any]:
    """Measure on one processor, simulate, and run."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "trial").mkdir(parents=True)
    changes: dict[str, Any] = {"workers": 1, "generation_batch": ROWS_PER_CHUNK, "executor": "ray"}
    file = work / "measure.yaml"
    with nodes(1, pinned=True) as address:
        unused = str(work / "unused")
        file.write_text(yaml.safe_dump(settings_of(demo, output=unused, ray_address=address, **changes)))
        measured = measure(file, work / "trial").measured
    assert measured is not None
    by = {"measured": work / "trial" / "run", "nodes": 1, "prompts": measured.prompts, "cycles": measured.cycles}
    plan = make_plan(load(PlanConfig, by).config)
    found = []
    for count in range(1, most + 1):
        each = [
            simulate(plan.rates, plan.work.model_copy(update={"cycles": cycle}), count, Network())
            for cycle in range(1, plan.work.cycles + 1)
        ]
        told = sum(cycle.seconds - cycle.busy["train"] - cycle.busy["send"] for cycle in each)
        with nodes(count, pinned=True) as address:
            made = run(settings_of(demo, ray_address=address, **changes), work / f"nodes_{count}")
        took = collected(work / f"nodes_{count}" / "run")
        figures = {"simulated_s": round(told, 2), "measured_s": round(took, 2), "ratio": round(told / took, 3)}
        found.append({"nodes": count, **figures, "endless_s": made.endless_s})
    return {"demo": demo.name, "runs": found}


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("demos", type=Path, nargs="+", help="folders of finished demos")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs; those of an earlier one go")
    parser.add_argument("--nodes", type=int, default=os.cpu_count(), help="at most, with a processor for each")
    options = parser.parse_args()
    print(json.dumps([compare(demo, options.work / demo.name, options.nodes) for demo in options.demos], indent=2))


if __name__ == "__main__":
    main()
