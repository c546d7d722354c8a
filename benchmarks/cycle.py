"""One whole RAFT cycle by phase on a fixed tiny model, as JSON.

    python benchmarks/cycle.py [--work runs/benchmark-cycle] [--prompts 64] [--samples 8] [--repeats 3] [--peer]

The model is made once (a short SFT, not counted) and kept in the work folder. Each repeat runs one cycle of the real
loop in a fresh folder: draw, verify in the real sandbox with the real compiler, select, train. Seconds are on the clock
unless named cpu; the middle repeat by total time is printed, with the spread of the totals. No verdict comes from the
cache of an earlier run.

With `--peer` both train a LoRA adapter, and each repeat is followed by a straightforward cycle (`cycle_peer.py`) on the
same model, prompts, kept samples and optimiser steps: with its rows padded to 2,048 tokens and, by the side, to the
longest of a batch. Each way takes the number of torch threads, 1 or 2, that it is faster with. How many times as fast
halo-forge is hangs on how many rows are kept: each costs the padded peer more than a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from cycle_peer import FIXED_TOKENS, Work, run_peer

from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.sft import SftTrainConfig
from halo_forge.data.prompts import load_prompts
from halo_forge.demo.code import CODE
from halo_forge.demo.corpus import make_corpus, write_corpus
from halo_forge.models.nano import build_nano_code_model
from halo_forge.models.preview import load_chat
from halo_forge.models.resolve import resolve_model
from halo_forge.raft.loop import train_raft
from halo_forge.rollout.decision import Decision
from halo_forge.rollout.records import read_records, read_rollouts
from halo_forge.runs.summary import RaftSummary
from halo_forge.sft.loop import train_sft
from halo_forge.training.batches import count_steps, padding_waste, plan_batches

# An adapter as most would train it, on what compiles: rows enough for a fair share of training.
LIKE_THE_PEER: dict[str, Any] = {"tuning": "lora", "learning_rate": 5e-3, "reward_threshold": 0.5}


def make_model(work: Path, steps: int) -> Path:
    """Make the tiny model and its prompts, once."""
    data, base, sft = work / "data", work / "base", work / "sft"
    if not (base / "config.json").exists():
        corpus = make_corpus(0)
        write_corpus(corpus, data)
        build_nano_code_model(base, [text for row in corpus.sft_rows for text in (row.prompt, row.answer)], seed=0)
    settings = {**CODE.sft, "max_steps": steps, "model": str(base), "data": data / "sft.jsonl", "output": sft}
    train_sft(load(SftTrainConfig, settings))
    return sft


def cycle_settings(work: Path, model: Path, prompts: int, samples: int) -> dict[str, Any]:
    """The demo's cycle, once, without measuring and without earlier verdicts."""
    return {
        **CODE.raft,
        "model": str(model),
        "prompts": work / "data" / "raft_prompts.jsonl",
        "output": work / "cycle",
        "max_prompts": prompts,
        "samples_per_prompt": samples,
        "cycles": 1,
        "holdout_fraction": 0.0,
        "cache": False,
    }


def run_cycle(loaded: Loaded[RaftTrainConfig]) -> dict[str, Any]:
    """Run one cycle in a fresh folder and measure it."""
    config = loaded.config
    shutil.rmtree(config.output, ignore_errors=True)
    before = cpu_seconds()
    begun = time.perf_counter()
    summary = train_raft(loaded)
    wall = time.perf_counter() - begun
    after = cpu_seconds()
    cpu = {name: round(after[name] - before[name], 2) for name in after}
    return describe(config, summary, wall, cpu)


def describe(config: RaftTrainConfig, summary: RaftSummary, wall: float, cpu: dict[str, float]) -> dict[str, Any]:
    """The figures of a cycle by phase."""
    cycle = summary.cycles[1]
    assert cycle.training is not None
    output = config.output
    rollouts = read_rollouts(output / "rollouts" / "cycle_1.jsonl")
    kept = {(d.prompt_id, d.index) for d in read_records(output / "kept" / "cycle_1.jsonl", Decision) if d.kept}
    lengths = [len(r.completion.token_ids) for r in rollouts if (r.prompt_id, r.completion.index) in kept]
    batch, epochs = config.batch_size, config.epochs
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


def same_work(work: Path, model: Path, config: RaftTrainConfig, steps: int) -> Work:
    """What halo-forge's last cycle did, for the peer to do as well."""
    start = resolve_model(str(model))
    chat = load_chat(start, config)
    prompts = load_prompts(work / "data" / "raft_prompts.jsonl", max_prompts=config.max_prompts, seed=config.seed)
    ids = {prompt.id: chat.prompt_ids(prompt.messages) for prompt in prompts}
    output = work / "cycle"
    chosen = {(d.prompt_id, d.index) for d in read_records(output / "kept" / "cycle_1.jsonl", Decision) if d.kept}
    kept = [
        (ids[r.prompt_id], list(r.completion.token_ids))
        for r in read_rollouts(output / "rollouts" / "cycle_1.jsonl")
        if (r.prompt_id, r.completion.index) in chosen
    ]
    return Work(
        model=start.base,
        prompts=prompts,
        samples=config.samples_per_prompt,
        batch_rows=config.generation_batch,
        max_new_tokens=config.max_new_tokens,
        kept=kept,
        steps=steps,
        batch=min(len(kept), round(len(kept) * config.epochs / steps)),
        learning_rate=float(LIKE_THE_PEER["learning_rate"]),
        rank=config.lora_rank,
        alpha=config.lora_alpha,
    )


def run_beside(work: Work, cycle: dict[str, Any], threads: dict[str, int]) -> dict[str, Any]:
    """Run the peer on what halo-forge's cycle has just kept, padded either way.

    Args:
        threads: of torch, that each way is fastest with; found out, by one step with 1 and with 2, where it does
            not say.

    Returns:
        Seconds of its phases, and how many times as fast halo-forge's whole cycle was.
    """
    result: dict[str, Any] = {}
    for name, width in (("padded_to_2048", FIXED_TOKENS), ("padded_to_longest", None)):
        if name not in threads:
            trials = {n: run_peer(work._replace(steps=1), n, padded_to=width, seed=0) for n in (1, 2)}
            threads[name] = min(trials, key=lambda n: trials[n]["generate"] + work.steps * trials[n]["train"])
        before = cpu_seconds()
        seconds = run_peer(work, threads[name], padded_to=width, seed=0)
        after = cpu_seconds()
        cpu = {key: round(after[key] - before[key], 2) for key in after}
        result[name] = {
            "wall_s": round(sum(seconds.values()), 3),
            "cpu_s": cpu,
            "phases_s": {phase: round(value, 3) for phase, value in seconds.items()},
            "threads": threads[name],
            "times_as_fast": round(sum(seconds.values()) / cycle["wall_s"], 2),
            "times_as_fast_cpu": round(sum(cpu.values()) / sum(cycle["cpu_s"].values()), 2),
        }
    return result


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
    parser.add_argument("--peer", action="store_true", help="run a straightforward cycle beside each")
    chosen = parser.parse_args()
    model = make_model(chosen.work, chosen.sft_steps)
    settings = cycle_settings(chosen.work, model, chosen.prompts, chosen.samples)
    config = load(RaftTrainConfig, {**settings, **(LIKE_THE_PEER if chosen.peer else {})})
    cycles, threads = [], dict[str, int]()
    for _ in range(chosen.repeats):
        cycle = run_cycle(config)
        if chosen.peer:
            own_threads = torch.get_num_threads()
            cycle["peer"] = run_beside(
                same_work(chosen.work, model, config.config, cycle["train"]["steps"]), cycle, threads
            )
            torch.set_num_threads(own_threads)
        cycles.append(cycle)
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
    if chosen.peer:
        result["times_as_fast"] = {
            name: {
                figure: round(statistics.median(cycle["peer"][name][figure] for cycle in cycles), 2)
                for figure in ("times_as_fast", "times_as_fast_cpu")
            }
            for name in ("padded_to_2048", "padded_to_longest")
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
