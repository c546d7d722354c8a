"""Verdicts on transcripts and spoken words, and the ways around them."""

from __future__ import annotations

import pytest

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference, Stage, Verdict
from halo_forge.verifiers.speech.config import SpeechConfig
from halo_forge.verifiers.speech.verifier import SpeechVerifier, repeated

SAID = "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG"
RIGHT = "The quick brown fox jumps over the lazy dog."


def judge(text: str, reference: Reference | None = None, task: str = "asr") -> Verdict:
    prompt = Prompt(
        id="p", messages=(Message(role="user", content="?"),), reference=reference or Reference(transcript=SAID)
    )
    (verdict,) = SpeechVerifier(SpeechConfig.model_validate({"task": task})).verify([Submission(prompt, text)])
    return verdict


@pytest.mark.parametrize(
    ("text", "reward", "edits"),
    [
        (RIGHT, 1.0, 0),
        ("the quick brown fox jumps over the lazy cat", 8 / 9, 1),
        ("the quick brown fox", 4 / 9, 5),
        ("the quick brown fox jumps right over the the lazy dog", 7 / 9, 2),
        ("something else", 0.0, 9),
        ("", 0.0, 9),
        ("  ...  ", 0.0, 9),
        ("um", 0.0, 9),
    ],
)
def test_rewards_and_edits(text: str, reward: float, edits: int) -> None:
    verdict = judge(text)
    assert verdict.reward == pytest.approx(reward)
    assert verdict.scores["WER"] == (edits, 9.0)
    assert verdict.passed == (reward == 1.0)


@pytest.mark.parametrize(
    "text",
    [
        f"{RIGHT} the lazy dog the lazy dog the lazy dog the lazy dog",
        "the quick brown fox fox fox fox fox",
        f"{RIGHT} {RIGHT} and more",
        " ".join(["the"] * 18),
        f"{RIGHT} [the quick brown fox jumps over the lazy dog and so on]",
        f"(any words at all, as many as one likes, and then some more) {RIGHT}",
        "the " * 5000,
    ],
)
def test_loops_and_overlong_transcripts_earn_nothing(text: str) -> None:
    verdict = judge(text)
    assert verdict.reward == 0.0
    assert verdict.stage is Stage.PARSE
    assert not verdict.passed


@pytest.mark.parametrize("text", [f"{RIGHT} um", f"uh {RIGHT}", f"{RIGHT} [a cat]", f"{RIGHT} (hm)"])
def test_words_that_the_normaliser_drops_cost_reward_though_not_wer(text: str) -> None:
    verdict = judge(text)
    assert verdict.reward is not None
    assert verdict.reward < 1.0
    assert not verdict.passed
    assert verdict.scores["WER"] == (0.0, 9.0)


def test_what_was_said_may_be_repeated() -> None:
    said = Reference(transcript="no no no no no that is not it")
    assert judge("No, no, no, no, no! That is not it.", said).reward == 1.0
    assert judge("no " * 9, said).reward == 0.0


def test_a_prompt_without_a_transcript_is_nobodys_zero() -> None:
    for reference in (Reference(answer="yes"), Reference(transcript="…"), Reference(transcript="um (laughs)")):
        verdict = judge("yes", reference)
        assert verdict.reward is None
        assert verdict.fault is not None
        assert verdict.fault.startswith("unsupported tests")
    assert "--task classification" in str(judge("yes", Reference(answer="yes")).fault)
    assert "--task asr" in str(judge("yes", task="classification").fault)


WORD = Reference(answer="left", choices=("left", "right", "up"))


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("left", 1.0),
        (" Left.", 1.0),
        ("right", 0.0),
        ("left right up", 0.0),
        ("left (right)", 0.0),
        ("", 0.0),
        ("lef", 0.0),
        ("left left", 0.0),
    ],
)
def test_a_spoken_word_is_right_or_wrong(text: str, reward: float) -> None:
    verdict = judge(text, WORD, task="classification")
    assert verdict.reward == reward
    assert verdict.scores == {"accuracy": (reward, 1.0)}


def test_a_choice_can_be_read_and_anything_else_cannot() -> None:
    assert judge("right", WORD, task="classification").stage is Stage.TESTS
    assert judge("left right", WORD, task="classification").stage is Stage.PARSE


@pytest.mark.parametrize(
    ("words", "turns"),
    [("", 0), ("a", 1), ("a b", 1), ("a a", 2), ("a b a b a b", 3), ("x a b a b y", 2), ("a b b b", 3)],
)
def test_turns_of_a_phrase(words: str, turns: int) -> None:
    assert repeated(words.split()) == turns
