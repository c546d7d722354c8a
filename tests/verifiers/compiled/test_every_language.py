"""What holds for every language that is compiled, run and tested."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from compiled_languages import LANGUAGES, SUM, Language

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Stage

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

pytestmark = pytest.mark.usefixtures("kept_library")


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name)
def language(request: pytest.FixtureRequest) -> Language:
    return request.param


@pytest.fixture
def check(request: pytest.FixtureRequest, language: Language) -> Judge:
    return request.getfixturevalue(language.name)


def test_asserts_are_checked(check: Judge, language: Language) -> None:
    right = check(language.fenced(language.good), **language.adds)
    assert (right.reward, right.passed, right.stage, right.detail) == (1.0, True, Stage.TESTS, "2 checks correct")
    once = {**language.adds, "asserts": language.adds["asserts"][:1]}
    assert check(language.fenced(language.good), **once).detail == "1 check correct"
    wrong = check(language.fenced(language.good.replace("+", "-")), **language.adds)
    assert (wrong.reward, wrong.passed, wrong.stage) == (0.7, False, Stage.TESTS)


def test_an_answer_that_is_cut_short_earns_nothing(check: Judge, language: Language) -> None:
    unfinished = language.good[: language.good.index("+") + 1]
    cut = check(f"```{language.fence}\n{unfinished}", **language.adds)
    assert (cut.reward, cut.stage) == (0.0, Stage.COMPILE)
    empty = check(language.fenced(" "), **language.adds)
    assert (empty.reward, empty.stage) == (0.0, Stage.PARSE)


def test_whole_programs_are_compared_by_output(check: Judge, language: Language) -> None:
    right = check(language.fenced(language.sums), **SUM)
    assert (right.reward, right.passed, right.detail) == (1.0, True, "2 cases correct")
    once = {"cases": SUM["cases"][:1]}
    assert check(language.fenced(language.sums), **once).detail == "1 case correct"
    wrong = check(language.fenced(language.sums.replace("a + b", "3")), **SUM)
    assert (wrong.reward, wrong.passed, wrong.stage) == (0.7, False, Stage.TESTS)
    for code in (language.failing, language.hanging):
        verdict = check(language.fenced(code), **SUM)
        assert (verdict.reward, verdict.passed, verdict.stage) == (0.5, False, Stage.RUN), verdict
    assert check(language.fenced(language.sums.replace(" main()", " other()")), **SUM).reward == 0.0


def test_without_tests_compiling_counts(check: Judge, language: Language) -> None:
    whole = check(language.fenced(language.sums))
    assert (whole.reward, whole.passed, whole.stage) == (0.5, True, Stage.COMPILE), whole
    function = check(language.fenced(language.good), entry_point=language.adds["entry_point"])
    assert (function.reward, function.passed) == (0.5, True)
    assert "not linked" in function.detail
    other = check(language.fenced(language.good), entry_point="subtract")
    assert (other.reward, other.passed) == (0.0, False)


def test_a_trivial_program_is_no_answer(check: Judge, language: Language) -> None:
    verdict = check(language.fenced(language.nothing))
    assert (verdict.reward, verdict.passed, verdict.stage, verdict.fault) == (0.0, False, Stage.COMPILE, None)
    assert verdict.detail.startswith("trivial")
    missing = check(language.fenced(language.sums), required=("mutex",))
    assert (missing.reward, missing.detail) == (0.0, "does not use mutex, which the prompt requires")


def test_programs_without_tests_are_run_where_asked(real_sandbox: Any, judge: type[Judge], language: Language) -> None:
    options = {"run": True, "timeout_s": 1, "min_tokens": 0}
    verifier = language.config.model_validate(options).build(real_sandbox, 1)
    check = judge(verifier)
    assert check(language.fenced(language.nothing)).reward == 0.7
    failing = check(language.fenced(language.dying))
    assert (failing.reward, failing.stage) == (0.5, Stage.RUN)
    assert "on purpose" in failing.detail
    assert check(language.fenced(language.good)).reward == 0.0
    verifier.close()


def test_equal_submissions_are_judged_once(sandbox: BreakableSandbox, judge: type[Judge], language: Language) -> None:
    verifier = language.config().build(sandbox, 2)
    check = judge(verifier)
    before = sandbox.runs
    check(language.fenced(language.good), **language.adds)
    once = sandbox.runs - before
    answer = language.fenced(f"{language.good}\n")
    verdicts = check.all(answer, answer, answer, **language.adds)
    assert sandbox.runs - before == 2 * once
    assert verdicts[0] == verdicts[1] == verdicts[2]
    verifier.close()


def test_a_broken_sandbox_is_a_fault(sandbox: BreakableSandbox, judge: type[Judge], language: Language) -> None:
    verifier = language.config().build(sandbox, 1)
    sandbox.broken = True
    verdict = judge(verifier)(language.fenced(language.good), **language.adds)
    assert verdict.reward is None
    assert "broken on purpose" in (verdict.fault or "")
    verifier.close()


def test_a_missing_compiler_is_named(real_sandbox: Any, monkeypatch: pytest.MonkeyPatch, language: Language) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentFault, match=language.install):
        language.config().build(real_sandbox, 1)


def test_every_verdict_is_measured_and_the_version_tells_all(check: Judge, language: Language) -> None:
    verdict = check(language.fenced(f"{language.good}  // \ud800"), **language.adds)
    assert verdict.passed
    assert verdict.wall_s > 0
    assert verdict.cpu_s > 0
    assert (verdict.peak_memory_mb or 0) > 1
    assert all(word in check.verifier.version for word in (*language.told, f"{language.name} rules"))
