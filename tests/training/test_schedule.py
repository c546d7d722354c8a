from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.training.schedule import Schedule, learning_rate_at

SCHEDULES: list[Schedule] = ["cosine", "linear", "constant"]


@given(st.integers(1, 300), st.floats(0, 1), st.sampled_from(SCHEDULES))
def test_every_step_trains_and_none_above_the_peak(steps: int, warmup: float, schedule: Schedule) -> None:
    rates = [learning_rate_at(step, steps, 1e-3, warmup, schedule) for step in range(steps)]
    assert all(0 < rate <= 1e-3 * (1 + 1e-9) for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_a_single_step_runs_at_the_peak() -> None:
    assert learning_rate_at(0, 1, 1e-3, 0.5, "cosine") == pytest.approx(1e-3)
