from __future__ import annotations

import random
from math import comb

import pytest

from halo_forge.benchmark.paired import holm, pair, sign_test


@pytest.mark.parametrize(("up", "down"), [(9, 1), (1, 9), (6, 4), (12, 0)])
def test_the_sign_test_is_the_sum_of_all_splits_as_uneven(up: int, down: int) -> None:
    changed = up + down
    as_uneven = [i for i in range(changed + 1) if abs(2 * i - changed) >= abs(up - down)]
    assert sign_test(up, down) == pytest.approx(sum(comb(changed, i) for i in as_uneven) / 2**changed)


def test_an_even_split_and_no_change_say_nothing() -> None:
    assert sign_test(0, 0) == sign_test(5, 5) == 1.0


def test_thousands_of_changes_do_not_overflow() -> None:
    assert 0 < sign_test(2_600, 2_400) < 0.01


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_only_shared_prompts_are_compared_and_the_rest_is_counted() -> None:
    found = pair({"a": 0.5, "b": 0.0, "c": 1.0, "d": 0.2}, {"a": 1.0, "b": 0.0, "c": 0.5}, prompts=5)
    assert (found.prompts, found.left_out) == (3, 2)
    assert (found.gained, found.lost) == (("a",), ("c",))
    assert found.difference.value == 0.0


def test_intervals_cover_the_truth_and_false_alarms_stay_below_the_level() -> None:
    draws = random.Random(7)
    covered = alarms = 0
    for _ in range(200):
        hardness = [draws.random() for _ in range(60)]
        first = {str(i): float(draws.random() < p) for i, p in enumerate(hardness)}
        other = {str(i): float(draws.random() < p) for i, p in enumerate(hardness)}
        found = pair(first, other, 60)
        assert found.difference.ci95 is not None
        low, high = found.difference.ci95
        covered += low <= 0 <= high
        alarms += found.p_value < 0.05
    assert covered >= 180
    assert alarms <= 14
