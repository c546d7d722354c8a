"""Generation beside `generate(num_return_sequences=n)` of the same library, interleaved in one run; prints JSON.

    python benchmarks/generation.py [--work runs/benchmark-cycle] [--rows 64,256] [--samples 8] [--rounds 7]

Both draw from the same tiny model, the same prompts, temperature 1 and no truncation. `ended` lets answers end as the
model ends them, 96 tokens at most; `full` lets none end before 48. Of each pair of rounds both sides take one turn;
ratios are the middle one of the pairs, above 1 where halo-forge is faster. Log-probabilities are ours alone to store.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from cycle import make_model

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.types import Prompt, Sampling
from halo_forge.data.prompts import load_prompts
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import resolve_model


class Turn(NamedTuple):
    """One side's turn."""

    tokens: int
    cpu_s: float
    wall_s: float


def static_generate(policy: Policy, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[list[int]]:
    """Draw with the library's own loop: prompts padded on the left, each repeated for its samples.

    Returns:
        Tokens of each row up to and with its stop token.
    """
    chat = policy.chat
    encoded = [chat.prompt_ids(prompt.messages) for prompt in prompts]
    longest = max(map(len, encoded))
    ids = torch.tensor([[chat.pad_id] * (longest - len(row)) + row for row in encoded], device=policy.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in encoded], device=policy.device)
    torch.manual_seed(seed)
    drawn = policy.model.generate(
        ids,
        attention_mask=mask,
        do_sample=True,
        num_return_sequences=sampling.n,
        temperature=sampling.temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=sampling.max_new_tokens,
        pad_token_id=chat.pad_id,
        eos_token_id=sorted(chat.stop_ids) or [policy.model.config.vocab_size],  # None would mean the config's own
    )
    rows = drawn[:, longest:].tolist()
    ends = [next((place + 1 for place, token in enumerate(row) if token in chat.stop_ids), len(row)) for row in rows]
    return [row[:end] for row, end in zip(rows, ends, strict=True)]


def take_turn(draw: Callable[[], Sequence[Sequence[int]]]) -> Turn:
    """Time one side."""
    cpu, wall = time.process_time(), time.perf_counter()
    rows = draw()
    return Turn(sum(map(len, rows)), time.process_time() - cpu, time.perf_counter() - wall)


def compare(policy: Policy, prompts: Sequence[Prompt], sampling: Sampling, rounds: int) -> dict[str, Any]:
    """Let both sides draw in turns; the first turns are thrown away."""
    generator = TransformersGenerator(policy)
    static, ours = [], []
    for turn in range(rounds + 1):
        static.append(take_turn(lambda t=turn: static_generate(policy, prompts, sampling, t)))  # type: ignore[misc]
        ours.append(
            take_turn(lambda t=turn: [c.token_ids for c in generator.generate(prompts, sampling, t)])  # type: ignore[misc]
        )
    pairs = list(zip(static[1:], ours[1:], strict=True))
    middle = statistics.median
    return {
        "static_generate": _speeds(static[1:]),
        "halo_forge": _speeds(ours[1:]),
        "times_as_fast_cpu": round(middle((b.tokens / b.cpu_s) / (a.tokens / a.cpu_s) for a, b in pairs), 2),
        "times_as_fast_wall": round(middle((b.tokens / b.wall_s) / (a.tokens / a.wall_s) for a, b in pairs), 2),
    }


def _speeds(turns: Sequence[Turn]) -> dict[str, int]:
    return {
        "tokens": round(statistics.median(turn.tokens for turn in turns)),
        "tokens_per_cpu_s": round(statistics.median(turn.tokens / turn.cpu_s for turn in turns)),
        "tokens_per_s": round(statistics.median(turn.tokens / turn.wall_s for turn in turns)),
    }


def never_ending(policy: Policy) -> Policy:
    """The same policy with nothing that ends an answer."""
    endless = load_policy(resolve_model(policy.base), LoadingOptions())
    endless.chat.stop_ids = frozenset()
    return replace(endless, model=policy.model)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/benchmark-cycle"))
    parser.add_argument("--rows", default="64,256")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sft-steps", type=int, default=300, help="of the model, if it is not in --work yet")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    model = make_model(chosen.work, chosen.sft_steps)
    policy = load_policy(resolve_model(str(model)), LoadingOptions(threads=chosen.threads))
    prompts = load_prompts(chosen.work / "data" / "raft_prompts.jsonl")
    kinds = {"ended": (policy, 96), "full": (never_ending(policy), 48)}
    result: dict[str, Any] = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "threads": torch.get_num_threads(),
        "samples": chosen.samples,
        "rounds": chosen.rounds,
    }
    for name, (drawing, most) in kinds.items():
        sampling = Sampling(n=chosen.samples, temperature=1.0, max_new_tokens=most)
        for rows in map(int, chosen.rows.split(",")):
            count = max(1, rows // chosen.samples)
            result[f"{name}_{rows}_rows"] = compare(drawing, prompts[:count], sampling, chosen.rounds)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
