from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import pytest

from halo_forge.core.types import Rollout
from halo_forge.raft.guards import LEAST_PROMPTS, HeldOut, compare, length_drift, notices, stand, why_stop
from halo_forge.rollout.metrics import Estimate, Metrics, measure
from halo_forge.rollout.sketch import sketch
from halo_forge.runs.summary import CycleSummary

Make = Callable[..., Rollout]


def solved(right: int, of: int = 20, wide: int | None = None) -> HeldOut:
    """A policy that solves the first prompts and no other; `wide` of them at k = 8."""

    def values(count: int) -> dict[str, float]:
        return {f"p{i}": float(i < count) for i in range(of)}

    return HeldOut(values(right), values(right if wide is None else wide), 8)


def test_the_paired_bootstrap_is_that_of_a_case_worked_by_hand() -> None:
    # With 4 of 20 prompts gained, the resampled mean is Binomial(20, 0.2) / 20. P(X = 0) = 0.0115 and P(X <= 1) =
    # 0.0692, so the 2.5% quantile is 1; P(X <= 7) = 0.9679 and P(X <= 8) = 0.9900, so the 97.5% quantile is 8.
    gain, prompts = compare(solved(9).pass_at_1, solved(5).pass_at_1, seed=0)
    assert prompts == 20
    assert gain.value == pytest.approx(0.2)
    assert gain.ci95 == pytest.approx((1 / 20, 8 / 20))
    # With 3 gained P(X = 0) = 0.85 ** 20 = 0.0388 is above 2.5%: nothing is proven.
    gain, _ = compare(solved(8).pass_at_1, solved(5).pass_at_1, seed=0)
    assert gain.ci95 is not None and gain.ci95[0] == 0


def test_pairs_are_the_prompts_that_both_have() -> None:
    gain, prompts = compare({"a": 1.0, "b": 0.5, "c": 0.0}, {"b": 0.0, "c": 0.0, "d": 1.0}, seed=0)
    assert (gain.value, prompts) == (0.25, 2)
    assert compare({}, {"a": 1.0}, seed=0) == (Estimate(value=None), 0)


@pytest.mark.parametrize(
    ("right", "mark", "without_gain"),
    [
        ([5], 0, 0),
        ([5, 9], 1, 0),
        ([5, 8], 0, 1),
        ([5, 8, 9], 2, 0),  # small gains add up, since the start model is still the mark
        ([5, 9, 9, 9], 1, 2),
        ([5, 9, 10, 15], 3, 0),
        ([5, 3, 0], 0, 2),
    ],
)
def test_a_cycle_counts_unless_its_gain_is_proven(right: list[int], mark: int, without_gain: int) -> None:
    standing = stand([solved(count) for count in right], seed=0)
    assert (standing.mark, standing.without_gain) == (mark, without_gain)
    assert standing.degraded is (right[-1] == 0)


def test_patience_is_counted_in_cycles_and_0_never_ends() -> None:
    standing = stand([solved(5), solved(9), solved(9), solved(9)], seed=0)
    assert [bool(why_stop(standing, patience)) for patience in (0, 1, 2, 3)] == [False, True, True, False]
    why = why_stop(standing, 2)
    assert why is not None and "the last 2 cycles brought no proven gain over cycle 1 on 20 held-out prompts" in why
    assert "pass@1 +0.000 (95% interval +0.000 to +0.000)" in why
    assert "--patience above 2" in why


def test_too_few_prompts_decide_nothing() -> None:
    few = [solved(5, of=LEAST_PROMPTS - 1)] * 5
    assert stand(few, seed=0).without_gain == 0
    assert stand([HeldOut({}, {}, 8)] * 4, seed=0).without_gain == 0


def figures(make: Make, **rewards: Sequence[float | None]) -> Metrics:
    return measure(sketch([make(name, i, reward) for name, found in rewards.items() for i, reward in enumerate(found)]))


def cycles(*held: Metrics) -> list[CycleSummary]:
    return [CycleSummary(cycle=number, holdout=metrics) for number, metrics in enumerate(held)]


def said(summaries: Sequence[CycleSummary], held_out: Sequence[HeldOut] = ()) -> list[str]:
    return list(notices(summaries, held_out, seed=0))


@pytest.fixture
def healthy(make_rollout: Make) -> Metrics:
    well = figures(make_rollout, a=[1.0, 0.0], b=[0.0, 1.0])
    return well.model_copy(update={"mean_tokens": 100.0, "distinct": {"1": 0.2, "2": 0.4, "3": 0.6}})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"entropy": Estimate(value=0.13)}, None),
        ({"entropy": Estimate(value=0.12)}, "entropy on the held-out prompts is 0.120 nats a token, 24% of the 0.500"),
        ({"entropy": Estimate(value=None)}, None),
        ({"distinct": {"2": 0.2}}, None),
        ({"distinct": {"2": 0.19}}, "distinct-2 on the held-out prompts is 0.190, 48% of the 0.400"),
        ({"distinct": {}}, None),
        ({"mean_tokens": 150.0}, None),
        ({"mean_tokens": 151.0}, "has 151 tokens, the start model's had 100 (+51%"),
        ({"mean_tokens": 66.0}, "has 66 tokens, the start model's had 100 (-34%"),
        ({"unverifiable": {"down": 4}, "completions": 100}, None),
        ({"unverifiable": {"down": 4, "odd": 1}, "completions": 100}, "5.0% of the completions .* most often: down"),
        ({"unverifiable": {"down": 5}, "completions": 1000}, None),
    ],
)
def test_notices_begin_at_their_thresholds(healthy: Metrics, change: Mapping[str, object], words: str | None) -> None:
    found = said(cycles(healthy, healthy, healthy.model_copy(update=change)))
    assert len(found) == (words is not None)
    if words is not None:
        assert found[0].startswith("cycle 2: ")
        assert re.search(words.replace("(", r"\(").replace("+", r"\+"), found[0])


def test_without_a_slice_the_training_prompts_of_cycle_1_are_the_start(healthy: Metrics) -> None:
    longer = healthy.model_copy(update={"mean_tokens": 250.0})
    drawn = [CycleSummary(cycle=0), *(CycleSummary(cycle=n, rollouts=m) for n, m in ((1, healthy), (2, longer)))]
    assert said(drawn[:2]) == []
    assert length_drift(drawn[:2]) is None
    assert length_drift(drawn) == 1.5
    (notice,) = said(drawn)
    assert "on the training prompts has 250 tokens, cycle 1's had 100" in notice


def test_pass_at_k_that_falls_while_pass_at_1_rises_is_said(healthy: Metrics) -> None:
    two = cycles(healthy, healthy)
    assert said(two, [solved(5, wide=16), solved(8, wide=14)]) == []
    (notice,) = said(two, [solved(5, wide=16), solved(8, wide=10)])
    assert "pass@1 on the held-out prompts is +0.150" in notice and "pass@8 is -0.300" in notice
    assert "is proven worse" in said(two, [solved(8, wide=16), solved(2, wide=10)])[0]


def test_a_proven_fall_is_said_with_its_interval(healthy: Metrics) -> None:
    (notice,) = said(cycles(healthy, healthy, healthy), [solved(5), solved(12), solved(6)])
    assert notice.startswith("cycle 2 is proven worse than cycle 1 on 20 held-out prompts: pass@1 -0.300")
