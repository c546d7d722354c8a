"""Verdicts on answers: Math-Verify's equality, and what a hostile answer does to the process that compares."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Submission, Verifier
from halo_forge.core.types import Message, Prompt, Reference, Verdict
from halo_forge.sandbox import open_sandbox
from halo_forge.verifiers.math.grader import Grader


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    sandbox = open_sandbox("limits")
    built = verifier_config("math", {"timeout_s": 2}).build(sandbox, 2)
    yield built
    built.close()
    sandbox.close()


def judge(verifier: Verifier, reference: str | None, *texts: str) -> list[Verdict]:
    prompt = Prompt(id="p", messages=(Message(role="user", content="?"),), reference=Reference(answer=reference))
    return verifier.verify([Submission(prompt, text) for text in texts])


# Written from the rules that Math-Verify publishes in its README, each with the answer in one box.
EQUAL = [
    ("72", "72.0"), ("72", r"\$72"), ("72", r"72 \text{ dollars}"), ("72", "x = 72"), ("72", r"\frac{144}{2}"),
    ("1000", "1,000"), ("1000", "1{,}000"), ("-5", "-5"), (r"\frac{1}{2}", "0.5"), (r"\frac{1}{2}", "1/2"),
    (r"\frac{1}{2}", r"\dfrac{2}{4}"), (r"\frac{1}{3}", "0.333333"), (r"\sqrt{8}", r"2\sqrt2"),
    (r"\sqrt{41}", "41^{1/2}"), ("x^2+2x+1", "(x+1)^2"), ("(1,2)", "(1, 2)"), (r"\{1,2\}", r"\{2,1\}"),
    ("1,2", "2,1"), ("[1,2)", "[1,2)"), (r"90^\circ", "90"), ("10", r"10\%"), (r"\text{Evelyn}", "Evelyn"),
    ("y=2x+3", "y = 3 + 2x"), ("2x+3", "y=2x+3"), ("2", r"\log_2 4"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1 & 2\\ 3 & 4\end{pmatrix}"),
]  # fmt: skip
DIFFERENT = [
    ("72", "73"), ("72", "-72"), ("72", "1,2,72"), ("72", r"72 \text{ or } 73"), ("72", "72 = 73"),
    ("72", r"x \ge 72"), ("72", "7 2"), (r"\frac13", "0.33"), ("(1,2)", "(2,1)"), ("1,2", "1"), ("[1,2)", "[1,2]"),
    ("72", r"\infty"), ("72", "seventy-two"), ("72", "True"), ("3", "III"),
]  # fmt: skip


def test_equal_answers_pass(verifier: Verifier) -> None:
    for reference, answer in EQUAL:
        (verdict,) = judge(verifier, reference, rf"So it is $\boxed{{{answer}}}$.")
        assert (verdict.reward, verdict.passed) == (1.0, True), (reference, answer, verdict.detail)


def test_other_answers_earn_their_form_alone(verifier: Verifier) -> None:
    for reference, answer in DIFFERENT:
        (verdict,) = judge(verifier, reference, rf"So it is $\boxed{{{answer}}}$.")
        assert (verdict.reward, verdict.passed) == (0.1, False), (reference, answer, verdict.detail)


def test_hedging_earns_nothing_though_the_answer_is_in_it(verifier: Verifier) -> None:
    hedges = [
        r"\boxed{71} \boxed{72}", r"\boxed{72}. Or else 73.", r"\boxed{\boxed{72}}", r"\boxed{}", "72",
        " ".join(rf"\boxed{{{n}}}" for n in range(100)), "\\boxed{\uff17\uff12}", "",
    ]  # fmt: skip
    verdicts = judge(verifier, "72", *hedges)
    assert [verdict.reward for verdict in verdicts] == [0.0] * len(hedges)
    assert not any(verdict.answer for verdict in verdicts)


def test_a_sum_that_is_not_computed_is_wrong_where_the_answer_is_a_number(verifier: Verifier) -> None:
    left, fraction = judge(verifier, "72", r"\boxed{48 + 24}", r"\boxed{144/2}")
    assert (left.passed, fraction.passed) == (False, True)
    assert "leaves the arithmetic" in left.detail


@pytest.mark.parametrize("bomb", ["9^{9^{9^9}}", "1000000!", r"\int e^{x^x} \sin(x^2) dx", "((((((((((((1"])
def test_a_bomb_is_wrong_and_the_next_answer_is_judged(verifier: Verifier, bomb: str) -> None:
    exploded, good = judge(verifier, "72", rf"\boxed{{{bomb}}}", r"\boxed{72}")
    assert exploded.reward is not None and not exploded.passed
    assert good.passed


def test_equal_answers_have_equal_keys(verifier: Verifier) -> None:
    verdicts = judge(verifier, r"\frac{1}{2}", r"\boxed{0.5}", r"\boxed{\frac{2}{4}}", r"\boxed{3}", r"\boxed{3.0}")
    keys = [verdict.answer for verdict in verdicts]
    assert keys[0] == keys[1] != keys[2]
    assert all(0 < len(key) <= 200 for key in keys)


def test_gsm8k_scores_stand_beside_the_reward(verifier: Verifier) -> None:
    (number,) = judge(verifier, "72", "It is 72.\n#### 72")
    assert (number.reward, number.scores) == (0.0, {"gsm8k strict": (1.0, 1.0), "gsm8k flexible": (1.0, 1.0)})
    (formula,) = judge(verifier, "x^2", r"\boxed{x^2}")
    assert formula.scores == {}


@pytest.mark.parametrize("reference", [None, "", "  "])
def test_a_prompt_without_an_answer_is_a_fault_of_ours(verifier: Verifier, reference: str | None) -> None:
    (verdict,) = judge(verifier, reference, r"\boxed{72}")
    assert verdict.reward is None
    assert "no reference answer" in str(verdict.fault)


def test_a_comparison_killed_from_outside_is_a_fault_and_the_next_one_works() -> None:
    before = psutil.Process().children()
    grader = Grader(timeout_s=60, memory_mb=2048)
    assert grader.compare("72", "72").equal
    (worker,) = set(psutil.Process().children()) - set(before)
    os.kill(worker.pid, signal.SIGKILL)
    while worker.status() != psutil.STATUS_ZOMBIE:  # psutil's own waiting would take the exit status away
        time.sleep(0.01)
    with pytest.raises(EnvironmentFault, match="killed from outside"):
        grader.compare("72", "72")
    assert grader.compare("72", "72").equal
    grader.close()


def test_memory_is_bounded() -> None:
    before = psutil.Process().children()
    grader = Grader(timeout_s=3, memory_mb=512)
    assert grader.compare("72", "72").equal
    (worker,) = set(psutil.Process().children()) - set(before)
    assert worker.rlimit(psutil.RLIMIT_AS) == (512 << 20, 512 << 20)
    assert not grader.compare("72", "10^{10^{9}}").equal
    assert grader.compare("72", "72").equal
    grader.close()
