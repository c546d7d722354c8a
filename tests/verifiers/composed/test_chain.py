from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.plugins import verifier_config
from halo_forge.core.types import Stage

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

ADD = {"asserts": ("assert add(2, 3) == 5", "assert add(-1, 1) == 0"), "entry_point": "add"}
RIGHT = "```python\ndef add(a, b):\n    return a + b\n```"
WRONG = RIGHT.replace("+", "-")
QUICK = {"timeout_s": 1}
LOADS = {"verifier": "python", "options": QUICK, "weight": 0.3, "tests": False, "name": "loads"}
TESTED = {"verifier": "python", "options": QUICK, "weight": 0.6, "name": "tests"}
BOTH_PASSED = "passed every stage: custom, custom"
NO_TODO = {
    "verifier": "custom", "weight": 0.1, "gate": False, "name": "style",
    "options": {"command": ["sh", "-c", '! grep -q TODO "$0"', "{code}"]},
}  # fmt: skip


@pytest.fixture
def build(real_sandbox: Any, judge: type[Judge]) -> Iterator[Callable[..., Judge]]:
    with ExitStack() as opened:

        def make(*stages: dict[str, object] | str, sandbox: Any = real_sandbox) -> Judge:
            verifier = verifier_config("chain", {"stages": list(stages)}).build(sandbox, 2)
            opened.callback(verifier.close)
            return judge(verifier)

        yield make


def says(reward: float | None, *, passed: bool, weight: float = 1.0, **stage: object) -> dict[str, object]:
    """A stage whose verdict is given."""
    given = "null" if reward is None else str(reward)
    said = f'{{"reward": {given}, "passed": {str(passed).lower()}, "detail": "said {given}"}}'
    return {"verifier": "custom", "weight": weight, "options": {"command": ["echo", said], "result": "stdout"}, **stage}


def test_stages_add_up(build: Callable[..., Judge]) -> None:
    check = build(LOADS, TESTED, NO_TODO)
    right, untidy, wrong, cut, empty, hangs = check.all(
        RIGHT,
        RIGHT.replace("return", "return  # TODO\n    return"),
        WRONG,
        RIGHT[: RIGHT.index("return")],
        "",
        "```python\ndef add(a, b):\n    total = a + b\n    return total\nwhile True: pass\n```",
        **ADD,
    )
    assert (right.reward, right.passed, right.stage) == (1.0, True, Stage.TESTS)
    assert right.detail == "passed every stage: loads, tests, style"
    assert not untidy.passed or untidy.reward == pytest.approx(0.9)
    assert (wrong.reward, wrong.passed) == (pytest.approx(0.3 + 0.6 * 0.5), False)
    assert wrong.detail.startswith("stage 2 of 3 (tests): failed")
    assert (cut.reward, cut.stage) == (0.0, Stage.COMPILE)
    assert cut.detail.startswith("stage 1 of 3 (loads)")
    assert (empty.reward, empty.stage) == (0.0, Stage.PARSE)
    assert (hangs.passed, hangs.reward) == (False, pytest.approx(0.3 * 0.3))


def test_a_stage_that_is_no_gate_takes_nothing_but_its_weight(build: Callable[..., Judge]) -> None:
    untidy = build(LOADS, TESTED, NO_TODO)(RIGHT.replace("def", "# TODO\ndef"), **ADD)
    assert (untidy.reward, untidy.passed) == (pytest.approx(0.9), True)
    assert untidy.detail.startswith("stage 3 of 3 (style): rejected")


@pytest.mark.parametrize(
    ("stages", "reward", "passed", "detail"),
    [
        ([says(0.5, passed=True), says(0.5, passed=True)], 1.0, True, BOTH_PASSED),
        (
            [says(0.5, passed=True, graded=True), says(1.0, passed=True)],
            0.75,
            True,
            BOTH_PASSED,
        ),
        ([says(0.5, passed=False), says(1.0, passed=True)], 0.25, False, "stage 1 of 2 (custom): said 0.5"),
        ([says(0.5, passed=False, gate=False), says(1.0, passed=True)], 0.75, True, "stage 1 of 2 (custom): said 0.5"),
        ([says(1.0, passed=True, weight=0), says(0.4, passed=False, weight=7)], 0.4, False, "stage 2 of 2 (custom)"),
        ([says(1.0, passed=True, weight=0.1)] * 3 + [says(0.0, passed=False, weight=0.7)], 0.3, False, "stage 4 of 4"),
    ],
)
def test_reward_is_the_weighted_mean(
    build: Callable[..., Judge], stages: list[dict[str, object]], reward: float, passed: bool, detail: str
) -> None:
    verdict = build(*stages)("answer")
    assert (verdict.reward, verdict.passed) == (pytest.approx(reward), passed)
    assert verdict.detail.startswith(detail)


def test_weights_that_do_not_sum_exactly_still_give_one(build: Callable[..., Judge]) -> None:
    assert build(*[says(1.0, passed=True, weight=weight) for weight in (0.1, 0.2, 0.3, 0.7)])("answer").reward == 1.0


def test_a_fault_counts_only_in_a_stage_that_was_reached(build: Callable[..., Judge]) -> None:
    faulty = says(None, passed=False)
    verdict = build(says(1.0, passed=True), faulty)("answer")
    assert (verdict.reward, verdict.passed) == (None, False)
    assert (verdict.fault or "").startswith("stage 2 of 2 (custom): the checker could not judge")
    assert build(says(0.0, passed=False), faulty)("answer").reward == 0.0
    assert build(dict(faulty, gate=False), says(1.0, passed=True))("answer").reward is None


def test_order_and_equal_answers_are_kept(build: Callable[..., Judge]) -> None:
    texts = [RIGHT, WRONG, RIGHT, "", WRONG, RIGHT]
    verdicts = build(LOADS, TESTED).all(*texts, **ADD)
    assert [verdict.passed for verdict in verdicts] == [text is RIGHT for text in texts]


def test_no_stage_can_be_skipped_by_the_answer(build: Callable[..., Judge]) -> None:
    attacks = [
        "raise SystemExit(0)",
        "import os; os._exit(0)",
        "add = lambda a, b: type('E', (), {'__eq__': lambda *_: True})()",
    ]
    for verdict in build(LOADS, TESTED).all(*(f"```python\n{attack}\n```" for attack in attacks), **ADD):
        assert not verdict.passed
        assert verdict.reward is not None
        assert verdict.reward < 0.7


def test_a_broken_sandbox_is_a_fault(build: Callable[..., Judge], sandbox: BreakableSandbox) -> None:
    check = build(LOADS, TESTED, sandbox=sandbox)
    sandbox.broken = True
    verdict = check(RIGHT, **ADD)
    assert (verdict.reward, verdict.passed) == (None, False)
    assert "stage 1 of 2 (loads): the sandbox" in (verdict.fault or "")


def test_tests_that_a_stage_cannot_check_are_a_fault(build: Callable[..., Judge]) -> None:
    verdict = build(LOADS, TESTED)("```python\ndef add(a, b): return 5\n```", asserts=("assert undefined_name",))
    assert verdict.reward is not None or "unsupported" in (verdict.fault or "")
    broken = build(TESTED)(RIGHT, asserts=("assert (",))
    assert "stage 1 of 1 (tests): unsupported tests" in (broken.fault or "")


def test_equal_verifiers_are_built_once_and_versions_combine(build: Callable[..., Judge]) -> None:
    check = build(LOADS, TESTED)
    version = check.verifier.version
    assert version.count("python rules") == 2
    assert build(LOADS, dict(TESTED, weight=0.5)).verifier.version != version
    assert build(LOADS, dict(TESTED, options={"timeout_s": 2})).verifier.version != version


def test_a_chain_can_hold_a_chain(build: Callable[..., Judge]) -> None:
    inner = {"verifier": "chain", "options": {"stages": [LOADS, TESTED]}}
    verdict = build(inner, NO_TODO)(WRONG, **ADD)
    assert verdict.detail.startswith("stage 1 of 2 (chain): stage 2 of 2 (tests)")


def test_a_name_alone_is_a_stage(build: Callable[..., Judge]) -> None:
    right = build("python").all(RIGHT, WRONG, **ADD)[0]
    assert (right.fault, right.detail) == (None, "passed every stage: python")


def test_a_missing_toolchain_is_said_before_the_run(build: Callable[..., Judge]) -> None:
    with pytest.raises(EnvironmentFault, match=r"stage 2 of the chain \(custom\): the program 'no-such-program'"):
        build(TESTED, {"verifier": "custom", "options": {"command": "no-such-program"}})


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([], "stages"),
        ([{"verifier": "gc"}], "did you mean 'gcc'"),
        ([{"verifier": "gcc", "options": {"stdandard": "c11"}}], "'stdandard'"),
        ([{"verifier": "gcc", "wieght": 1}], "stages.0.wieght"),
        ([{"verifier": "gcc", "weight": -1}], "stages.0.weight"),
        ([{"verifier": "gcc", "weight": float("nan")}], "stages.0.weight"),
        ([{"verifier": "gcc", "weight": 0}], "all weights are 0"),
        ([{"verifier": "gcc", "gate": False}], "no stage is a gate"),
    ],
)
def test_options_are_checked(stages: list[dict[str, object]], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        verifier_config("chain", {"stages": stages})
    assert words in str(error.value)
