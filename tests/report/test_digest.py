from collections.abc import Callable

import pytest

from halo_forge.core.types import Rollout
from halo_forge.report.digest import Digest
from halo_forge.rollout.metrics import by_prompt, measure, pass_values
from halo_forge.rollout.sketch import sketch

Make = Callable[[int], list[Rollout]]


def digest_of(rollouts: list[Rollout]) -> Digest:
    digest = Digest()
    for rollout in rollouts:
        digest.add(rollout)
    return digest


@pytest.mark.parametrize("prompts", [0, 1, 40])
def test_digest_is_measure_one_at_a_time(make_rollouts: Make, prompts: int) -> None:
    rollouts = make_rollouts(prompts)
    ours, theirs = digest_of(rollouts).metrics((1, 5, 8)), measure(sketch(rollouts), (1, 5, 8))
    near = {"mean_reward", "mean_logprob", "distinct_fraction"}
    assert ours.model_dump(exclude=near) == theirs.model_dump(exclude=near)
    assert ours.mean_logprob == (None if prompts == 0 else pytest.approx(theirs.mean_logprob))
    assert ours.distinct_fraction == pytest.approx(theirs.distinct_fraction)
    assert ours.mean_reward.value == pytest.approx(theirs.mean_reward.value)


@pytest.mark.parametrize("reward", [0.0, 0.1, 0.3, 0.6, 0.7, 0.999, 1.0])
def test_reward_bins_have_the_edges_of_measure(make_rollouts: Make, reward: float) -> None:
    first = make_rollouts(1)[0]
    rollout = first.model_copy(update={"verdict": first.verdict.model_copy(update={"reward": reward})})
    assert digest_of([rollout]).metrics().rewards == measure(sketch([rollout])).rewards


def test_pass_values_by_prompt(make_rollouts: Make) -> None:
    rollouts = make_rollouts(12)
    assert digest_of(rollouts).pass_values(4) == pass_values(by_prompt(sketch(rollouts)), 4)


def test_digest_holds_no_texts(make_rollouts: Make) -> None:
    digest = digest_of(make_rollouts(3))
    assert all(isinstance(text, int) for tally in digest.prompts.values() for text in tally.texts)
