"""The split is stable, in proportion, and absent where it would be luck."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_forge.core.types import Message, Prompt
from halo_forge.data import split_holdout

GROUPS = st.lists(st.sampled_from([None, "seen", "unseen", "rare"]), max_size=60)


def make(count: int, group: str | None = None, start: int = 0) -> list[Prompt]:
    return [
        Prompt(id=f"{group}-{n}", messages=(Message(role="user", content="Hi"),), group=group)
        for n in range(start, start + count)
    ]


def test_the_same_seed_splits_alike_whatever_the_order() -> None:
    prompts = make(100)
    train, holdout = split_holdout(prompts, 0.1, seed=0)
    assert (len(train), len(holdout)) == (90, 10)
    assert [prompt for prompt in prompts if prompt not in holdout] == train
    assert set(split_holdout(prompts[::-1], 0.1, seed=0).holdout) == set(holdout)
    assert split_holdout(prompts, 0.1, seed=1).holdout != holdout


def test_more_prompts_move_few() -> None:
    before = set(split_holdout(make(200), 0.1, seed=0).holdout)
    after = set(split_holdout(make(210), 0.1, seed=0).holdout)
    assert len(before & after) >= 17


def test_a_larger_fraction_only_adds() -> None:
    prompts = make(50)
    assert set(split_holdout(prompts, 0.1, 0).holdout) < set(split_holdout(prompts, 0.3, 0).holdout)


def test_each_group_gives_its_part() -> None:
    prompts = make(60, "seen") + make(30, "unseen") + make(10)
    held = [prompt.group for prompt in split_holdout(prompts, 0.2, seed=0).holdout]
    assert (held.count("seen"), held.count("unseen"), held.count(None)) == (12, 6, 2)


def test_fewer_than_ten_are_not_split() -> None:
    assert split_holdout(make(9), 0.5, seed=0) == (make(9), [])
    assert split_holdout([], 0.5, seed=0) == ([], [])


def test_ten_give_at_least_one_unless_none_is_asked_for() -> None:
    assert len(split_holdout(make(10), 0.01, seed=0).holdout) == 1
    assert split_holdout(make(10), 0, seed=0).holdout == []


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5])
def test_impossible_fractions(fraction: float) -> None:
    with pytest.raises(ValueError, match="at least 0 and below 1, but it is"):
        split_holdout(make(10), fraction, seed=0)


@settings(max_examples=60, deadline=None)
@given(groups=GROUPS, fraction=st.floats(0, 0.999), seed=st.integers(0, 9))
def test_nothing_is_lost_and_something_stays_to_train_on(groups: list[str | None], fraction: float, seed: int) -> None:
    prompts = [make(1, group, start=n)[0] for n, group in enumerate(groups)]
    train, holdout = split_holdout(prompts, fraction, seed)
    assert sorted((*train, *holdout), key=prompts.index) == prompts
    assert bool(holdout) == (len(prompts) >= 10 and fraction > 0)
    assert bool(train) == bool(prompts)
    assert abs(len(holdout) - fraction * len(prompts)) <= 1 or len(prompts) < 10
