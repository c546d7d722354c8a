from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Stage
from halo_forge.verifiers.cpp import toolchains
from halo_forge.verifiers.cpp.driver import defines
from halo_forge.verifiers.cpp.gcc import GccConfig

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
pytestmark = needs_gcc

ADD = {"asserts": ("assert(add(2, 3) == 5);", "assert(add(-1, 1) == 0);"), "entry_point": "add"}
SUM = {"cases": ({"input": "1 2\n", "output": "3\n"}, {"input": "5 5\n", "output": "10"})}
GOOD = "int add(int a, int b) { return a + b; }"


def fenced(code: str, language: str = "cpp") -> str:
    return f"Here you are:\n```{language}\n{code}\n```\n"


@pytest.fixture(scope="session")
def gcc(real_sandbox: Any, judge: type[Judge]) -> Any:
    verifier = GccConfig(timeout_s=1, compile_timeout_s=3).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize(
    ("code", "reward", "passed", "stage"),
    [
        (GOOD, 1.0, True, Stage.TESTS),
        (GOOD.replace("return", "int unused; return"), 1.0, True, Stage.TESTS),
        (GOOD + "\nint main() { return 3; }", 1.0, True, Stage.TESTS),
        ("int add(int a, int b) { return a - b; }", 0.7, False, Stage.TESTS),
        ("int add(int a, int b) { return a + b }", 0.0, False, Stage.COMPILE),
        ("int add(int a, int b) { return a + b; ", 0.0, False, Stage.COMPILE),
        ("int add(int, int);", 0.0, False, Stage.COMPILE),
        ("#include <iostream>\nint main() {}", 0.0, False, Stage.COMPILE),
        ("struct S {}; S add(int, int) { return {}; }", 0.5, False, Stage.TESTS),
        ("int add(int a) { return a; }", 0.5, False, Stage.TESTS),
        ("int add(int a, int) { return *(volatile int *)(a * 0L); }", 0.5, False, Stage.RUN),
        ("#include <cstdlib>\nint add(int, int) { exit(0); }", 0.5, False, Stage.RUN),
        ("int add(int, int) { for (;;) {} }", 0.5, False, Stage.RUN),
        ("int add(int, int) { return *new int[1ul << 40]; }", 0.5, False, Stage.RUN),
        (" ", 0.0, False, Stage.PARSE),
    ],
)
def test_asserts_earn_by_stage(gcc: Judge, code: str, reward: float, passed: bool, stage: Stage) -> None:
    verdict = gcc(fenced(code), **ADD)
    assert verdict.fault is None
    assert (verdict.passed, verdict.stage) == (passed, stage), verdict.detail
    assert verdict.reward == pytest.approx(reward) or "warning" in verdict.detail, verdict.detail


def test_c_is_compiled_as_c(gcc: Judge) -> None:
    only_c = "int add(int a, int b) { int class = a; return class + b; }"
    assert gcc(fenced(only_c, "c"), **ADD).passed
    assert gcc(fenced(only_c), **ADD).reward == 0.0


def test_many_types_are_compared(gcc: Judge) -> None:
    code = """
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>
std::string twice(std::string s) { return s + s; }
std::vector<std::vector<int>> rows(int n) { return {{n}, {n, n}}; }
std::map<std::string, int> count() { return {{"a", 1}}; }
std::unordered_map<int, int> squares() { return {{2, 4}, {1, 1}}; }
std::tuple<int, char> both() { return {1, 'x'}; }
std::optional<int> none() { return {}; }
unsigned char small() { return 250; }
enum Color { red, green };
Color color() { return green; }
const char *word() { return "w"; }
double third() { return 1.0 / 3; }
bool *nowhere() { return nullptr; }
"""
    asserts = (
        'assert(twice("ab") == "abab");',
        "assert(rows(2) == std::vector<std::vector<int>>({{2}, {2, 2}}));",
        'assert((count() == std::map<std::string, int>{{"a", 1}}));',
        "assert((squares() == std::unordered_map<int, int>{{1, 1}, {2, 4}}));",
        "assert(both() == std::make_tuple(1, 'x'));",
        "assert(none() == std::optional<int>());",
        "assert(small() == 250 && color() == 1);",
        'assert(word() == std::string("w"));',
        "assert(std::abs(third() - 0.3333) < 1e-3);",
        "assert(third() > 0.3);",
        "assert(nowhere() == nullptr);",
    )
    verdict = gcc(fenced(code), asserts=asserts)
    assert verdict.passed, verdict


def test_expected_values_never_reach_the_program(gcc: Judge) -> None:
    spy = '#include <cstdio>\nint secret(int) { FILE *f = fopen("/job/program.cpp", "r"); char b[9999] = {};'
    spy += 'fread(b, 1, 9998, f); return __builtin_strstr(b, "31337") ? 31337 : 0; }'
    assert not gcc(fenced(spy), asserts=("assert(secret(1) == 31337);",)).passed


def test_whole_programs_are_compared_by_output(gcc: Judge) -> None:
    good = '#include <cstdio>\nint main() { int a, b; if (scanf("%d %d", &a, &b)) printf("%d  \\n\\n", a + b); }'
    assert gcc(fenced(good), **SUM).reward == 1.0
    assert gcc(fenced(good.replace("a + b", "3")), **SUM).reward == 0.7
    assert gcc(fenced(good.replace("}", "return 1; }")), **SUM).reward == 0.5


def test_without_tests_compiling_counts(gcc: Judge) -> None:
    program = f"{GOOD}\nint main() {{}}"
    assert (gcc(fenced(program)).reward, gcc(fenced(program)).passed) == (0.5, True)
    assert gcc(fenced(f"{GOOD}\nint main() {{ int unused; }}")).reward == 0.3
    assert gcc(fenced(program), entry_point="sub").reward == 0.0
    assert gcc(fenced("int add(int);\nint main() { int a = add(1); return a; }"), entry_point="add").reward == 0.0
    verdict = gcc(fenced("static inline int add(int a) { return a; }"), entry_point="add")
    assert verdict.passed
    assert "not linked" in verdict.detail


@pytest.mark.parametrize("code", ["int main() {}", "#include <iostream>\nint main() { return 0; }", "// add\nint x;"])
def test_a_trivial_program_earns_nothing(gcc: Judge, code: str) -> None:
    verdict = gcc(fenced(code))
    assert (verdict.reward, verdict.passed, verdict.stage, verdict.fault) == (0.0, False, Stage.COMPILE, None)
    assert verdict.detail.startswith("trivial")


def test_names_the_prompt_requires_are_checked_with_and_without_tests(gcc: Judge) -> None:
    using = "#include <numeric>\nint add(int a, int b) { return std::plus<int>()(a, b); }"
    for tests in ({}, ADD):
        assert gcc(fenced(using), required=("plus",), **tests).passed
        verdict = gcc(fenced(f"{GOOD} // plus"), required=("plus",), **tests)
        assert (verdict.reward, verdict.detail) == (0.0, "does not use plus, which the prompt requires")


def test_one_option_sets_the_standard_of_the_language_it_belongs_to() -> None:
    assert [GccConfig().standard(name) for name in ("c", "c++")] == ["gnu17", "gnu++17"]
    assert [GccConfig(std="c++20").standard(name) for name in ("c", "c++")] == ["gnu17", "c++20"]
    assert [GccConfig(std="c11").standard(name) for name in ("c", "c++")] == ["c11", "gnu++17"]
    with pytest.raises(ValueError, match="std"):
        GccConfig(std="-fplugin=x")


def test_run_runs_without_tests(real_sandbox: Any, judge: type[Judge]) -> None:
    verifier = GccConfig(run=True, timeout_s=1).build(real_sandbox, 1)
    check = judge(verifier)
    assert check(fenced(f"{GOOD}\nint main() {{ return add(1, -1); }}")).reward == 0.7
    assert check(fenced(f"{GOOD}\nint main() {{ return add(1, 1); }}")).reward == 0.5
    assert not check(fenced(f"{GOOD}\nint main() {{ for (;;) {{}} }}")).passed
    assert check(fenced("int main() { return 0; }")).reward == 0.0
    verifier.close()


@pytest.mark.parametrize(
    "text", ["assert(1 == 1);", "f(1) == 1", "assert(add(1, 2) == unknown_name);", "assert(add(1, 2) == Point{1});"]
)
def test_tests_that_cannot_be_checked_are_a_named_fault(gcc: Judge, text: str) -> None:
    verdict = gcc(fenced(GOOD), asserts=(text,))
    assert verdict.reward is None
    assert verdict.fault is not None
    assert verdict.fault.startswith("unsupported tests")


@pytest.mark.parametrize(
    "name", ["01", "03", "07", "09", "11", "13", "15", "17", pytest.param("05", marks=pytest.mark.slow)]
)
def test_no_attack_passes_or_harms(gcc: Judge, attacks: Path, name: str) -> None:
    (file,) = (attacks / "cpp").glob(f"{name}_*")
    text = fenced(file.read_text())
    for reference in (ADD, SUM):
        verdict = gcc(text, **reference)
        assert verdict.fault is None or "too busy" in verdict.fault
        assert not verdict.passed
    assert len(verdict.detail) < 1000
    descendants = psutil.Process().children(recursive=True)
    assert not [process for process in descendants if process.name() == "program"]


def test_hidden_warnings_earn_no_more_than_shown_ones(gcc: Judge, attacks: Path) -> None:
    (file,) = (attacks / "cpp").glob("09_*")
    assert gcc(fenced(file.read_text())).reward == 0.3


BOMBS = {
    "array": "int add(int a, int b) { return a + b; }\nchar bytes[1ul << 34] = {1};\nint main() { return bytes[1]; }",
    "templates": "template <int N> struct T { T<N + 1> next; };\nint main() { T<0> t; return sizeof t; }",
    "doubling": "template <int N, class A, class B> struct T { T<N - 1, T<N, A, B>, A> a; T<N - 1, A, T<N, B, A>> b; };"
    "template <class A, class B> struct T<0, A, B> {};\nint main() { T<60, int, char> t; return sizeof t; }",
    "errors": "#define A(x) x x x x x x x x x x\nint main() { A(A(A(A(A(A(undefined();)))))) }",
    "warnings": "#define A(x) x x x x x x x x x x\nint main() { A(A(A(A(A({int unused;}))))) }",
    "macros": "#define A(x) x x x x x x x x x x\nint main() { return 0 A(A(A(A(A(A(A(A(+ 1)))))))); }",
    "itself": '#include "program.cpp"\nint main() { return 1 + 2 + 3; }',
    "device": '#include "/dev/zero"\nint main() { return 1 + 2 + 3; }',
    "stdin": '#include "/dev/stdin"\n#include "/proc/self/environ"\nint main() { return 1 + 2 + 3; }',
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_program_that_attacks_the_compiler_harms_nothing(gcc: Judge, name: str) -> None:
    verdict = gcc(fenced(BOMBS[name]), **SUM)
    assert not verdict.passed
    assert verdict.reward in (0.0, None)
    assert len(verdict.detail) < 1000
    assert not [p for p in psutil.Process().children(recursive=True) if p.name().startswith("cc1")]
    assert gcc(fenced(GOOD), **ADD).passed


def test_host_files_cannot_be_compiled_in(gcc: Judge) -> None:
    assert gcc(fenced('#include "/etc/passwd"\nint main() { return 1 + 2 + 3; }')).reward == 0.0
    verdict = gcc(fenced('asm(".incbin \\"/etc/hostname\\"");\nint main() {}'), **SUM)
    assert verdict.reward == 0.0
    verdict = gcc(fenced(f'asm(".incbin \\"/etc/hostname\\"");\n{GOOD}'), **ADD)
    assert (verdict.reward, verdict.stage) == (0.0, Stage.COMPILE)
    assert "file not found" in verdict.detail


def test_a_slow_compilation_is_the_programs_doing(real_sandbox: Any, judge: type[Judge], attacks: Path) -> None:
    (file,) = (attacks / "cpp").glob("05_*")
    verifier = GccConfig(compile_timeout_s=1).build(real_sandbox, 1)
    assert judge(verifier)(fenced(file.read_text())).reward in (0.0, None)
    verifier.close()


def test_equal_submissions_are_checked_once(sandbox: BreakableSandbox, judge: type[Judge]) -> None:
    verifier = GccConfig(language="c++").build(sandbox, 2)
    before = sandbox.runs
    verdicts = judge(verifier).all(fenced(GOOD), fenced(GOOD), fenced(GOOD), **ADD)
    assert sandbox.runs == before + 2
    assert verdicts[0] == verdicts[1] == verdicts[2]
    verifier.close()


def test_text_that_is_no_unicode_is_compiled_all_the_same(gcc: Judge) -> None:
    assert gcc(fenced(GOOD + "  // \ud800"), **ADD).passed


@pytest.mark.parametrize("piece", ['R"(', "/*", "add(", "#", '"', "'"])
def test_reading_a_hostile_program_takes_no_time(piece: str) -> None:
    started = time.monotonic()
    defines(piece * 30_000, "add")
    assert time.monotonic() - started < 5


def test_a_broken_sandbox_is_a_fault(sandbox: BreakableSandbox, judge: type[Judge]) -> None:
    verifier = GccConfig(language="c++").build(sandbox, 1)
    sandbox.broken = True
    verdict = judge(verifier)(fenced(GOOD), **ADD)
    assert verdict.reward is None
    assert "broken on purpose" in (verdict.fault or "")
    verifier.close()


def test_a_missing_compiler_is_named(real_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains.shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentFault, match="apt-get install g"):
        GccConfig().build(real_sandbox, 1)


def test_a_compiler_that_disappears_is_a_fault(real_sandbox: Any, judge: type[Judge]) -> None:
    verifier: Any = GccConfig(language="c++").build(real_sandbox, 1)
    verifier._compilers["c++"]._program = "/usr/bin/gone-g++"
    verdict = judge(verifier)(fenced(GOOD), **ADD)
    assert verdict.reward is None
    assert "gone-g++" in (verdict.fault or "")
    verifier.close()


def test_the_linker_makes_no_difference(real_sandbox: Any, judge: type[Judge], gcc: Judge) -> None:
    verifier: Any = GccConfig(language="c++", timeout_s=1).build(real_sandbox, 1)
    verifier._compilers["c++"]._linker = ()
    for code in (GOOD, GOOD.replace("+", "-"), "int add(int, int);"):
        assert judge(verifier)(fenced(code), **ADD).reward == gcc(fenced(code), **ADD).reward
    verifier.close()


def test_every_verdict_is_measured_and_the_version_tells_all(gcc: Judge) -> None:
    verdict = gcc(fenced(GOOD), **ADD)
    assert verdict.wall_s > 0
    assert verdict.cpu_s > 0
    assert (verdict.peak_memory_mb or 0) > 1
    assert all(word in gcc.verifier.version for word in ("g++", "-Wall", "cpu_s", "rules"))
