"""Which of the training prompts a cycle takes.

Evidence: an update learns most from prompts that are solved sometimes; those solved always or never teach little
(Minimal-RL, arXiv 2504.11343), so `adaptive` and `historical` look for the former and leave some room for the others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, log
from random import Random

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.seeds import derive
from halo_forge.core.types import Prompt
from halo_forge.raft.course import between, progress
from halo_forge.raft.tally import Tallies

LEARNABLE = (0.2, 0.8)
EXPLORED = 0.2


def choose_prompts(
    config: RaftTrainConfig, prompts: Sequence[Prompt], cycle: int, horizon: int, past: Sequence[Tallies]
) -> list[Prompt]:
    """Return the prompts of a cycle, in the order they have.

    Args:
        config: the settings in force in this cycle.
        prompts: all that are trained on.
        past: what came of them in the cycles before, cycle 1 first.
    """
    ids = [prompt.id for prompt in prompts]
    size = _size(config.share_of_prompts, len(ids))
    match config.curriculum:
        case "none":
            chosen = _in_turn(ids, size, cycle, config.seed)
        case "complexity":
            easiest = round(progress(cycle, horizon) * (len(ids) - size))
            chosen = by_complexity(prompts)[easiest : easiest + size]
        case "progressive":
            share = between(config.share_of_prompts, 1.0, progress(cycle, horizon))
            chosen = by_complexity(prompts)[: _size(share, len(ids))]
        case "adaptive":
            chosen = _learnable(ids, size, cycle, config.seed, past)
        case "historical":
            chosen = _uncertain(ids, size, cycle, config.seed, past)
    taken = set(chosen)
    return [prompt for prompt in prompts if prompt.id in taken]


def by_complexity(prompts: Sequence[Prompt]) -> list[str]:
    """Return the ids from easy to hard, equals in the order they have.

    Difficulty is the mean of three ranks: the prompt's length, its known solution's length, and its number of tests.
    A rank is the share of the prompts that have less of it, so what no prompt differs in does not count.
    """
    features = [[_length(prompt), len(prompt.reference.solution or ""), _tests(prompt)] for prompt in prompts]
    levels = [sorted(column) for column in zip(*features, strict=True)]
    ranks = [sum(bisect_left(level, value) for level, value in zip(levels, row, strict=True)) for row in features]
    return [prompts[place].id for place in sorted(range(len(prompts)), key=ranks.__getitem__)]


def _size(share: float, prompts: int) -> int:
    return min(prompts, max(1, ceil(share * prompts - 1e-9)))


def _length(prompt: Prompt) -> int:
    return sum(len(message.content) for message in prompt.messages)


def _tests(prompt: Prompt) -> int:
    reference = prompt.reference
    return len(reference.asserts) + len(reference.cases) + (reference.check is not None)


def _in_turn(ids: Sequence[str], size: int, cycle: int, seed: int) -> list[str]:
    """Go round a shuffled list, so that every prompt is taken once before any is taken again."""
    order = _shuffled(ids, derive(seed, "prompts"))
    start = (cycle - 1) * size
    return [order[place % len(order)] for place in range(start, start + size)]


def _learnable(ids: Sequence[str], size: int, cycle: int, seed: int, past: Sequence[Tallies]) -> list[str]:
    """Prompts whose last pass rate is near one half first; what is left goes to those not seen for longest."""
    seen = {name: number for number, found in enumerate(past, 1) for name in found}
    rates = {name: one.passed / one.verified for found in past for name, one in found.items() if one.verified}
    order = _shuffled(ids, derive(seed, "prompts", cycle))
    low, high = LEARNABLE
    near = sorted((name for name in order if low <= rates.get(name, -1.0) <= high), key=lambda n: abs(rates[n] - 0.5))
    chosen = near[: size - ceil(EXPLORED * size)]
    taken = set(chosen)
    others = sorted((name for name in order if name not in taken), key=lambda name: seen.get(name, 0))
    return [*chosen, *others[: size - len(chosen)]]


def _uncertain(ids: Sequence[str], size: int, cycle: int, seed: int, past: Sequence[Tallies]) -> list[str]:
    """Draw without replacement, weighted by how uncertain a prompt's answer is after all cycles so far.

    The weight is p (1 - p) with p = (passed + 1) / (verified + 2), the rule of succession; the draw is that of
    Efraimidis and Spirakis 2006 (Information Processing Letters 97): the highest log(u) / weight, u uniform.
    """

    def key(name: str) -> float:
        verified = sum(found[name].verified for found in past if name in found)
        passed = sum(found[name].passed for found in past if name in found)
        rate = (passed + 1) / (verified + 2)
        uniform = 1.0 - Random(derive(seed, "prompts", cycle, name)).random()
        return log(uniform) / (rate * (1 - rate))

    return sorted(ids, key=key, reverse=True)[:size]


def _shuffled(ids: Sequence[str], seed: int) -> list[str]:
    return Random(seed).sample(list(ids), len(ids))
