from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.core.types import Completion, Rollout, Stage, Verdict
from halo_forge.rollout.metrics import measure, paired_difference, pass_at_k, weighted_estimate
from halo_forge.rollout.sketch import sketch


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_one(case: tuple[int, int, int]) -> None:
    n, c, k = case
    draws = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


@pytest.mark.parametrize(("n", "c", "k"), [(4, 1, 5), (4, 5, 1), (0, 0, 1), (3, 1, 0)])
def test_pass_at_k_is_refused_where_it_is_not_defined(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@k needs"):
        pass_at_k(n, c, k)


def test_unverifiable_completions_are_neither_right_nor_wrong(make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [make_rollout(index=0), make_rollout(index=1, reward=None), make_rollout(index=2, reward=0.7)]
    metrics = measure(sketch(rollouts), ks=(1, 3))
    assert metrics.pass_at["1"].value == 0.5
    assert metrics.pass_at["3"].value is None
    assert metrics.prompts_without == {"1": 0, "3": 1}
    assert metrics.unverifiable == {"sandbox down": 1}
    assert metrics.mean_reward.value == pytest.approx(0.85)
    assert sum(metrics.rewards) == 2


def test_compile_rate_counts_everything_beyond_the_compile_stage(make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [
        make_rollout(index=0, reward=0.0, stage=Stage.PARSE),
        make_rollout(index=1, reward=0.0, stage=Stage.COMPILE),
        make_rollout(index=2, reward=0.5, stage=Stage.RUN),
        make_rollout(index=3, reward=1.0, stage=Stage.COMPILE),
    ]
    metrics = measure(sketch(rollouts))
    assert metrics.compile_rate.value == 0.5
    assert metrics.by_stage == {"parse": 1, "compile": 1, "run": 1, "passed": 1}


def answer(prompt_id: str, ids: str, logprobs: tuple[float, ...] = ()) -> Rollout:
    """A completion whose tokens are letters."""
    completion = Completion(prompt_id=prompt_id, index=0, text=ids, token_ids=tuple(map(ord, ids)), logprobs=logprobs)
    return Rollout(cycle=1, chunk=0, completion=completion, verdict=Verdict(reward=1.0, passed=True, stage=Stage.TESTS))


def test_distinct_n_is_the_mean_over_prompts_of_different_windows() -> None:
    drawn = [answer("p", "abab"), answer("p", "ab"), answer("q", "xyz"), answer("r", "")]
    # p: 2 of 6 tokens; ab, ba of 4 pairs; aba, bab of 2 triples. q: all differ. r: no windows.
    expected = {"1": (2 / 6 + 1) / 2, "2": (2 / 4 + 1) / 2, "3": 1.0}
    assert measure(sketch(drawn)).distinct == pytest.approx(expected)
    assert measure(sketch([answer("p", "a")])).distinct == {"1": 1.0}


def test_entropy_is_minus_the_mean_log_probability_of_all_tokens() -> None:
    drawn = [answer("p", "ab", (-1.0, -2.0)), answer("p", "c", (-0.3,)), answer("q", "d", (-0.7,)), answer("q", "no")]
    entropy = measure(sketch(drawn)).entropy
    assert entropy.value == pytest.approx(4.0 / 4)
    assert entropy.ci95 == pytest.approx((0.7, 1.1))
    assert measure(sketch([answer("p", "ab")])).entropy.value is None


def test_shares_of_what_was_cut_and_could_not_be_verified(make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [
        make_rollout(index=0, finish="length"),
        make_rollout(index=1, reward=None),
        *map(make_rollout, "abcdef"),
    ]
    metrics = measure(sketch(rollouts))
    assert (metrics.truncated_share, metrics.unverifiable_share) == (0.125, 0.125)
    assert (measure([]).truncated_share, measure([]).unverifiable_share) == (0.0, 0.0)


def test_nothing_measured_is_none_and_not_zero() -> None:
    metrics = measure([])
    assert metrics.pass_at["1"].value is None
    assert metrics.compile_rate.value is None


def test_an_interval_holds_its_value_and_narrows_with_more_prompts() -> None:
    few = weighted_estimate([1, 0, 1, 0], [1] * 4)
    many = weighted_estimate([1, 0] * 200, [1] * 400)
    for estimate in (few, many):
        assert estimate.ci95 is not None and estimate.value is not None
        assert estimate.ci95[0] <= estimate.value <= estimate.ci95[1]
    assert few.ci95 and many.ci95
    assert few.ci95[1] - few.ci95[0] > many.ci95[1] - many.ci95[0]


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    import numpy as np

    random = np.random.default_rng(7)
    hits = 0
    for trial in range(200):
        low, high = weighted_estimate(random.random(80) < 0.3, np.ones(80), trial).ci95 or (1, 0)
        hits += low <= 0.3 <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_a_paired_difference_needs_the_same_prompts_and_sees_small_gains() -> None:
    with pytest.raises(ValueError, match="same prompts"):
        paired_difference([1.0], [1.0, 0.0])
    gain = paired_difference([1.0] * 30 + [0.0] * 70, [0.0] * 100)
    assert gain.value == pytest.approx(0.3)
    assert gain.ci95 and gain.ci95[0] > 0.15
