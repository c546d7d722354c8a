from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from halo_forge.training.batches import count_steps, padding_waste, plan_batches


@given(st.lists(st.integers(1, 500), min_size=1, max_size=90), st.integers(1, 16), st.integers(1, 3), st.integers())
def test_every_epoch_sees_every_row_once(lengths: list[int], batch: int, epochs: int, seed: int) -> None:
    steps = count_steps(len(lengths), batch, epochs)
    batches = plan_batches(lengths, batch, steps, seed)
    assert Counter(row for rows in batches for row in rows) == dict.fromkeys(range(len(lengths)), epochs)
    assert all(0 < len(rows) <= batch for rows in batches)


def test_the_seed_fixes_the_order() -> None:
    lengths = [Random(0).randrange(1, 300) for _ in range(100)]
    assert plan_batches(lengths, 8, 20, 1) == plan_batches(lengths, 8, 20, 1)
    assert plan_batches(lengths, 8, 20, 1) != plan_batches(lengths, 8, 20, 2)


def test_grouping_by_length_leaves_little_padding() -> None:
    random = Random(0)
    lengths = [random.randrange(10, 1000) for _ in range(2000)]
    grouped = plan_batches(lengths, 16, count_steps(2000, 16, 1), 0)
    plain = [list(range(start, start + 16)) for start in range(0, 2000, 16)]
    assert padding_waste(lengths, grouped) < 0.05 < 0.3 < padding_waste(lengths, plain)


def test_steps_of_fractions_and_limits() -> None:
    assert count_steps(100, 16, 1) == 7
    assert count_steps(100, 16, 0.5) == 4
    assert count_steps(3, 16, 0.1) == 1
    assert count_steps(100, 16, 3, max_steps=2) == 2
