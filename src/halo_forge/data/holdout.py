"""Keeping a part of the prompts out of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from halo_forge.core.seeds import derive
from halo_forge.core.types import Prompt

SMALLEST_SPLIT = 10


class Split(NamedTuple):
    """Prompts to train on, and prompts by which the best cycle is chosen; both in the file's order."""

    train: list[Prompt]
    holdout: list[Prompt]


def split_holdout(prompts: Sequence[Prompt], fraction: float, seed: int) -> Split:
    """Hold out `fraction` of the prompts, each group in proportion.

    A prompt's rank in its group depends on its id and the seed alone and the lowest ranks are held out, so that
    adding prompts moves only those at the edge. Fewer than 10 prompts are not split: so small a holdout
    would choose a cycle by luck. From 10 on a fraction above 0 holds out at least one.

    Args:
        fraction: 0 (none) to below 1.

    Raises:
        ValueError: the fraction is out of range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"the holdout fraction must be at least 0 and below 1, but it is {fraction}")
    if fraction == 0 or len(prompts) < SMALLEST_SPLIT:
        return Split(list(prompts), [])
    groups: dict[str | None, list[Prompt]] = {}
    for prompt in prompts:
        groups.setdefault(prompt.group, []).append(prompt)
    shares = _shares({group: len(members) for group, members in groups.items()}, fraction)
    held: set[str] = set()
    for group, members in groups.items():
        ranked = sorted(members, key=lambda prompt: derive(seed, "holdout", prompt.id))
        held.update(prompt.id for prompt in ranked[: shares[group]])
    return Split([p for p in prompts if p.id not in held], [p for p in prompts if p.id in held])


def _shares(sizes: dict[str | None, int], fraction: float) -> dict[str | None, int]:
    """Spread the number to hold out over the groups by largest remainder."""
    total = min(max(1, round(fraction * sum(sizes.values()))), sum(sizes.values()) - 1)
    shares = {group: int(fraction * size) for group, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda group: (shares[group] - fraction * sizes[group], str(group)))
    for group in by_remainder[: total - sum(shares.values())]:
        shares[group] += 1
    return shares
