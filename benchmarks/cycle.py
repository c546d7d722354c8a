"""One whole RAFT cycle by phase on a fixed tiny model, as JSON.

    python benchmarks/cycle.py [--work runs/benchmark-cycle] [--prompts 64] [--samples 8] [--repeats 3]

The model is made once (a short SFT, not counted) and kept in the work folder. Each repeat runs one cycle of the real
loop in a fresh folder: draw, verify in the real sandbox with the real compiler, select, train. Seconds are on the clock
unless named cpu; the middle repeat by total time is printed, with the spread of the totals.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import time
from pathlib import Path
from typing import Any

from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.sft import SftTrainConfig
from halo_forge.demo.corpus import make_corpus, write_corpus
from halo_forge.demo.recipe import RAFT, SFT
from halo_forge.models.nano import build_nano_code_model
from halo_forge.raft.loop import train_raft
from halo_forge.rollout.decision import Decision
from halo_forge.rollout.records import read_records, read_rollouts
from halo_forge.runs.summary import RaftSummary
from halo_forge.sft.loop import train_sft
from halo_forge.training.batches import count_steps, padding_waste, plan_batches


def make_model(work: Path, steps: int) -> Path:
    """Make the tiny model and its prompts, once."""
    data, base, sft = work / "data", work / "base", work / "sft"
    if not (base / "config.json").exists():
        corpus = make_corpus(0)
        write_corpus(corpus, data)
        build_nano_code_model(base, [text for row in corpus.sft_rows for text in (row.prompt, row.answer)], seed=0)
    settings = {**SFT, "max_steps": steps, "model": str(base), "data": data / "sft.jsonl", "output": sft}
    train_sft(load(SftTrainConfig, settings))
    return sft


def run_cycle(work: Path, model: Path, prompts: int, samples: int) -> dict[str, Any]:
    """Run one cycle in a fresh folder and measure it."""
    output = work / "cycle"
    shutil.rmtree(output, ignore_errors=True)
    settings = {
        **RAFT,
        "model": str(model),
        "prompts": work / "data" / "raft_prompts.jsonl",
        "output": output,
        "max_prompts": prompts,
        "samples_per_prompt": samples,
        "cycles": 1,
        "holdout_fraction": 0.0,
    }
    before = cpu_seconds()
    begun = time.perf_counter()
    summary = train_raft(load(RaftTrainConfig, settings))
    wall = time.perf_counter() - begun
    after = cpu_seconds()
    cpu = {name: round(after[name] - before[name], 2) for name in after}
    return describe(output, settings, summary, wall, cpu)


def describe(
    output: Path, settings: dict[str, Any], summary: RaftSummary, wall: float, cpu: dict[str, float]
) -> dict[str, Any]:
    """The figures of a cycle by phase."""
    cycle = summary.cycles[1]
    assert cycle.training is not None
    rollouts = read_rollouts(output / "rollouts" / "cycle_1.jsonl")
    kept = {(d.prompt_id, d.index) for d in read_records(output / "kept" / "cycle_1.jsonl", Decision) if d.kept}
    lengths = [len(r.completion.token_ids) for r in rollouts if (r.prompt_id, r.completion.index) in kept]
    batch, epochs = int(settings["batch_size"]), float(settings["epochs"])
    batches = plan_batches(lengths, batch, count_steps(len(lengths), batch, epochs), 0)
    tokens, seconds = sum(len(r.completion.token_ids) for r in rollouts), cycle.seconds
    return {
        "wall_s": round(wall, 3),
        "cpu_s": cpu,
        "generate": {
            "s": round(seconds["generate"], 3),
            "tokens": tokens,
            "tokens_per_s": round(tokens / seconds["generate"]),
            "samples_per_s": round(len(rollouts) / seconds["generate"], 1),
        },
        "verify": {
            "s": round(seconds["verify"], 3),
            "samples_per_s": round(len(rollouts) / seconds["verify"], 1),
            "distinct": len({(r.prompt_id, r.completion.text) for r in rollouts}),
            "passed": sum(r.verdict.passed for r in rollouts),
        },
        "generate_and_verify_overlapped": {"s": round(seconds["collect"], 3)},
        "train": {
            "s": round(seconds["train"], 3),
            "steps": cycle.training.steps,
            "rows": cycle.training.rows,
            "learnt_tokens_per_s": round(cycle.training.learnt_tokens / seconds["train"]),
            "padding_waste": round(padding_waste(lengths, batches), 4),
        },
    }


def cpu_seconds() -> dict[str, float]:
    """Processor seconds so far, of this process and of those it waited for."""
    times = os.times()
    return {"own": times.user + times.system, "children": times.children_user + times.children_system}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/benchmark-cycle"))
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sft-steps", type=int, default=300)
    chosen = parser.parse_args()
    model = make_model(chosen.work, chosen.sft_steps)
    cycles = [run_cycle(chosen.work, model, chosen.prompts, chosen.samples) for _ in range(chosen.repeats)]
    cycles.sort(key=lambda cycle: float(cycle["wall_s"]))
    result = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "prompts": chosen.prompts,
        "samples_per_prompt": chosen.samples,
        "repeats": chosen.repeats,
        "wall_s_of_all": [cycle["wall_s"] for cycle in cycles],
        "cycle": cycles[len(cycles) // 2],
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
