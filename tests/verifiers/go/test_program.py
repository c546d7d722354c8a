from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Stage
from halo_forge.verifiers.go import library
from halo_forge.verifiers.go.config import GoConfig

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

ADD = {"asserts": ("assert Add(2, 3) == 5", "if Add(-1, 1) != 0 { t.Fatal() }"), "entry_point": "Add"}
SUM = {"cases": ({"input": "1 2\n", "output": "3\n"}, {"input": "5 5\n", "output": "10"})}
GOOD = "package main\n\nfunc Add(a, b int) int { return a + b }"
BAD = GOOD.replace("+", "-")
READ = """package main

import "fmt"

func main() {
	var a, b int
	fmt.Scan(&a, &b)
	fmt.Println(a + b)
}
"""


def fenced(code: str, language: str = "go") -> str:
    return f"Here you are:\n```{language}\n{code}\n```\n"


@pytest.fixture(scope="module")
def go(real_sandbox: Any, judge: type[Judge]) -> Iterator[Judge]:
    verifier = GoConfig(timeout_s=1, compile_timeout_s=5).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize(
    ("code", "reward", "passed", "stage"),
    [
        (GOOD, 1.0, True, Stage.TESTS),
        (GOOD.replace("package main", "// sums\npackage sums"), 1.0, True, Stage.TESTS),
        (GOOD + "\nfunc main() { panic(Add(1, 1)) }", 1.0, True, Stage.TESTS),
        (BAD, 0.7, False, Stage.TESTS),
        (GOOD.replace("+ b", "+ "), 0.0, False, Stage.COMPILE),
        (GOOD.replace("}", ""), 0.0, False, Stage.COMPILE),
        (GOOD.removeprefix("package main"), 0.0, False, Stage.COMPILE),
        (GOOD.replace("return", "unused := 1; return"), 0.0, False, Stage.COMPILE),
        ('package main\n\nimport "fmt"\n\nfunc Add(a, b int) int { return a + b }', 0.0, False, Stage.COMPILE),
        ("package main\n\nfunc Add(a, b int) int", 0.0, False, Stage.COMPILE),
        ("package main\n\nfunc Other(a, b int) int { return a }", 0.0, False, Stage.COMPILE),
        ("package main\n\nfunc Add(a int) int { return a }", 0.5, False, Stage.TESTS),
        ("package main\n\nfunc Add(a, b int) string { return string(rune(a + b)) }", 0.5, False, Stage.TESTS),
        ("package main\n\nfunc Add(a, b int) int { return []int{1}[a+b] }", 0.5, False, Stage.RUN),
        ('package main\n\nimport "os"\n\nfunc Add(a, b int) int { os.Exit(0); return a }', 0.5, False, Stage.RUN),
        ("package main\n\nfunc Add(a, b int) int { for { a += b } }", 0.5, False, Stage.RUN),
        ("package main\n\nfunc Add(a, b int) int { return make([]int, 1<<40)[a] }", 0.5, False, Stage.RUN),
        ("package main\n\nfunc Add(a, b int) int { <-make(chan int); return a }", 0.5, False, Stage.RUN),
        (" ", 0.0, False, Stage.PARSE),
    ],
)
def test_asserts_earn_by_stage(go: Judge, code: str, reward: float, passed: bool, stage: Stage) -> None:
    verdict = go(fenced(code), **ADD)
    assert verdict.fault is None
    assert (verdict.passed, verdict.stage, verdict.reward) == (passed, stage, reward), verdict.detail


def test_a_cut_answer_earns_nothing(go: Judge) -> None:
    verdict = go("```go\npackage main\nfunc Add(a, b int) int {\n\treturn a +", **ADD)
    assert (verdict.reward, verdict.stage) == (0.0, Stage.COMPILE)


def test_many_types_are_compared(go: Judge) -> None:
    code = """package main

import "errors"

type Point struct {
	X int
	Y []string
}
type Stack struct{ items []int }

func NewStack() *Stack         { return &Stack{} }
func (s *Stack) Push(item int) { s.items = append(s.items, item) }
func (s *Stack) Pop() int      { item := s.items[len(s.items)-1]; s.items = s.items[:len(s.items)-1]; return item }
func (s *Stack) Empty() bool   { return len(s.items) == 0 }
func Rows(n int) [][]int       { return [][]int{{n}, {n, n}} }
func Count() map[string][]float32 {
	return map[string][]float32{"b": nil, "a": {0.1, 2}}
}
func Div(a, b int) (int, error) {
	if b == 0 {
		return 0, errors.New("division by zero")
	}
	return a / b, nil
}
func None() []int            { return nil }
func Big() uint64            { return 18446744073709551615 }
func Third(x float64) float64 { return x / 3 }
func Mixed() []interface{}   { return []interface{}{1, "a\\n\\"", nil, 2.5} }
func Where() Point           { return Point{1, []string{"x"}} }
func Single() float32        { return 0.1 }
"""
    asserts = (
        "assert Rows(2) == [][]int{{2}, {2, 2}}",
        "reflect.DeepEqual(Rows(2)[1], []int{2, 2})",
        'assert reflect.DeepEqual(Count(), map[string][]float32{"a": {0.1, 2}, "b": nil})',
        "n, err := Div(7, 2)\nassert n == 3\nassert err == nil",
        'if _, err := Div(1, 0); err == nil || err.Error() != "division by zero" { t.Fatalf("no %v", err) }',
        "assert None() == []int{} && len(None()) == 0",
        "assert Big() == math.MaxUint64",
        "math.Abs(Third(1) - 0.333) < 1e-3",
        "assert Third(1.5) == 0.25 + 0.25",
        'reflect.DeepEqual(Mixed(), []interface{}{1, "a\\n\\"", nil, 2.5})',
        "!reflect.DeepEqual(None(), []int{})",
        "s := NewStack(); s.Push(3); assert s.Pop() == 3; assert s.Empty()",
        'assert strings.Repeat("ab", Rows(2)[0][0]) == "abab"',
        "assert Where().X == 1",
        "assert Single() == 0.1",
    )
    verdict = go(fenced(code), asserts=asserts)
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("body", "text", "reward"),
    [
        ("uint8 { return 255 }", "F() == 255", 1.0),
        ("uint8 { return 44 }", "F() == 300", 0.5),
        ("[]int64 { return []int64{1} }", "F() == []int{1}", 0.5),
        ("[]int64 { return []int64{1} }", "reflect.DeepEqual(F(), []int{1})", 0.7),
        ("interface{} { return 1.0 }", "F() == 1", 0.7),
        ("float64 { return 3 }", "F() == 3", 1.0),
        ("error { return nil }", "F() == nil", 1.0),
        ("bool { return true }", "F() == false", 0.7),
        ("bool { return true }", "F()", 1.0),
        ("int { return 1 }", "assert F()", 0.5),
    ],
)
def test_comparisons_mean_what_the_language_means(go: Judge, body: str, text: str, reward: float) -> None:
    verdict = go(fenced(f"package main\n\nfunc F() {body}"), asserts=(text,), entry_point="F")
    assert verdict.reward == reward, verdict


def test_trusted_declarations_may_come_with_the_tests(go: Judge) -> None:
    setup = 'import "sort"\n\nfunc sorted(v []int) []int { sort.Ints(v); return v }\n\ntype Pair struct{ A, B int }'
    code = "package main\n\nfunc F() []int { return []int{2, 1} }\n\nfunc G() Pair { return Pair{1, 2} }"
    asserts = ("assert sorted(F()) == []int{1, 2}", "assert G() == Pair{1, 2}")
    assert go(fenced(code), asserts=asserts, setup=setup).passed


def test_whole_programs_are_compared_by_output(go: Judge) -> None:
    assert go(fenced(READ), **SUM).reward == 1.0
    assert go(fenced(READ.replace("a + b", "3")), **SUM).reward == 0.7
    assert go(fenced(READ.replace("fmt.Println(a + b)", "panic(a + b)")), **SUM).reward == 0.5
    assert go(fenced(READ.replace("func main", "func other")), **SUM).reward == 0.0


def test_without_tests_compiling_counts_and_vet_is_heard(go: Judge) -> None:
    assert (go(fenced(READ)).reward, go(fenced(READ)).passed) == (0.5, True)
    assert go(fenced(READ.replace("Println(a + b)", 'Printf("%s", a + b)'))).reward == 0.3
    assert go(fenced(GOOD), entry_point="Add").reward == 0.5
    assert go(fenced(GOOD), entry_point="Sub").reward == 0.0
    method = "package main\n\ntype T struct{}\n\nfunc (t *T) Add(a, b int) int { return a + b }"
    assert go(fenced(method), entry_point="T.Add").reward == 0.5


def test_a_trivial_program_is_no_answer(go: Judge) -> None:
    verdict = go(fenced('package main\n\nimport _ "fmt"\n\nfunc main() {}'))
    assert (verdict.reward, verdict.passed) == (0.0, False)
    assert "trivial" in verdict.detail
    assert go(fenced(READ), required=("goroutine",)).reward == 0.0


def test_run_runs_without_tests(real_sandbox: Any, judge: type[Judge]) -> None:
    verifier = GoConfig(run=True, timeout_s=1, min_tokens=0).build(real_sandbox, 1)
    check = judge(verifier)
    assert check(fenced("package main\n\nfunc main() {}")).reward == 0.7
    failing = check(fenced('package main\n\nfunc main() { panic("on purpose") }'))
    assert (failing.reward, failing.stage) == (0.5, Stage.RUN)
    assert "on purpose" in failing.detail
    assert check(fenced(GOOD)).reward == 0.0
    verifier.close()


@pytest.mark.parametrize(
    "text",
    [
        "1 == 1",
        "x := Add(1, 2)",
        "assert Add(1, 2) == unknownName",
        "assert Add(1, 2) == Add(2, 1)",
        "assert Add(1, 2) == 3 || Add(1, 2) == 4",
        "for i := 0; i < 3; i++ { assert(Add(i, 0) == i) }",
        "if Add(1, 2) != 3 { return }",
        "assert Add(1, 2) == []int{1}[len(os.Args)+5]",
        "assert Add(1, 2) == (3",
    ],
)
def test_tests_that_cannot_be_checked_are_a_named_fault(go: Judge, text: str) -> None:
    verdict = go(fenced(GOOD), asserts=(text,), entry_point="Add")
    assert verdict.reward is None
    assert (verdict.fault or "").startswith("unsupported tests"), verdict


HEAD = "package main\n\n"
WRONG = "\nfunc Add(a, b int) int { return a - b }"
HOSTILE = {
    "exits before the tests": f'{HEAD}import "os"\n\nfunc init() {{ os.Exit(0) }}{WRONG}',
    "forges a report before the tests": f"""{HEAD}import "os"

func init() {{
	report := os.NewFile(3, "report")
	report.WriteString("int\\t5\\nint\\t0\\n")
	os.Exit(0)
}}{WRONG}""",
    "embeds a host file": f'{HEAD}import _ "embed"\n\n//go:embed /etc/passwd\nvar secret string\n{WRONG}',
    "uses cgo": f'{HEAD}// #cgo LDFLAGS: -Wl,-e,evil\n// #include <stdlib.h>\nimport "C"\n{WRONG}',
    "links to the runtime": f"""{HEAD}import _ "unsafe"

//go:linkname exit os.runtime_beforeExit
func exit(code int)
{WRONG}""",
    "imports an internal package": f'{HEAD}import _ "internal/poll"\n{WRONG}',
    "imports by path": f'{HEAD}import _ "/job/driver"\n{WRONG}',
    "takes the driver's names": f"{HEAD}func haloForgeShow(x interface{{}}) {{}}\n{WRONG}",
    "takes away the report": f"{HEAD}func init() {{ haloForgeReport = nil }}\n{WRONG}",
    "redefines what is true": f"{HEAD}const true = false\n\ntype int = string\n{WRONG}",
    "bombs with goroutines": f"{HEAD}func Add(a, b int) int {{ for {{ go func() {{ for {{ }} }}() }} }}",
    "bombs with memory": f"{HEAD}func Add(a, b int) int {{ var all [][]byte; for {{ "
    "all = append(all, make([]byte, 1<<20)); all[len(all)-1][7] = 1 } }",
    "floods": f"{HEAD}func Add(a, b int) int {{ for {{ println(a) }} }}",
    "nests arrays": f"{HEAD}var huge [1 << 20][1 << 20][1 << 20]int\n{WRONG}",
    "prints as what is wanted": f"""{HEAD}type Sum struct{{}}

func (Sum) String() string             {{ return "5" }}
func (Sum) GoString() string           {{ return "5" }}
func (Sum) MarshalJSON() ([]byte, error) {{ return []byte("5"), nil }}
func Add(a, b int) interface{{}}         {{ return Sum{{}} }}""",
    "is ignored by its constraint": f"//go:build ignore\n\n{HEAD}",
    "comments out what follows": f"{HEAD}{WRONG}\n/*",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_attack_passes_or_harms(go: Judge, name: str) -> None:
    asserts = (*ADD["asserts"], "assert Add(7, 8) == 2313379")
    for reference in ({"asserts": asserts, "entry_point": "Add"}, SUM):
        verdict = go(fenced(HOSTILE[name]), **reference)
        assert verdict.fault is None or "too busy" in verdict.fault
        assert not verdict.passed
        assert len(verdict.detail) < 1000
    descendants = psutil.Process().children(recursive=True)
    assert not [process for process in descendants if process.name() == "program"]


def test_a_broken_sandbox_is_a_fault(sandbox: BreakableSandbox, judge: type[Judge]) -> None:
    verifier = GoConfig().build(sandbox, 1)
    sandbox.broken = True
    verdict = judge(verifier)(fenced(GOOD), **ADD)
    assert verdict.reward is None
    assert "broken on purpose" in (verdict.fault or "")
    verifier.close()


def test_a_missing_toolchain_is_named(real_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentFault, match="apt-get install golang-go"):
        GoConfig().build(real_sandbox, 1)


def test_a_toolchain_too_old_is_refused(real_sandbox: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "go"
    script.write_text(
        '#!/bin/sh\n[ "$1" = version ] && echo go version go1.13 && exit\nprintf "/x\\n/x/t\\ngo1.13.8\\n"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EnvironmentFault, match=r"1\.19 or newer"):
        GoConfig().build(real_sandbox, 1)


def test_a_toolchain_that_disappears_is_a_fault(
    real_sandbox: Any, judge: type[Judge], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    kept = library.find_go().library
    shutil.copytree(kept, tmp_path / "library")
    monkeypatch.setattr(library, "kept_folder", lambda *_: tmp_path / "library")
    verifier = GoConfig().build(real_sandbox, 1)
    check = judge(verifier)
    printing = GOOD.replace("main\n", 'main\n\nimport "fmt"\n') + "\n\nfunc main() { fmt.Println(Add(1, 2)) }"
    assert check(fenced(printing), **ADD).passed
    (tmp_path / "library" / "all" / "fmt.a").unlink()
    verdict = check(fenced(printing + "\n"), **ADD)
    assert verdict.reward is None
    assert "does not work" in (verdict.fault or "")
    verifier.close()


def test_every_verdict_is_measured_and_the_version_tells_all(go: Judge) -> None:
    verdict = go(fenced(GOOD + "  // \ud800"), **ADD)
    assert verdict.passed
    assert verdict.wall_s > 0
    assert verdict.cpu_s > 0
    assert all(word in go.verifier.version for word in ("go1.", "rules", "timeout_s"))
