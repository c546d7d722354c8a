"""Are two models different? Tests on figures that are paired prompt by prompt.

The two models answer the same prompts, and how hard a prompt is varies far more than the models do: pairing takes that
part out of the noise. The difference of the means gets a percentile bootstrap interval over prompts (Efron and
Tibshirani 1993, chapter 13; for test sets of language models Koehn 2004, EMNLP, and Miller 2024, arXiv 2411.00640,
section 4 on paired differences). Beside it stands an exact test that needs no resampling: the sign test (Dixon and
Mood 1946), which for one completion a prompt is McNemar's test in its exact form (McNemar 1947; recommended for two
classifiers on one test set by Dietterich 1998). Several models against one are corrected by Holm's method (1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import NamedTuple

from halo_forge.rollout.metrics import Estimate, paired_difference


class Paired(NamedTuple):
    """Two sets of figures against each other; see `runs.comparison.PairedTest` for the fields."""

    prompts: int
    left_out: int
    difference: Estimate
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    p_value: float


def pair(first: Mapping[str, float], other: Mapping[str, float], prompts: int) -> Paired:
    """Compare `other` with `first` over the prompts that both have a figure for.

    Args:
        first: prompt id -> figure, such as pass@1.
        prompts: how many prompts were measured, with a figure or without.
    """
    shared = sorted(first.keys() & other.keys())
    gained = tuple(prompt for prompt in shared if other[prompt] > first[prompt])
    lost = tuple(prompt for prompt in shared if other[prompt] < first[prompt])
    return Paired(
        prompts=len(shared),
        left_out=prompts - len(shared),
        difference=paired_difference([other[prompt] for prompt in shared], [first[prompt] for prompt in shared]),
        gained=gained,
        lost=lost,
        p_value=sign_test(len(gained), len(lost)),
    )


def sign_test(up: int, down: int) -> float:
    """Two-sided exact probability of a split at least this uneven if either direction were as likely.

    Ties carry no information on the direction and are left out by the caller. Without any change it is 1.
    """
    changed, fewer = up + down, min(up, down)
    tail = sum(comb(changed, i) for i in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << changed))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of a family of tests (Holm 1979), in the order they came in."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted
