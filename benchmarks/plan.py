"""How well `halo-forge plan` predicts: the rates of each run of a group foretell every other, phase by phase, as JSON.

    python benchmarks/plan.py runs/results/seed0/raft runs/results/seed1/raft runs/results/seed2/raft

Predicted are the seconds of all finished cycles of a run, from its own settings and the rates of another. How many
verdicts came from the cache is a matter of chance, and taken from the run itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from halo_forge.planning.predict import Work, predict
from halo_forge.planning.rates import Rates, read_rates
from halo_forge.raft.loop import completed_cycles
from halo_forge.runs.run_dir import read_launch

PHASES = ("generate", "verify", "collect", "train", "evaluate")


def work_of(folder: Path) -> Work:
    """What a run that has finished did."""
    context = read_launch(folder)
    assert context is not None
    params: dict[str, Any] = context.params
    cycles = completed_cycles(folder)
    drawn, held = cycles[1].rollouts, cycles[1].holdout
    return Work(
        prompts=drawn.prompts if drawn else 1,
        holdout=held.prompts if held else 0,
        samples=params["samples_per_prompt"],
        cycles=len(cycles) - 1,
        rows_per_chunk=params["generation_batch"],
        epochs=params["epochs"],
    )


def foretell(by: Rates, folder: Path, own: Rates) -> dict[str, float]:
    """Predicted seconds over measured ones, by phase, and of the whole."""
    rates = by.model_copy(update={"judged_share": own.judged_share})
    predicted = predict(rates, work_of(folder)).cycles
    measured = completed_cycles(folder)
    found = {
        phase: sum(getattr(cycle, phase) for cycle in predicted) / sum(c.seconds.get(phase, 0.0) for c in measured)
        for phase in PHASES
    }
    found["all"] = sum(cycle.total for cycle in predicted) / sum(cycle.seconds["all"] for cycle in measured)
    return {name: round(value, 2) for name, value in found.items()}


def compare(folders: Sequence[Path]) -> dict[str, Any]:
    """Foretell every run by every other."""
    rates = {folder: read_rates(folder) for folder in folders}
    pairs: list[dict[str, Any]] = [
        {"by": str(by), "of": str(of), **foretell(rates[by], of, rates[of])} for by, of in permutations(folders, 2)
    ]
    own = [{"of": str(folder), **foretell(rates[folder], folder, rates[folder])} for folder in folders]
    names = (*PHASES, "all")
    median = {name: round(statistics.median(pair[name] for pair in pairs), 2) for name in names} if pairs else {}
    return {"by_its_own_rates": own, "by_another": pairs, "median": median}


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished RAFT runs with like settings")
    print(json.dumps(compare(parser.parse_args().runs), indent=2))


if __name__ == "__main__":
    main()
