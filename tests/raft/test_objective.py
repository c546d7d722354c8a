from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.config.load import load
from halo_forge.config.objective import ObjectiveOptions
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import ConfigError
from halo_forge.core.types import Rollout
from halo_forge.raft.objective import group_advantages, select_groups
from halo_forge.raft.replay import draw_replay
from halo_forge.rollout.decision import Reason
from halo_forge.rollout.sketch import sketch

GRPO, REJ = ObjectiveOptions(objective="grpo"), ObjectiveOptions(objective="reinforce-rej")
MakeRollout = Callable[..., Rollout]


def test_advantages_by_hand() -> None:
    rewards = [1.0, 0.0, 0.0, 0.5]
    assert group_advantages(rewards, GRPO, 0.5) == [0.625, -0.375, -0.375, 0.125]
    deviation = sqrt((0.625**2 + 2 * 0.375**2 + 0.125**2) / 4)
    scaled = group_advantages(rewards, ObjectiveOptions(objective="grpo", advantage_std=True), 0.5)
    assert scaled == pytest.approx([a / deviation for a in [0.625, -0.375, -0.375, 0.125]], rel=1e-5)
    assert group_advantages(rewards, REJ, 0.5) == [1.0, -1.0, -1.0, 1.0]


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0]), min_size=1, max_size=9))
def test_advantages_of_a_prompt_add_up_to_nothing_or_there_are_none(rewards: list[float]) -> None:
    assert sum(group_advantages(rewards, GRPO, 0.5)) == pytest.approx(0, abs=1e-9)
    mixed = len({reward >= 0.5 for reward in rewards}) == 2
    assert all(bool(a) == mixed for a in group_advantages(rewards, REJ, 0.5))


@pytest.mark.parametrize("options", [GRPO, REJ])
def test_every_rollout_has_its_reason(make_rollout: MakeRollout, options: ObjectiveOptions) -> None:
    rollouts = [
        make_rollout("mixed", 0, 1.0),
        make_rollout("mixed", 1, 0.0),
        make_rollout("mixed", 2, None),
        make_rollout("mixed", 3, 0.0, finish="length"),
        make_rollout("mixed", 4, 1.0, text="answer 0"),
        make_rollout("right", 0, 1.0),
        make_rollout("right", 1, 1.0),
        make_rollout("wrong", 0, 0.0),
        make_rollout("lost", 0, None),
    ]
    selection = select_groups(sketch(rollouts), options, 0.5)
    assert [d.reason for d in selection.decisions] == [
        Reason.KEPT,
        Reason.KEPT_WRONG,
        Reason.UNVERIFIABLE,
        Reason.TRUNCATED,
        Reason.KEPT,
        *[Reason.ALL_ALIKE] * 3,
        Reason.UNVERIFIABLE,
    ]
    assert all(d.kept == (d.weight != 0) == d.reason.value.startswith("kept") for d in selection.decisions)
    assert len(selection.kept) == sum(d.kept for d in selection.decisions)


@given(rewards=st.lists(st.sampled_from([None, 0.0, 0.5, 1.0]), min_size=1, max_size=8))
def test_what_could_not_be_verified_never_weighs(rewards: list[float | None]) -> None:
    """Neither itself nor on others: the verified completions weigh what they would without it."""
    from halo_forge.core.types import Completion, Stage, Verdict

    def rollout(index: int, reward: float | None) -> Rollout:
        verdict = Verdict(reward=reward, passed=False, stage=Stage.TESTS, fault="down" if reward is None else None)
        return Rollout(cycle=1, chunk=0, completion=Completion(prompt_id="p", index=index, text="x"), verdict=verdict)

    rollouts = [rollout(index, reward) for index, reward in enumerate(rewards)]
    for options in (GRPO, REJ):
        decisions = select_groups(sketch(rollouts), options, 0.5).decisions
        assert all(d.weight == 0 and not d.kept for d in decisions if rewards[d.index] is None)
        verified = [r for r in rollouts if r.verdict.reward is not None]
        alone = {d.index: d.weight for d in select_groups(sketch(verified), options, 0.5).decisions}
        assert {d.index: d.weight for d in decisions if rewards[d.index] is not None} == alone


def test_a_reward_at_the_mean_has_its_own_reason(make_rollout: MakeRollout) -> None:
    rollouts = [make_rollout("p", index, reward) for index, reward in enumerate((0.0, 0.5, 1.0))]
    reasons = [d.reason for d in select_groups(sketch(rollouts), GRPO, 0.5).decisions]
    assert reasons == [Reason.KEPT_WRONG, Reason.NO_ADVANTAGE, Reason.KEPT]


@pytest.mark.parametrize("objective", ["raft++", "reinforce-rej", "grpo"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"temperature": 0.0}, "--temperature above 0"),
        ({"top_p": 0.9}, "--top-p 1"),
        ({"top_k": 40}, "--top-k 0"),
        ({"accumulate": True}, "--accumulate"),
        ({"select": "random"}, "--select random"),
    ],
)
def test_settings_under_which_ratios_mean_nothing_are_refused(
    objective: str, change: dict[str, object], named: str
) -> None:
    settings = {"model": "m", "prompts": Path("p"), "output": Path("o"), **change}
    load(RaftTrainConfig, settings)
    with pytest.raises(ConfigError, match=named):
        load(RaftTrainConfig, {**settings, "objective": objective})


def test_replay_is_a_share_of_the_whole_and_follows_the_seed() -> None:
    from halo_forge.core.protocols import TrainingRow

    rows = [TrainingRow((i, i), (False, True)) for i in range(50)]
    drawn = draw_replay(rows, 0.25, 60, seed=3)
    assert len(drawn) / (60 + len(drawn)) == 0.25
    assert len(set(drawn)) == len(drawn)
    assert draw_replay(rows, 0.25, 60, seed=3) == drawn != draw_replay(rows, 0.25, 60, seed=4)
    assert len(draw_replay(rows, 0.5, 60, seed=3)) == 50
    assert draw_replay([], 0.5, 60, seed=3) == []
