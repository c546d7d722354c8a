from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from background import Inline, Patient

from halo_forge.config.shared import VerifierOptions
from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference, Stage, Verdict
from halo_forge.rollout.cache import VerdictCache
from halo_forge.rollout.checking import Checker, Reuse, open_checker


def rule(submission: Submission) -> Verdict:
    if "fault" in submission.text:
        return Verdict(reward=None, passed=False, stage=Stage.PARSE, fault="down")
    right = "right" in submission.text
    return Verdict(reward=float(right), passed=right, stage=Stage.TESTS, repeatable="clock" not in submission.text)


@pytest.fixture
def prompt(make_prompt: Callable[..., Prompt]) -> Prompt:
    return make_prompt()


@pytest.fixture
def checking(tmp_path: Path) -> Callable[..., Checker]:
    """Checkers that share one cache."""

    @contextmanager
    def make(judging: Inline) -> Iterator[Checker]:
        with closing(Checker(judging, VerdictCache(tmp_path / "verdicts.sqlite"))) as checker:
            yield checker

    return make


def test_equal_submissions_are_judged_once(prompt: Prompt) -> None:
    judging = Patient(rule)
    checker = Checker(judging)
    texts = ["right", "wrong", "right", "right", "wrong 2"]
    first = checker.submit([Submission(prompt, text) for text in texts])
    second = checker.submit([Submission(prompt, "wrong")])
    judging.finish()
    assert judging.asked == ["right", "wrong", "wrong 2"]
    assert [future.result(0) for future in first + second] == [rule(Submission(prompt, t)) for t in [*texts, "wrong"]]
    assert checker.reuse == Reuse(judged=3, cached=0, duplicates=3)


def test_without_a_cache_nothing_is_remembered(prompt: Prompt) -> None:
    checker = Checker(judging := Inline(rule))
    for _ in range(2):
        checker.verify([Submission(prompt, "right")])
    assert judging.asked == ["right", "right"]


def test_a_later_run_takes_what_an_earlier_one_judged(checking: Callable[..., Checker], prompt: Prompt) -> None:
    texts = ["right", "wrong", "right", "fault", "clock"]
    with checking(Inline(rule)) as checker:
        first = checker.verify([Submission(prompt, text) for text in texts])
        assert checker.reuse == Reuse(judged=4, duplicates=1)
    with checking(judging := Inline(rule)) as checker:
        assert checker.verify([Submission(prompt, text) for text in texts]) == first
        assert checker.reuse == Reuse(judged=2, cached=3)
    assert judging.asked == ["fault", "clock"]


def test_faults_of_one_attempt_are_judged_anew_in_the_next(checking: Callable[..., Checker], prompt: Prompt) -> None:
    with checking(Inline(lambda _: rule(Submission(prompt, "fault")))) as checker:
        assert checker.verify([Submission(prompt, "right")])[0].reward is None
    with checking(Inline(rule)) as checker:
        assert checker.verify([Submission(prompt, "right")])[0].reward == 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"reference": Reference(asserts=("assert(f(2) == 5);",), entry_point="f")},
        {"reference": Reference(asserts=("assert(f(2) == 4);",), entry_point="g")},
        {"messages": (Message(role="user", content="something else"),)},
        {"text": "right "},
        {"version": "2"},
        {"tier": "limits"},
    ],
)
def test_what_a_verdict_depends_on(checking: Callable[..., Checker], prompt: Prompt, change: dict) -> None:
    with checking(Inline(rule)) as checker:
        checker.verify([Submission(prompt, "right")])
    judge = {name: change.pop(name) for name in ("version", "tier") if name in change}
    text = change.pop("text", "right")
    with checking(Inline(rule, **judge)) as checker:
        checker.verify([Submission(prompt.model_copy(update=change), text)])
        assert checker.reuse == Reuse(judged=1)


def test_the_name_of_a_prompt_does_not_count(checking: Callable[..., Checker], prompt: Prompt) -> None:
    with checking(Inline(rule)) as checker:
        checker.verify([Submission(prompt, "right")])
        checker.verify([Submission(prompt.model_copy(update={"id": "q", "group": "g"}), "right")])
        assert checker.reuse == Reuse(judged=1, cached=1)


def test_texts_cannot_be_split_so_that_they_meet(checking: Callable[..., Checker], prompt: Prompt) -> None:
    with checking(Inline(rule)) as checker:
        one = prompt.model_copy(update={"reference": Reference(asserts=("a", "b"))})
        other = prompt.model_copy(update={"reference": Reference(asserts=("a",), setup="b")})
        checker.verify([Submission(one, "right"), Submission(other, "right"), Submission(other, "")])
        assert checker.reuse == Reuse(judged=3)


def test_what_happened_is_told_once(tmp_path: Path, prompt: Prompt) -> None:
    (tmp_path / "verdicts.sqlite").write_text("no database " * 100)
    judging = Inline(rule)
    judging.notices.append("restarted")
    checker = Checker(judging, VerdictCache(tmp_path / "verdicts.sqlite"))
    assert checker.verify([Submission(prompt, "right")])[0].reward == 1.0
    told = checker.take_notices()
    assert told[0] == "restarted" and "cannot be used" in told[1]
    assert checker.take_notices() == []


def test_a_judge_that_cannot_go_on_is_no_verdict(prompt: Prompt) -> None:
    class Broken(Inline):
        def settle(self, submission, future):  # type: ignore[no-untyped-def]
            future.set_exception(EnvironmentFault("gone"))

    with pytest.raises(EnvironmentFault, match="gone"):
        Checker(Broken(rule)).verify([Submission(prompt, "right")])


@pytest.mark.usefixtures("scripted")
def test_opened_by_its_options(prompt: Prompt) -> None:
    options = VerifierOptions(verifier="scripted", sandbox="limits", verifier_options={"mood": "fine"})
    for judged in (1, 0):
        with open_checker(options) as checker:
            assert checker.verify([Submission(prompt, "right opened")])[0].passed
            assert checker.reuse == Reuse(judged=judged, cached=1 - judged)
    with open_checker(options.model_copy(update={"cache": False})) as checker:
        checker.verify([Submission(prompt, "right opened")])
        assert checker.reuse == Reuse(judged=1)
    with (
        pytest.raises(ConfigError, match="unknown verifier 'nobody'"),
        open_checker(VerifierOptions(verifier="nobody")),
    ):
        pass
