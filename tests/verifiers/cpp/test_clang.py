"""C and C++ programs judged by Clang: the rules are those of `gcc`, the compiler is another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Stage
from halo_forge.verifiers.cpp import toolchains
from halo_forge.verifiers.cpp.clang import ClangConfig

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

ADD = {"asserts": ("assert(add(2, 3) == 5);", "assert(add(-1, 1) == 0);"), "entry_point": "add"}
SUM = {"cases": ({"input": "1 2\n", "output": "3\n"}, {"input": "5 5\n", "output": "10"})}
GOOD = "int add(int a, int b) { return a + b; }"
READS = "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }"


def fenced(code: str, language: str = "cpp") -> str:
    return f"```{language}\n{code}\n```"


@pytest.fixture(scope="module")
def clang(real_sandbox: Any, judge: type[Judge]) -> Any:
    verifier = ClangConfig(timeout_s=1, compile_timeout_s=3).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize(
    ("code", "reward", "stage"),
    [
        (GOOD, 1.0, Stage.TESTS),
        (GOOD.replace("+", "-"), 0.7, Stage.TESTS),
        (GOOD.replace(";", ""), 0.0, Stage.COMPILE),
        (GOOD[:-1], 0.0, Stage.COMPILE),
        ("int add(int, int);", 0.0, Stage.COMPILE),
        ("int add(int, int) { for (;;) {} }", 0.5, Stage.RUN),
        ("int add(int a, int b) { __builtin_trap(); return a + b; }", 0.5, Stage.RUN),
        (" ", 0.0, Stage.PARSE),
    ],
)
def test_rewards_are_earned_by_stage(clang: Judge, code: str, reward: float, stage: Stage) -> None:
    verdict = clang(fenced(code), **ADD)
    assert verdict.fault is None
    assert (verdict.reward, verdict.stage) == (reward, stage), verdict.detail


def test_whole_programs_are_compared_by_output(clang: Judge) -> None:
    assert clang(fenced(READS), **SUM).reward == 1.0
    assert clang(fenced(READS.replace("+", "-")), **SUM).reward == 0.7
    assert clang(fenced(READS.replace("int main", "int main_")), **SUM).reward == 0.0


def test_c_is_compiled_as_c(clang: Judge) -> None:
    assert clang(fenced("int add(int a, int b) { int class = a; return class + b; }", "c"), **ADD).passed


def test_compiling_alone_counts_warnings_shown_or_hidden(clang: Judge) -> None:
    unused = f"{GOOD}\nint main() {{ int unused; }}"
    assert clang(fenced(GOOD)).reward == 0.5
    assert clang(fenced(unused)).reward == 0.3
    for pragma in ('clang diagnostic ignored "-Wunused-variable"', 'GCC diagnostic ignored "-Wunused-variable"'):
        verdict = clang(fenced(f"#pragma {pragma}\n{unused}"))
        assert verdict.reward == 0.3
        assert "unused variable" in verdict.detail
    assert clang(fenced("int main() {}")).reward == 0.0


def test_what_only_clang_knows_is_known(clang: Judge) -> None:
    only_clang = "#ifndef __clang__\n#error gcc\n#endif\n" + GOOD
    assert clang(fenced(only_clang), **ADD).passed
    assert clang.verifier.version.startswith("clang rules")


@pytest.mark.parametrize(
    "attack",
    [
        'asm(".incbin \\"/etc/hostname\\"");\nint add(int a, int b) { return a + b; }',
        '#include "/etc/passwd"\n' + GOOD,
        "template <int N> struct T { T<N + 1> next; };\nT<0> t;\n" + GOOD,
        "constexpr long f(long n) { long s = 0; for (long i = 0; i < n; i++) s += i; return s; }\n"
        "constexpr long sum = f(1l << 40);\n" + GOOD,
    ],
)
def test_attacks_on_the_compiler_earn_nothing(clang: Judge, attack: str) -> None:
    assert clang(fenced(attack), **ADD).reward in (0.0, None)


def test_a_broken_sandbox_is_a_fault(sandbox: BreakableSandbox, judge: type[Judge]) -> None:
    verifier = ClangConfig(language="c++").build(sandbox, 1)
    sandbox.broken = True
    assert judge(verifier)(fenced(GOOD), **ADD).reward is None
    verifier.close()


def test_a_missing_compiler_is_named(real_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains.shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentFault, match="apt-get install clang"):
        ClangConfig().build(real_sandbox, 1)
