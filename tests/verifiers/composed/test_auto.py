from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Sandbox, Submission
from halo_forge.core.types import Message, Prompt, Reference, Stage, Verdict

if TYPE_CHECKING:
    from conftest import BreakableSandbox

LANGUAGES = ["python", "c", "c++"]
PYTHON = "def add(a, b):\n    return a + b"
CPP = "int add(int a, int b) { return a + b; }"
PYTHON_TESTS = {"asserts": ["assert add(2, 3) == 5"]}
CPP_TESTS = {"asserts": ["assert(add(2, 3) == 5);"]}
SUM = {"cases": [{"input": "1 2\n", "output": "3\n"}]}
PYTHON_SUM = "print(sum(map(int, input().split())))"
CPP_SUM = '#include <cstdio>\nint main() { int a, b; scanf("%d %d", &a, &b); printf("%d", a + b); }'
C_SUM = '#include <stdio.h>\nint main(void) { int a, new; scanf("%d %d", &a, &new); printf("%d", a + new); }'

Ask = Callable[..., Verdict]


def fenced(code: str, language: str) -> str:
    return f"```{language}\n{code}\n```"


def asking(verifier: Any) -> Ask:
    def ask(text: str, reference: dict[str, object], prompt: str = "Solve it.") -> Verdict:
        row = Prompt(
            id="p", messages=(Message(role="user", content=prompt),), reference=Reference.model_validate(reference)
        )
        verdict: Verdict = verifier.verify([Submission(row, text)])[0]
        return verdict

    return ask


@pytest.fixture
def build(real_sandbox: Any) -> Iterator[Callable[..., Ask]]:
    with ExitStack() as opened:

        def make(sandbox: Any = real_sandbox, **options: Any) -> Ask:
            verifier = verifier_config("auto", {"languages": LANGUAGES, **options}).build(sandbox, 2)
            opened.callback(verifier.close)
            return asking(verifier)

        yield make


@pytest.fixture(scope="module")
def ask(real_sandbox: Sandbox) -> Iterator[Ask]:
    options = {"python": {"timeout_s": 1}, "gcc": {"timeout_s": 1, "compile_timeout_s": 5}}
    verifier = verifier_config("auto", {"languages": LANGUAGES, "options": options}).build(real_sandbox, 2)
    yield asking(verifier)
    verifier.close()


@pytest.mark.parametrize(
    ("text", "reference", "prompt", "language"),
    [
        (fenced(PYTHON, "python"), PYTHON_TESTS, "", "python"),
        (PYTHON, PYTHON_TESTS, "", "python"),
        (fenced(CPP, "cpp"), CPP_TESTS, "", "c++"),
        (CPP, CPP_TESTS, "", "c++"),
        (fenced(CPP, "c"), CPP_TESTS, "", "c"),
        (fenced(CPP, "cpp"), CPP_TESTS, "Write a C function add.", "c"),
        (fenced(PYTHON, "python"), CPP_TESTS, "Write a Python function add.", "python"),
        (fenced(PYTHON, "python"), {**CPP_TESTS, "solution": PYTHON}, "", "python"),
        (fenced(PYTHON_SUM, "python"), SUM, "", "python"),
        (PYTHON_SUM, SUM, "Use Python.", "python"),
        (fenced(CPP_SUM, "cpp"), SUM, "", "c++"),
        (CPP_SUM, SUM, "", "c++"),
        (C_SUM, SUM, "", "c"),
        (fenced(C_SUM, "c"), SUM, "", "c"),
    ],
)
def test_right_answers_pass_in_their_language(
    ask: Ask, text: str, reference: dict[str, object], prompt: str, language: str
) -> None:
    verdict = ask(text, reference, prompt or "Solve it.")
    assert (verdict.reward, verdict.passed, verdict.fault) == (1.0, True, None), verdict
    assert verdict.path.split(":")[0] == language


@pytest.mark.parametrize(
    ("text", "reference", "most"),
    [
        (fenced(PYTHON.replace("+", "-"), "python"), PYTHON_TESTS, 0.5),
        (fenced(CPP.replace("+", "-"), "cpp"), CPP_TESTS, 0.7),
        (fenced(CPP[:-3], "cpp"), CPP_TESTS, 0.0),
        (fenced("while True: pass", "python"), PYTHON_TESTS, 0.3),
        ("", PYTHON_TESTS, 0.0),
        ("", SUM, 0.0),
        ("```go\n```", SUM, 0.0),
    ],
)
def test_wrong_answers_do_not(ask: Ask, text: str, reference: dict[str, object], most: float) -> None:
    verdict = ask(text, reference)
    assert not verdict.passed
    assert verdict.reward is not None
    assert verdict.reward <= most


def test_an_answer_cannot_leave_the_language_of_its_tests(ask: Ask) -> None:
    escape = ask(fenced(CPP, "cpp"), PYTHON_TESTS)
    assert (escape.reward, escape.passed) == (0.0, False)
    assert escape.detail.startswith("the row asks for python, the answer is in c++")
    back = ask(fenced(PYTHON, "python"), CPP_TESTS)
    assert (back.reward, back.passed) == (0.0, False)
    checked = {"check": "def check(candidate):\n    assert candidate(2, 3) == 5", "entry_point": "add"}
    assert ask(fenced("int main() {}", "cpp"), checked).reward == 0.0
    assert ask(fenced(PYTHON, "rust"), PYTHON_TESTS).passed


def test_an_answer_cannot_leave_the_language_of_its_prompt(ask: Ask) -> None:
    assert ask(fenced(PYTHON_SUM, "python"), SUM, "Write a C++ program.").reward == 0.0
    assert ask(fenced(CPP_SUM, "cpp"), {}, "Write a Python program.").reward == 0.0


def test_a_chosen_language_earns_no_more_than_another(ask: Ask) -> None:
    wrong = {
        "python": ask(fenced("print(4)", "python"), SUM),
        "cpp": ask(fenced(CPP_SUM.replace("a + b", "4"), "cpp"), SUM),
    }
    assert {verdict.stage for verdict in wrong.values()} == {Stage.TESTS}
    assert {verdict.reward for verdict in wrong.values()} == {0.5}
    crashing = {
        "python": ask(fenced("raise SystemExit(3)", "python"), SUM),
        "cpp": ask(fenced("int main() { return 3; }", "cpp"), SUM),
    }
    assert {verdict.reward for verdict in crashing.values()} == {0.3}


def test_an_answer_in_another_language_earns_nothing(ask: Ask) -> None:
    for fence in ("java", "rust", "brainfuck"):
        verdict = ask(fenced("print(3)", fence), SUM)
        assert (verdict.reward, verdict.fault) == (0.0, None)
        assert "not among the languages judged: python, c, c++" in verdict.detail
    assert "does not show its language" in ask("x = 3", SUM).detail


def test_the_default_takes_what_shows_no_language(build: Callable[..., Ask]) -> None:
    ask = build(default="python")
    assert ask("print(3)", SUM).passed
    assert ask(fenced("add = int.__add__", ""), CPP_TESTS).path.startswith("python")


def test_a_row_that_does_not_say_its_language_is_a_fault(ask: Ask) -> None:
    mixed = ask(fenced(PYTHON, "python"), {"asserts": ["assert f(1) == 2", "assert_eq!(f(1), 2);"]})
    assert (mixed.reward, mixed.passed) == (None, False)
    assert "set default" in (mixed.fault or "")
    strange = ask(fenced(PYTHON, "python"), {"check": "check it"})
    assert strange.reward is None


def test_a_fence_cannot_make_a_fault_of_a_language_left_out(build: Callable[..., Ask]) -> None:
    ask = build(languages=["c++"])
    assert ask(fenced(CPP, "c"), CPP_TESTS).path.startswith("c++")


def test_a_row_in_a_language_without_a_verifier_here_is_a_fault(ask: Ask, build: Callable[..., Ask]) -> None:
    excluded = ask(fenced("fn f() {}", "rust"), {"asserts": ["assert_eq!(f(1), 2);"]})
    assert excluded.reward is None
    assert "not among the option languages" in (excluded.fault or "")


def test_a_missing_toolchain_is_never_a_reward_of_zero(
    build: Callable[..., Ask], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("bwrap", "prlimit", "python3"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match=r"^c: the compiler"):
        build()
    with pytest.raises(EnvironmentFault, match="the compiler"):
        build(languages=None, default="c++")
    ask = build(languages=None)
    assert ask(fenced(PYTHON_SUM, "python"), SUM).passed
    for verdict in (ask(fenced(CPP_SUM, "cpp"), SUM), ask(fenced(CPP, "cpp"), CPP_TESTS)):
        assert (verdict.reward, verdict.passed) == (None, False)
        assert "in c++, which cannot be judged here: c++: the compiler" in (verdict.fault or "")


def test_order_is_kept_across_languages(ask: Ask, build: Callable[..., Ask], real_sandbox: Sandbox) -> None:
    verifier = verifier_config("auto", {"languages": LANGUAGES}).build(real_sandbox, 2)
    row = Prompt(id="p", messages=(Message(role="user", content="Add."),), reference=Reference.model_validate(SUM))
    texts = [fenced(CPP_SUM, "cpp"), "", fenced(PYTHON_SUM, "python"), fenced("print(4)", "python")] * 2
    verdicts = verifier.verify([Submission(row, text) for text in texts])
    verifier.close()
    assert [verdict.passed for verdict in verdicts] == [True, False, True, False] * 2


def test_a_broken_sandbox_is_a_fault(build: Callable[..., Ask], sandbox: BreakableSandbox) -> None:
    ask = build(sandbox)
    sandbox.broken = True
    verdict = ask(fenced(PYTHON, "python"), PYTHON_TESTS)
    assert (verdict.reward, verdict.passed) == (None, False)
    assert "broken on purpose" in (verdict.fault or "")


def test_the_version_names_every_part(real_sandbox: Sandbox) -> None:
    def version(**options: object) -> str:
        verifier = verifier_config("auto", {"languages": ["python"], **options}).build(real_sandbox, 1)
        verifier.close()
        return verifier.version

    assert "python rules" in version()
    assert len({version(), version(default="python"), version(options={"python": {"timeout_s": 1}})}) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"languages": []}, "name at least one"),
        ({"languages": ["pyton"]}, "unknown language 'pyton'"),
        ({"languages": ["c"], "default": "python"}, "not among languages"),
        ({"options": {"javac": {}}}, "judges no language here"),
        ({"languages": ["python"], "options": {"python": {"timeout": 3}}}, "'timeout'"),
        ({"languages": ["python"], "verifiers": {"python": "pyton"}}, "did you mean 'python'"),
        ({"verifiers": {"java": "javac"}}, "unknown language 'java'"),
    ],
)
def test_options_are_checked(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        verifier_config("auto", options)
    assert words in str(error.value)
