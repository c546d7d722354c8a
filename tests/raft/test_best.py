from __future__ import annotations

from collections.abc import Callable

from halo_forge.core.types import Rollout
from halo_forge.raft.best import choose_best
from halo_forge.raft.guards import HeldOut
from halo_forge.rollout.metrics import measure
from halo_forge.rollout.sketch import sketch
from halo_forge.runs.summary import CycleSummary

Make = Callable[..., Rollout]


def choose(make: Make, *right: int, of: int = 20) -> tuple[int, str]:
    """The choice among cycles whose policies solve the first so many prompts."""
    cycles, held_out = [], []
    for number, count in enumerate(right):
        values = {f"p{i}": float(i < count) for i in range(of)}
        rollouts = [make(prompt, reward=value) for prompt, value in values.items()]
        cycles.append(CycleSummary(cycle=number, holdout=measure(sketch(rollouts))))
        held_out.append(HeldOut(values, values, 1))
    return choose_best(cycles, held_out, seed=0)


def test_the_best_cycle_is_the_earliest_of_equals(make_rollout: Make) -> None:
    number, why = choose(make_rollout, 0, 10, 20, 20, 10)
    assert number == 2
    assert why == (
        "highest pass@1 on the held-out slice, 1.000 (start model 0.000; 95% interval of the gain +1.000 to +1.000); "
        "cycle 3 cannot be told from it"
    )


def test_a_best_that_beats_nothing_is_said_to(make_rollout: Make) -> None:
    assert choose(make_rollout, 20, 10)[1].endswith("1.000")
    number, why = choose(make_rollout, 20, 10)
    assert number == 1 and "0.500, no more than the start model's 1.000" in why


def test_a_gain_that_is_not_proven_is_said_to_be_none(make_rollout: Make) -> None:
    number, why = choose(make_rollout, 5, 7, 6, 5)
    assert number == 1
    assert "95% interval of the gain +0.000 to +0.250, so it is not proven" in why
    assert why.endswith("cycles 2 and 3 cannot be told from it")


def test_without_held_out_figures_the_last_cycle_is_published() -> None:
    cycles = [CycleSummary(cycle=number) for number in range(3)]
    assert choose_best(cycles, [HeldOut({}, {}, 1)] * 3, seed=0) == (
        2,
        "the last cycle: no prompts were held out to choose by",
    )
