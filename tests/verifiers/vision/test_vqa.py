"""Verdicts on answers about images: the sets' own metrics, which metric is taken, and the ways around them."""

from __future__ import annotations

import pytest

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference, Verdict
from halo_forge.verifiers.vision.config import VqaConfig
from halo_forge.verifiers.vision.metrics import anls, edit_distance, exact_accuracy, relaxed_accuracy, vqa_accuracy
from halo_forge.verifiers.vision.normal import CONTRACTIONS, normalised
from halo_forge.verifiers.vision.verifier import VqaVerifier


def judge(text: str, reference: Reference, **options: object) -> Verdict:
    prompt = Prompt(id="p", messages=(Message(role="user", content="?"),), reference=reference)
    (verdict,) = VqaVerifier(VqaConfig.model_validate(options)).verify([Submission(prompt, text)])
    return verdict


def annotators(right: str, count: int) -> list[str]:
    return [right] * count + [f"other {number}" for number in range(10 - count)]


@pytest.mark.parametrize(
    ("said", "normal"),
    [
        ("Dakota Digital", "dakota digital"),
        ("  the Dakota,\nDigital. ", "dakota digital"),
        ("yes!", "yes"),
        ("what?", "what"),
        ("Two", "2"),
        ("none", "0"),
        ("ten o'clock", "10 o'clock"),
        ("ten oclock", "10 o'clock"),
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("Reader's Digest", "reader 's digest"),
        ("1,000", "1000"),
        ("3.5", "3.5"),
        ("3.5.", "3.5"),
        ("St. James", "st james"),
        ("50 / 60", "50 60"),
        ("50/60", "50 60"),
        ("t-shirt", "t shirt"),
        ("t-shirt - red", "tshirt red"),  # a dash beside a blank takes every dash with it
        ("a an the", ""),
        ("$5", "$5"),
    ],
)
def test_the_normal_form_of_textvqa(said: str, normal: str) -> None:
    assert normalised(said) == normal
    assert normalised(normal) == normal


def test_contractions_lack_one_apostrophe() -> None:
    assert len(CONTRACTIONS) == 114
    assert CONTRACTIONS["y'alld've"] == "y'all'd've"
    assert "lets" not in CONTRACTIONS and "shes" not in CONTRACTIONS  # as in the original


@pytest.mark.parametrize(("agreeing", "accuracy"), [(10, 1.0), (4, 1.0), (3, 0.9), (2, 0.6), (1, 0.3), (0, 0.0)])
def test_vqa_accuracy_leaves_one_annotator_out(agreeing: int, accuracy: float) -> None:
    assert vqa_accuracy("Nikon.", annotators("nikon", agreeing)) == pytest.approx(accuracy)
    verdict = judge("nikon", Reference(answers=tuple(annotators("nikon", agreeing)), metric="vqa"))
    assert verdict.reward == pytest.approx(accuracy)
    assert verdict.passed is (agreeing >= 4)
    assert verdict.scores == {"VQA accuracy": (verdict.reward, 1.0)}
    assert verdict.answer == "nikon"


@pytest.mark.parametrize(
    ("said", "right", "expected"),
    [
        ("0.28", ["0.28"], 1.0),
        ("University  of\nCalifornia", ["university of california"], 1.0),
        ("kitten", ["sitting", "mitten"], 1 - 1 / 6),
        ("abcd", ["abxx"], 0.5),
        ("abcd", ["axxx"], 0.0),
        ("red blue green", ["red"], 0.0),
        ("x" * 500, ["x"], 0.0),
    ],
)
def test_anls(said: str, right: list[str], expected: float) -> None:
    assert anls(said, right) == pytest.approx(expected)


def test_edit_distance() -> None:
    pairs = ("", ""), ("a", ""), ("", "ab"), ("kitten", "sitting"), ("ab", "ba")
    assert [edit_distance(one, other) for one, other in pairs] == [0, 1, 2, 3, 2]


@pytest.mark.parametrize(
    ("said", "right", "holds"),
    [
        ("14", "14", True),
        ("14.7", "14", True),
        ("14.71", "14", False),
        ("-10", "10", False),
        ("12%", "0.12", True),
        ("0.12", "12%", True),
        ("12", "12%", False),
        ("0", "0", True),
        ("0.0", "0", False),  # a right answer of 0 is compared as a text
        ("Yes", "yes", True),
        ("Yes.", "yes", False),
        ("14 15", "14", False),
        ("1,000", "1000", False),
        ("inf", "14", False),
        ("nan", "14", False),
        ("1_4", "14", False),
    ],
)
def test_relaxed_accuracy(said: str, right: str, holds: bool) -> None:
    assert relaxed_accuracy(said, [right]) == float(holds)


def test_articles_alone_do_not_stand_for_one_another() -> None:
    assert exact_accuracy("a", ["the"]) == 0.0
    assert exact_accuracy("The", ["the"]) == 1.0


CHOICES = ("Left", "Straight", "Dark red")


@pytest.mark.parametrize(
    "text",
    ["B", "b", "(B)", "B.", "B)", "Straight", "straight.", "B. Straight", "(B) straight", "**B**", "Answer: B",
     "The arrow points up, so the answer is (B).", "The correct answer is: Straight.",
     "<think>A or C? Answer: A</think>B"],
)  # fmt: skip
def test_one_option_is_read(text: str) -> None:
    for answer in ("B", "Straight"):
        verdict = judge(text, Reference(answer=answer, choices=CHOICES))
        assert (verdict.reward, verdict.passed, verdict.answer) == (1.0, True, "Straight")
        assert verdict.scores == {"accuracy": (1.0, 1.0)}


@pytest.mark.parametrize(
    "text",
    ["", " ", "A", "D", "A B C", "A, B, C", "(A) (B) (C)", "A or B", "B or C", "Left Straight Dark red",
     "Left, Straight", "A. Straight", "B. Left", "Answer: A. Answer: B", "The answer is A. The answer is B.", "A\nB\nC",
     "not B", "B" * 2000, "<think>B"],
)  # fmt: skip
def test_options_that_are_wrong_or_several_earn_nothing(text: str) -> None:
    verdict = judge(text, Reference(answer="B", choices=CHOICES))
    assert (verdict.reward, verdict.passed) == (0.0, False)


def test_options_that_say_the_same_are_one() -> None:
    assert judge("A", Reference(answer="4", choices=("4", "4", "5"))).passed
    assert judge("B", Reference(answer="4", choices=("4", "4", "5"))).passed


@pytest.mark.parametrize(
    ("said", "right", "holds"),
    [
        ("14", "14", True),
        ("14.0", "14", True),
        ("14.2", "14", False),
        ("1.2", "1.2", True),
        ("1.23", "1.2", True),
        ("1.26", "1.2", False),
        ("5 cm", "5", True),
        ("$1,200", "1200", True),
        ("x2 = 7", "7", True),
        ("Seven", "7", True),
        ("The answer is -3.", "-3", True),
        ("3", "-3", False),
        ("7 or 8", "7", False),
        ("6 7 8", "7", False),
        ("1,2", "12", False),
        ("3-5", "3", False),
        ("1.2.3", "1.2", False),
        ("3 + 4 = 7", "7", False),
        ("3 + 4 makes it. Answer: 7", "7", True),
        ("Answer: 6. Answer: 7", "7", False),
        ("I do not know", "7", False),
        ("９", "9", False),
        ("1e999", "7", False),
    ],
)
def test_one_number_is_read(said: str, right: str, holds: bool) -> None:
    assert judge(said, Reference(answer=right, metric="number")).passed is holds


def test_equal_numbers_vote_together() -> None:
    answers = {
        judge(text, Reference(answer="7", metric="number")).answer for text in ("7", "7.0", "seven", "answer: 7")
    }
    assert answers == {"7"}


def test_the_metric_is_the_reference_s_own() -> None:
    ten = tuple(annotators("14", 1))
    assert judge("14", Reference(answers=ten)).path == "vqa"
    assert judge("14", Reference(answers=ten, metric="anls")).path == "anls"
    assert judge("14", Reference(answers=("15", "14"))).path == "exact"
    assert judge("B", Reference(answer="14", choices=("13", "14"))).path == "choice"
    assert judge("14.5", Reference(answer="14"), metric="relaxed").passed
    assert judge("14.5", Reference(answer="14")).reward == 0.0


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (Reference(), "no reference answer"),
        (Reference(answers=("a", " ")), "no reference answer"),
        (Reference(answers=("a", "b"), metric="vqa"), "counts 10 annotators, but the prompt has 2"),
        (Reference(answer="D", choices=CHOICES), "none of the prompt's 3 choices"),
        (Reference(answer="B", metric="choice"), "none of the prompt's 0 choices"),
        (Reference(answer="seven", metric="number"), "is not a number"),
    ],
)
def test_a_reference_that_cannot_be_compared_with_is_a_fault_of_ours(reference: Reference, text: str) -> None:
    verdict = judge("B", reference)
    assert verdict.reward is None
    assert text in str(verdict.fault)


@pytest.mark.parametrize("metric", ["vqa", "anls", "relaxed", "exact"])
@pytest.mark.parametrize(
    "text",
    ["", "\n", "red blue green", "red, blue or green", "red\nblue\ngreen", "red/blue/green", "red " * 400, "x" * 5000,
     "<think>red</think>", "<think>red"],
)  # fmt: skip
def test_saying_nothing_everything_or_too_much_earns_nothing(metric: str, text: str) -> None:
    verdict = judge(text, Reference(answers=("red",) * 10), metric=metric)
    assert (verdict.reward, verdict.passed) == (0.0, False)


def test_what_is_too_long_is_a_setting() -> None:
    assert judge("red", Reference(answer="red"), max_chars=3).passed
    verdict = judge("crimson", Reference(answer="crimson"), max_chars=3)
    assert (verdict.reward, verdict.detail) == (0.0, "longer than 3 characters")


def test_hostile_text_is_judged_and_not_run() -> None:
    for text in ("\x00" * 10, "[[" * 500, "()" * 500, "-" * 999, "1" * 999, "\ud800", "．" * 99, "1," * 499):
        for reference in (
            Reference(answers=("red",) * 10),
            Reference(answer="7", metric="number"),
            Reference(answer="A", choices=("a", "b")),
            Reference(answer="7", metric="relaxed"),
        ):
            assert judge(text, reference).reward == 0.0
