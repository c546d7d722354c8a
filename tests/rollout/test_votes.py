"""Majority votes, and the figures that verdicts bring beside their reward."""

from __future__ import annotations

from pathlib import Path

import pytest

from halo_forge.core.types import Completion, Rollout, Stage, Verdict
from halo_forge.rollout.metrics import by_prompt, majority_values, measure, score_values
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import sketch


def rollout(prompt: str, index: int, answer: str, passed: bool, reward: float | None = 0.0, **scores) -> Rollout:
    verdict = Verdict(
        reward=reward if reward is None or not passed else 1.0, passed=passed, stage=Stage.TESTS, answer=answer,
        fault="down" if reward is None else None, scores=scores,
    )  # fmt: skip
    completion = Completion(prompt_id=prompt, index=index, text=f"{answer} {index}", token_ids=(1, 2))
    return Rollout(cycle=0, chunk=0, completion=completion, verdict=verdict)


def votes(*answers: str, right: str = "72") -> list[Rollout]:
    return [rollout("p", index, answer, answer == right) for index, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "value"),
    [
        (("72", "72", "71"), 1.0),
        (("72", "71", "71"), 0.0),
        (("72", "71", "70"), 1 / 3),  # a tie is shared
        (("72", "", ""), 1.0),  # who has no answer has no vote
        (("", "", ""), 0.0),
    ],
)
def test_the_commonest_of_three(answers: tuple[str, ...], value: float) -> None:
    assert majority_values(by_prompt(sketch(votes(*answers))), 3) == {"p": pytest.approx(value)}


def test_fewer_votes_than_completions_are_the_mean_over_their_sets() -> None:
    groups = by_prompt(sketch(votes("72", "72", "71")))
    # Of the three pairs one is right for sure, and two are ties.
    assert majority_values(groups, 2) == {"p": pytest.approx((1 + 0.5 + 0.5) / 3)}
    assert majority_values(groups, 4) == {}
    many = by_prompt(sketch(votes(*["72"] * 20, *["71"] * 20)))
    assert majority_values(many, 9) == majority_values(many, 9)
    assert 0.3 < majority_values(many, 9)["p"] < 0.7


def test_what_could_not_be_verified_does_not_vote() -> None:
    rows = [*votes("72", "71"), rollout("p", 2, "71", passed=False, reward=None)]
    assert majority_values(by_prompt(sketch(rows)), 2) == {"p": 0.5}


def test_metrics_have_votes_only_where_verdicts_name_answers() -> None:
    assert measure(sketch(votes("72", "72", "71")), ks=(1, 3)).maj_at["3"].value == 1.0
    assert measure(sketch(votes("", "", right="none")), ks=(1, 2)).maj_at == {}


def test_a_score_is_a_ratio_of_sums() -> None:
    rows = [
        rollout("p", 0, "a", passed=False, wer=(1.0, 2.0)),
        rollout("p", 1, "a", passed=False, wer=(0.0, 6.0), other=(1.0, 1.0)),
        rollout("q", 0, "a", passed=False, wer=(1.0, 2.0)),
    ]
    found = measure(sketch(rows)).scores
    assert found["wer"].value == pytest.approx(2 / 10)
    assert found["other"].value == 1.0
    assert score_values(by_prompt(sketch(rows)), "wer") == {"p": 1 / 8, "q": 0.5}
    assert score_values(by_prompt(sketch(rows)), "other") == {"p": 1.0}


def test_the_index_keeps_answers_and_scores(tmp_path: Path) -> None:
    rows = [rollout("p", 0, "72", passed=True, wer=(1.0, 2.0)), rollout("p", 1, "71", passed=False)]
    file = RolloutFile(tmp_path / "cycle_1.jsonl")
    file.resume([2])
    written = file.append(rows)
    assert RolloutFile(tmp_path / "cycle_1.jsonl").sketches() == written
    assert written[0].answer == "72" and written[0].scores == (("wer", 1.0, 2.0),)
