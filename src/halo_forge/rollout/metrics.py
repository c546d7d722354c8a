"""What a set of rollouts amounts to, each figure with a 95% interval.

pass@k is the unbiased estimator 1 - C(n-c, k) / C(n, k) of Chen et al. 2021 (arXiv 2107.03374, section 2.1),
averaged over prompts. Intervals are percentile bootstraps over prompts, because the completions of one prompt are
not independent. Unverifiable completions count neither as right nor as wrong: n is the number verified, and a prompt
with fewer than k of those has no pass@k and is counted in `prompts_without`.

The entropy is a Monte-Carlo estimate: H = -sum(log q(token)) / tokens over all that was drawn, where q is the
distribution the tokens were drawn from. The numerator is free of bias; the ratio has one of order 1/completions, since
the lengths are random too. As q comes after temperature, top-k and top-p, figures at different settings are not
comparable, and at temperature 0 it is no entropy but the mean surprise of the likeliest token, which lies below it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import comb
from random import Random

import numpy as np
from numpy.typing import NDArray

from halo_forge.core.types import Record
from halo_forge.rollout.sketch import GRAM_SIZES, Sketch

RESAMPLES = 2_000
BLOCK_DRAWS = 1_000_000
MAJORITY_SETS = 256


class Estimate(Record):
    """A mean over prompts with its 95% interval; None where nothing could be measured."""

    value: float | None
    ci95: tuple[float, float] | None = None


class Metrics(Record):
    """Figures of a set of rollouts.

    Args:
        pass_at: `"1"`, `"5"`, … -> pass@k.
        compile_rate: share of the verified completions that got through the compile stage.
        mean_reward: over the verified completions.
        by_stage: completions by the last stage entered; those that passed everything are under `passed`.
        unverifiable: completions without a reward, by cause.
        prompts_without: `"k"` -> prompts left out of pass@k since fewer than k completions were verified.
        truncated: completions cut at max_new_tokens.
        distinct_fraction: texts among a prompt's completions that differ in more than white space, mean share.
        distinct: `"1"`, `"2"`, `"3"` -> distinct-n, see `distinct_n`; a size of which there is no window is absent.
        mean_tokens: tokens a completion.
        entropy: nats a token, minus the mean log-probability of the tokens drawn; see below.
        maj_at: `"2"`, `"8"`, … -> maj@k, see `majority_values`; empty where verdicts name no answers.
        scores: metric -> figure, of those that the verifier gives beside the reward.
        rewards: counts in ten bins of width 0.1, the last one closed.
    """

    prompts: int
    completions: int
    pass_at: dict[str, Estimate]
    compile_rate: Estimate
    mean_reward: Estimate
    by_stage: dict[str, int]
    unverifiable: dict[str, int]
    prompts_without: dict[str, int]
    truncated: int
    distinct_fraction: float
    mean_tokens: float
    entropy: Estimate
    distinct: dict[str, float]
    rewards: tuple[int, ...]
    maj_at: dict[str, Estimate] = {}
    scores: dict[str, Estimate] = {}

    @property
    def unverifiable_share(self) -> float:
        """Share of the completions that could not be verified."""
        return sum(self.unverifiable.values()) / self.completions if self.completions else 0.0

    @property
    def truncated_share(self) -> float:
        """Share of the completions that were cut at max_new_tokens."""
        return self.truncated / self.completions if self.completions else 0.0


def pass_at_k(n: int, c: int, k: int) -> float:
    """Probability that k of n completions, drawn without replacement, hold at least one of the c right ones.

    Raises:
        ValueError: k > n, for which it is not defined.
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n, got n={n}, c={c}, k={k}")
    return 1.0 - comb(n - c, k) / comb(n, k)


def estimate(values: Sequence[float] | NDArray[np.float64], seed: int = 0) -> Estimate:
    """Mean of one value a prompt, with a percentile bootstrap interval over prompts."""
    if len(values) == 0:
        return Estimate(value=None)
    return weighted_estimate(values, np.ones(len(values)), seed)


def weighted_estimate(
    sums: Sequence[float] | NDArray[np.float64], weights: Sequence[float] | NDArray[np.float64], seed: int = 0
) -> Estimate:
    """Ratio of two sums over prompts, such as compiled / verified completions, bootstrapped over prompts."""
    numerator, denominator = np.asarray(sums, dtype=float), np.asarray(weights, dtype=float)
    if denominator.sum() == 0:
        return Estimate(value=None)
    random, count = np.random.default_rng(seed), len(numerator)
    ratios: list[float] = []
    while len(ratios) < RESAMPLES:
        block = min(RESAMPLES - len(ratios), max(1, BLOCK_DRAWS // count))
        draws = random.integers(0, count, size=(block, count))
        tops, totals = numerator[draws].sum(axis=1), denominator[draws].sum(axis=1)
        ratios += np.divide(tops, totals, out=np.full(block, np.nan), where=totals > 0).tolist()
    low, high = np.nanpercentile(ratios, [2.5, 97.5])
    return Estimate(value=float(numerator.sum() / denominator.sum()), ci95=(float(low), float(high)))


def paired_difference(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> Estimate:
    """Mean difference of two values a prompt, with a paired bootstrap interval over the same prompts."""
    if len(ours) != len(theirs):
        raise ValueError(f"a paired comparison needs the same prompts: {len(ours)} against {len(theirs)}")
    return estimate(np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float), seed)


def by_prompt(rollouts: Iterable[Sketch]) -> dict[str, list[Sketch]]:
    """Group rollouts by prompt, in order of first appearance."""
    groups: dict[str, list[Sketch]] = {}
    for rollout in rollouts:
        groups.setdefault(rollout.prompt_id, []).append(rollout)
    return groups


def pass_values(groups: Mapping[str, Sequence[Sketch]], k: int) -> dict[str, float]:
    """pass@k of each prompt that has at least k verified completions."""
    values: dict[str, float] = {}
    for prompt_id, rollouts in groups.items():
        verified = [r.passed for r in rollouts if r.reward is not None]
        if len(verified) >= k:
            values[prompt_id] = pass_at_k(len(verified), sum(verified), k)
    return values


def majority_values(groups: Mapping[str, Sequence[Sketch]], k: int) -> dict[str, float]:
    """maj@k of each prompt: whether the commonest of k answers is right (Wang et al. 2022, arXiv 2203.11171).

    It is the mean over sets of k of the prompt's verified completions: over all sets where they are few, else over
    `MAJORITY_SETS` drawn ones, the same in every run. Completions without an answer do not vote; answers that are
    equally common share the vote.
    """
    values: dict[str, float] = {}
    for prompt_id, rollouts in groups.items():
        votes = [(r.answer, r.passed) for r in rollouts if r.reward is not None]
        if len(votes) >= k:
            values[prompt_id] = _mean(
                [_majority([votes[place] for place in chosen]) for chosen in _sets(len(votes), k)]
            )
    return values


def _sets(n: int, k: int) -> list[tuple[int, ...]]:
    if comb(n, k) <= MAJORITY_SETS:
        return list(combinations(range(n), k))
    random = Random(f"{n}/{k}")
    return [tuple(random.sample(range(n), k)) for _ in range(MAJORITY_SETS)]


def _majority(votes: Sequence[tuple[str, bool]]) -> float:
    counts = Counter(answer for answer, _ in votes if answer)
    most = max(counts.values(), default=0)
    right = {answer for answer, passed in votes if passed}
    return _mean([float(answer in right) for answer, votes_for in counts.items() if votes_for == most])


def measure(rollouts: Sequence[Sketch], ks: Sequence[int] = (1,), seed: int = 0) -> Metrics:
    """Compute every figure of a set of rollouts; pass@k for each k that some prompt has samples for."""
    groups = by_prompt(rollouts)
    verified = [[r for r in group if r.reward is not None] for group in groups.values()]
    counts = [len(group) for group in verified]
    per_k = {k: list(pass_values(groups, k).values()) for k in ks}
    tokens = sum(r.tokens for r in rollouts)
    return Metrics(
        prompts=len(groups),
        completions=len(rollouts),
        pass_at={str(k): estimate(values, seed) for k, values in per_k.items()},
        compile_rate=weighted_estimate([sum(r.compiled for r in group) for group in verified], counts, seed),
        mean_reward=weighted_estimate([sum(r.reward or 0.0 for r in group) for group in verified], counts, seed),
        by_stage=dict(Counter("passed" if r.passed else str(r.stage) for group in verified for r in group)),
        unverifiable=dict(Counter(r.fault or "unknown" for r in rollouts if r.reward is None)),
        prompts_without={str(k): len(groups) - len(values) for k, values in per_k.items()},
        truncated=sum(r.truncated for r in rollouts),
        distinct_fraction=_mean([len({r.text for r in group}) / len(group) for group in groups.values()]),
        mean_tokens=tokens / len(rollouts) if rollouts else 0.0,
        entropy=_entropy(groups.values(), seed),
        distinct=distinct_n(groups.values()),
        rewards=tuple(
            np.histogram([r.reward or 0.0 for group in verified for r in group], bins=10, range=(0, 1))[0].tolist()
        ),
        maj_at=_majorities(groups, [k for k in ks if k > 1], seed),
        scores=_scores(verified, seed),
    )


def score_values(groups: Mapping[str, Sequence[Sketch]], name: str) -> dict[str, float]:
    """One of the verifier's scores for each prompt that has it."""
    values: dict[str, float] = {}
    for prompt_id, rollouts in groups.items():
        pairs = [(amount, of) for r in rollouts if r.reward is not None for key, amount, of in r.scores if key == name]
        total = sum(of for _, of in pairs)
        if total:
            values[prompt_id] = sum(amount for amount, _ in pairs) / total
    return values


def _majorities(groups: Mapping[str, Sequence[Sketch]], ks: Sequence[int], seed: int) -> dict[str, Estimate]:
    if not any(r.answer for group in groups.values() for r in group):
        return {}
    return {str(k): estimate(list(majority_values(groups, k).values()), seed) for k in ks}


def _scores(groups: Sequence[Sequence[Sketch]], seed: int) -> dict[str, Estimate]:
    """Sum of the amounts over sum of what they are of, for each metric that some verdict has."""
    names = dict.fromkeys(name for group in groups for r in group for name, _, _ in r.scores)
    found = {}
    for name in names:
        pairs = [[(amount, of) for r in group for key, amount, of in r.scores if key == name] for group in groups]
        sums, weights = ([sum(pair[side] for pair in group) for group in pairs] for side in (0, 1))
        found[name] = weighted_estimate(sums, weights, seed)
    return found


def distinct_n(groups: Iterable[Sequence[Sketch]]) -> dict[str, float]:
    """Distinct-n: different windows of n tokens over all windows, in a prompt's completions; the mean over prompts.

    Li et al. 2016 (arXiv 1510.03055) take one count over all outputs and divide by tokens. Over windows it
    reaches 1, and prompt by prompt neither the number of prompts nor their likeness enters. It still falls with more or
    longer completions a prompt, so it compares sets drawn alike.

    Args:
        groups: all completions of each prompt.
    """
    shares: dict[str, list[float]] = {str(size): [] for size in GRAM_SIZES}
    for group in groups:
        for place, size in enumerate(GRAM_SIZES):
            windows = sum(max(0, r.tokens - size + 1) for r in group)
            if windows:
                shares[str(size)].append(sum(r.new_grams[place] for r in group) / windows)
    return {size: _mean(values) for size, values in shares.items() if values}


def _entropy(groups: Iterable[Sequence[Sketch]], seed: int) -> Estimate:
    scored = [[r for r in group if r.logprob_sum is not None] for group in groups]
    surprise = [0.0 - sum(r.logprob_sum or 0.0 for r in group) for group in scored]
    return weighted_estimate(surprise, [sum(r.tokens for r in group) for group in scored], seed)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
