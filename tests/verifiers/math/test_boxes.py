"""One box at the end, and the ways around it that a rewarded model finds."""

import pytest

from halo_forge.verifiers.math.boxes import boxed_answer, is_plain_number, leaves_arithmetic


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"The answer is \boxed{72}.", "72"),
        (r"So $\boxed{72}$.", "72"),
        (r"\[ \boxed{72} \]", "72"),
        (r"**\boxed{72}**", "72"),
        (r"\boxed 72", "72"),
        (r"\fbox{72}", "72"),
        (r"$$\boxed{\frac{1}{\sqrt{2}}}$$", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"<think>is it \boxed{1}?</think>\boxed{72}", "72"),
    ],
)
def test_the_content_of_the_one_box(text: str, answer: str) -> None:
    assert boxed_answer(text).answer == answer


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no answer"),
        ("   \n", "no answer"),
        ("72", "no box"),
        (r"<think>\boxed{72}</think>", "no answer"),
        (r"<think>\boxed{72}", "no answer"),
        (r"\boxed{71} or \boxed{72}", "2 boxes"),
        (r"\boxed{1} \boxed{2} \boxed{72}", "3 boxes"),
        (r"\boxed{\boxed{72}}", "2 boxes"),
        (r"\boxed{72}. I am sure", "text after"),
        (r"\boxed{72} 73", "text after"),
        (r"\boxed{72}{73}", "text after"),
        (r"\boxed{}", "empty"),
        (r"\boxed{ \, {} $ }", "empty"),
        (r"\boxed{72", "not closed"),
        (r"\boxed", "not closed"),
        (r"\boxed{" + "7" * 400 + "}", "400 characters"),
        (r"\boxed{" + "(" * 60 + "}", "without measure"),
        (r"\boxed{" + "7" * 80 + "}", "without measure"),
        ("\\boxed{\uff17\uff12}", "no digit of 0 to 9"),
        ("\\boxed{\u0667\u0662}", "no digit of 0 to 9"),
        ("\\boxed{7\u00b2}", "no digit of 0 to 9"),
    ],
)
def test_what_earns_nothing(text: str, why: str) -> None:
    found = boxed_answer(text)
    assert found.answer is None
    assert why in found.why_not


@pytest.mark.parametrize("answer", ["48 + 24", "48+24", r"2 \cdot 36", r"\frac{140}{2} + 2", "(48+24)", "8*9"])
def test_arithmetic_that_is_left_to_the_reader(answer: str) -> None:
    assert leaves_arithmetic(answer)


@pytest.mark.parametrize("answer", ["72", "-72", r"\frac{144}{2}", "144/2", "x + 2", r"\$72", "7.2", "1,000", r"72\%"])
def test_what_is_worked_out(answer: str) -> None:
    assert not leaves_arithmetic(answer)


def test_numbers_among_references() -> None:
    assert all(map(is_plain_number, ["72", "-3", "1,000", "$18", "0.5", r"\$5.40", "10%"]))
    assert not any(map(is_plain_number, ["x", r"\frac12", "1/2", "", "2^3", "(1,2)", "$"]))
