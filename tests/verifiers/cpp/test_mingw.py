"""Programs for Windows: compiled and linked, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Stage
from halo_forge.verifiers.cpp import toolchains
from halo_forge.verifiers.cpp.mingw import MingwConfig

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

WINDOWS = """#include <windows.h>
int main() { Sleep(1); DWORD id = GetCurrentProcessId(); return id == 0; }"""
ADD = "int add(int a, int b) { return a + b; }"


def fenced(code: str, language: str = "cpp") -> str:
    return f"```{language}\n{code}\n```"


@pytest.fixture(scope="module")
def mingw(real_sandbox: Any, judge: type[Judge]) -> Any:
    verifier = MingwConfig(compile_timeout_s=5).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize(
    ("code", "reward", "said"),
    [
        (WINDOWS, 0.5, "compiles and links for Windows, not run"),
        (WINDOWS.replace("return id", "int unused; return id"), 0.3, "unused"),
        (WINDOWS.replace("int main", "int WINAPI WinMain(HINSTANCE, HINSTANCE, LPSTR, int) { return 7; }\nint other"),
         0.5, "links"),
        (ADD, 0.5, "compiles for Windows, not run (syntax checked, not linked)"),
        (WINDOWS.replace("Sleep(1);", "Sleep(1)"), 0.0, "error"),
        (WINDOWS.replace("int main()", "int absent(int);\nint main()").replace("Sleep(1)", "absent(1)"), 0.0, "absent"),
        ("#include <unistd.h>\n#include <sys/wait.h>\nint main() { return fork() == wait(0); }", 0.0, "sys/wait.h"),
        (WINDOWS[:-1], 0.0, "error"),
        ("int main() {}", 0.0, "trivial"),
        (" ", 0.0, "no code"),
    ],
)  # fmt: skip
def test_programs_earn_by_compiling(mingw: Judge, code: str, reward: float, said: str) -> None:
    verdict = mingw(fenced(code))
    assert verdict.fault is None
    assert (verdict.reward, verdict.passed) == (reward, reward > 0)
    assert verdict.stage is (Stage.PARSE if code == " " else Stage.COMPILE)
    assert said in verdict.detail


def test_c_is_compiled_as_c(mingw: Judge) -> None:
    only_c = '#include <stdio.h>\nint main(void) { int class = 1; return printf("%d", class) - 1; }'
    assert mingw(fenced(only_c, "c")).reward == 0.5
    assert mingw(fenced(only_c)).reward == 0.0


def test_the_entry_point_and_required_names_are_checked(mingw: Judge) -> None:
    assert mingw(fenced(ADD), entry_point="add").passed
    assert mingw(fenced(ADD), entry_point="sub").reward == 0.0
    assert mingw(fenced(WINDOWS), required=["Sleep"]).passed
    assert mingw(fenced(WINDOWS), required=["CreateThread"]).reward == 0.0


def test_tests_are_a_fault_unless_compiling_is_all_that_is_asked(
    mingw: Judge, real_sandbox: Any, judge: type[Judge]
) -> None:
    tests = {"cases": ({"input": "", "output": ""},)}
    verdict = mingw(fenced(WINDOWS), **tests)
    assert verdict.reward is None
    assert "compile_only=true" in (verdict.fault or "")
    verifier = MingwConfig(language="c++", compile_only=True).build(real_sandbox, 1)
    verdict = judge(verifier)(fenced(WINDOWS), **tests)
    assert (verdict.reward, verdict.stage) == (0.5, Stage.COMPILE)
    assert "not run" in verdict.detail
    verifier.close()


def test_a_compilation_that_never_ends_is_the_programs_doing(real_sandbox: Any, judge: type[Judge]) -> None:
    verifier = MingwConfig(language="c++", compile_timeout_s=1).build(real_sandbox, 1)
    endless = "template <int N> struct T { T<N - 1> a; T<N - 2> b; };\ntemplate <int N> constexpr long f() "
    endless += "{ long s = 0; for (long i = 0; i < (1l << 24); i++) s += i; return s + N; }\n"
    endless += "".join(f"constexpr long v{number} = f<{number}>();\n" for number in range(40)) + ADD
    verdict = judge(verifier)(fenced(endless))
    assert verdict.reward in (0.0, None)
    verifier.close()


def test_a_broken_sandbox_is_a_fault(sandbox: BreakableSandbox, judge: type[Judge]) -> None:
    verifier = MingwConfig(language="c++").build(sandbox, 1)
    sandbox.broken = True
    assert judge(verifier)(fenced(WINDOWS)).reward is None
    verifier.close()


def test_a_missing_compiler_is_named(real_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains.shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentFault, match="apt-get install g"):
        MingwConfig().build(real_sandbox, 1)
