from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydantic import ValidationError

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Stage
from halo_forge.verifiers.rust import compiler, rustc
from halo_forge.verifiers.rust.config import RustConfig

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

ADD = {"asserts": ("assert_eq!(add(2, 3), 5);", "assert_eq!(add(-1, 1), 0);"), "entry_point": "add"}
SUM = {"cases": ({"input": "1 2\n", "output": "3\n"}, {"input": "5 5\n", "output": "10"})}
GOOD = "fn add(a: i32, b: i32) -> i32 { a + b }"
READ = """use std::io::Read;
fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let sum: i32 = text.split_whitespace().map(|word| word.parse::<i32>().unwrap()).sum();
    println!("{sum}");
}
"""
FORGED = """
extern "C" fn forge() {
    use std::{io::Write, os::unix::io::FromRawFd};
    let mut report = unsafe { std::fs::File::from_raw_fd(3) };
    for _ in 0..2 { let _ = report.write_all(b"i32\\t5\\n"); }
    std::process::exit(0);
}
#[used] #[link_section = ".init_array"] static FORGE: extern "C" fn() = forge;
fn add(a: i32, b: i32) -> i32 { a - b }
"""


def fenced(code: str, language: str = "rust") -> str:
    return f"Here you are:\n```{language}\n{code}\n```\n"


@pytest.fixture(scope="session")
def rust(real_sandbox: Any, judge: type[Judge]) -> Iterator[Judge]:
    verifier = RustConfig(timeout_s=1, compile_timeout_s=5).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize(
    ("code", "reward", "passed", "stage"),
    [
        (GOOD, 1.0, True, Stage.TESTS),
        (GOOD.replace("{ a", "{ let unused = 1; a"), 1.0, True, Stage.TESTS),
        (GOOD + '\nfn main() { println!("{}", add(1, 1)); std::process::exit(3); }', 1.0, True, Stage.TESTS),
        ("#![forbid(unsafe_code)]\n#![no_implicit_prelude]\n" + GOOD, 1.0, True, Stage.TESTS),
        (GOOD.replace("+", "-"), 0.7, False, Stage.TESTS),
        (GOOD.replace("+ b", "+ "), 0.0, False, Stage.COMPILE),
        (GOOD.replace("}", ""), 0.0, False, Stage.COMPILE),
        ('extern "C" { fn add(a: i32, b: i32) -> i32; }', 0.0, False, Stage.COMPILE),
        ("fn other() -> i32 { 1 + 2 + 3 }", 0.0, False, Stage.COMPILE),
        ("#![cfg(any())]\n" + GOOD, 0.0, False, Stage.COMPILE),
        ("async fn main() {}\n" + GOOD, 0.0, False, Stage.COMPILE),
        ("fn add(a: i32) -> i32 { a }", 0.5, False, Stage.TESTS),
        ("fn add(a: i32, b: i32) -> f64 { f64::from(a + b) }", 0.5, False, Stage.TESTS),
        ("fn add(a: i32, b: i32) -> i32 { [1, 2][(a * b) as usize + 2] }", 0.5, False, Stage.RUN),
        ("fn add(a: i32, b: i32) -> i32 { std::process::exit(a - a + b - b) }", 0.5, False, Stage.RUN),
        ("fn add(a: i32, b: i32) -> i32 { loop { if a * b == 77777 { return 1; } } }", 0.5, False, Stage.RUN),
        ("fn add(a: i32, b: i32) -> i32 { vec![1; (a + b + 9) as usize * (1 << 40)][0] }", 0.5, False, Stage.RUN),
        (" ", 0.0, False, Stage.PARSE),
    ],
)
def test_asserts_earn_by_stage(rust: Judge, code: str, reward: float, passed: bool, stage: Stage) -> None:
    verdict = rust(fenced(code), **ADD)
    assert verdict.fault is None
    assert (verdict.passed, verdict.stage, verdict.reward) == (passed, stage, reward), verdict.detail


def test_a_cut_answer_earns_nothing(rust: Judge) -> None:
    verdict = rust("```rust\nfn add(a: i32, b: i32) -> i32 {\n    a +", **ADD)
    assert (verdict.reward, verdict.stage) == (0.0, Stage.COMPILE)


def test_many_types_are_compared(rust: Judge) -> None:
    code = """
use std::collections::{BTreeMap, HashMap, HashSet};
fn twice(s: &str) -> String { s.repeat(2) }
fn rows(n: u8) -> Vec<Vec<u8>> { vec![vec![n], vec![n, n]] }
fn count() -> HashMap<String, i64> { HashMap::from([("b".to_string(), -2), ("a".to_string(), 1)]) }
fn letters() -> HashSet<char> { "abcdef".chars().collect() }
fn tree() -> BTreeMap<u8, Option<&'static str>> { BTreeMap::from([(1, None), (0, Some("x, y: {"))]) }
fn both() -> (i128, char) { (i128::MAX, '\\'') }
fn none() -> Option<u64> { None }
fn parsed(s: &str) -> Result<i32, String> { s.parse().map_err(|_| format!("bad \\"{s}\\"")) }
fn single() -> f32 { 0.1 + 0.2 }
fn third(x: f64) -> f64 { x / 3.0 }
fn first(values: &[i32]) -> &i32 { &values[0] }
fn nan() -> f64 { f64::NAN }
#[derive(Default)]
struct Stack(Vec<i32>);
impl Stack {
    fn new() -> Self { Self::default() }
    fn push(&mut self, value: i32) { self.0.push(value) }
    fn pop(&mut self) -> Option<i32> { self.0.pop() }
    fn is_empty(&self) -> bool { self.0.is_empty() }
}
"""
    asserts = (
        'assert_eq!(twice("ab"), "abab");',
        "assert_eq!(rows(2), vec![vec![2], vec![2, 2]]);",
        "assert_eq!(rows(2)[1], [2, 2]);",
        'assert_eq!(count(), HashMap::from([("a".to_string(), 1), ("b".to_string(), -2)]));',
        'assert_eq!(letters(), "fedcba".chars().collect::<HashSet<_>>());',
        'assert_eq!(tree(), BTreeMap::from([(0, Some("x, y: {")), (1, None)]));',
        "assert_eq!(both(), (170141183460469231731687303715884105727, '\\''));",
        "assert_eq!(none(), None);",
        'assert_eq!(parsed("7"), Ok(7)); assert_eq!(parsed("x"), Err("bad \\"x\\"".to_string()));',
        "assert_eq!(single(), 0.1 + 0.2);",
        "assert!((third(1.0) - 1.0 / 3.0).abs() < 1e-12 && third(1.0) > 0.333);",
        "assert_eq!(first(&vec![7, 8]), &7);",
        "assert_ne!(nan(), nan_free());",
        "let mut s = Stack::new(); s.push(3); assert_eq!(s.pop(), Some(3)); assert!(s.is_empty());",
        "assert!(!Stack(vec![1]).is_empty());",
    )
    verdict = rust(fenced(code), asserts=asserts, setup="fn nan_free() -> f64 { 1.5 }")
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("code", "text", "reward"),
    [
        ("fn f() -> u8 { 255 }", "assert_eq!(f(), 255);", 1.0),
        ("fn f() -> u8 { 44 }", "assert_eq!(f(), 300);", 0.5),
        ('fn f() -> Option<&\'static str> { Some("a") }', 'assert_eq!(f(), Some("a".to_string()));', 0.5),
        ("fn f() -> Vec<u64> { vec![1 << 40] }", "assert_eq!(f(), [1 << 40]);", 1.0),
        ("fn f() -> u32 { 4294967295 }", "assert_eq!(f(), !0u32);", 1.0),
        ("fn f() -> f64 { -0.0 }", "assert_eq!(f(), 0.0);", 1.0),
        ("fn f() -> f64 { f64::NAN }", "assert_eq!(f(), f64::NAN);", 0.7),
        ("fn f() -> [i32; 2] { [1, 2] }", "assert_eq!(f(), [2, 1]);", 0.7),
    ],
)
def test_expected_values_take_the_type_the_language_gives_them(
    rust: Judge, code: str, text: str, reward: float
) -> None:
    verdict = rust(fenced(code), asserts=(text,), entry_point="f")
    assert verdict.reward == reward, verdict


def test_whole_programs_are_compared_by_output(rust: Judge) -> None:
    assert rust(fenced(READ), **SUM).reward == 1.0
    assert rust(fenced(READ.replace("{sum}", "3")), **SUM).reward == 0.7
    assert rust(fenced(READ.replace("sum();", "sum(); std::process::exit(1);")), **SUM).reward == 0.3
    assert rust(fenced(READ.replace("fn main", "fn other")), **SUM).reward == 0.0
    assert rust(fenced(READ.replace('println!("{sum}")', "loop { if sum == 77777 { break; } }")), **SUM).reward == 0.5


def test_without_tests_compiling_counts(rust: Judge) -> None:
    assert (rust(fenced(READ)).reward, rust(fenced(READ)).passed) == (0.5, True)
    assert rust(fenced(GOOD), entry_point="add").reward == 0.5
    assert rust(fenced(GOOD), entry_point="sub").reward == 0.0
    assert rust(fenced("mod inner { pub " + GOOD + " }"), entry_point="add").reward == 0.0
    assert "not linked" in rust(fenced(GOOD)).detail


@pytest.mark.parametrize("code", ["fn main() {}", "// fn add(a: i32) -> i32 { a + 1 + 2 + 3 }\nfn main() { }"])
def test_a_trivial_program_is_no_answer(rust: Judge, code: str) -> None:
    verdict = rust(fenced(code))
    assert (verdict.reward, verdict.passed) == (0.0, False)
    assert "trivial" in verdict.detail
    assert rust(fenced(READ), required=("HashMap",)).reward == 0.0


@pytest.mark.parametrize(
    "hiding",
    [
        "",
        "#![allow(warnings)]",
        "#![allow(unused_variables)]",
        "#![cfg_attr(all(), allow(unused))]",
        "#![warn(unused)]\n#[allow(unused_variables)]",
    ],
)
def test_hidden_warnings_earn_no_more_than_shown_ones(rust: Judge, hiding: str) -> None:
    verdict = rust(fenced(f'{hiding}\nfn main() {{ let unused = 1; println!("{{}}", 2); }}'))
    assert (verdict.reward, verdict.passed) == (0.3, True), verdict


def test_what_a_program_denies_itself_still_fails(rust: Judge) -> None:
    assert rust(fenced('#![deny(warnings)]\nfn main() { let unused = 1; println!("{}", 2); }')).reward == 0.0
    assert rust(fenced('#![deny(warnings)]\nfn main() { println!("{}", 2); let _ = 3; }')).reward == 0.5
    assert (
        rust(fenced("#![forbid(unsafe_code)]\nfn add(a: i32, b: i32) -> i32 { unsafe { a + b } }"), **ADD).reward == 0
    )


def test_run_runs_without_tests(real_sandbox: Any, judge: type[Judge]) -> None:
    verifier = RustConfig(run=True, timeout_s=1, min_tokens=0).build(real_sandbox, 1)
    check = judge(verifier)
    assert check(fenced("fn main() {}")).reward == 0.7
    failing = check(fenced('fn main() { panic!("on purpose") }'))
    assert (failing.reward, failing.stage) == (0.5, Stage.RUN)
    assert "on purpose" in failing.detail
    assert check(fenced(GOOD)).reward == 0.0
    verifier.close()


@pytest.mark.parametrize(
    "text",
    [
        "assert!(1 == 1);",
        "add(1, 2) == 3",
        "assert_eq!(add(1, 2), unknown_name);",
        "assert_eq!(add(1, 2), Point { x: 1 });",
        "assert!(add(1, 2) == 3 || add(1, 2) == 4);",
        "for i in 0..3 { assert_eq!(add(i, 0), i); }",
        "assert_eq!(add(1, 2), !0);",
        'assert_eq!(add(1, 2), "x".parse::<i32>().unwrap());',
        "assert_eq!(add(1, 2), 3",
    ],
)
def test_tests_that_cannot_be_checked_are_a_named_fault(rust: Judge, text: str) -> None:
    verdict = rust(fenced(GOOD), asserts=(text,))
    assert verdict.reward is None
    assert (verdict.fault or "").startswith("unsupported tests"), verdict


BAD = GOOD.replace("+", "-")
HEAD = "fn add(a: i32, b: i32) -> i32"
HOSTILE = {
    "reads a host file while it compiles": 'const S: &[u8] = include_bytes!("/etc/passwd"); ' + GOOD,
    "reads a host file as text": 'const S: &str = include_str!("/etc/hostname"); ' + GOOD,
    "reads the harness's environment": 'const S: &str = env!("HOME"); ' + GOOD,
    "asks for nightly features": "#![feature(start)]\n" + GOOD,
    "passes arguments to the linker": '#![feature(link_args)]\n#[link_args = "-o /x"] extern "C" {}\n' + GOOD,
    "recurses in a macro": "macro_rules! m { ($($t:tt)*) => { m!($($t)* $($t)*); } } m!(a b c);\n" + GOOD,
    "never ends a constant": "const N: u64 = { let mut n = 0; while n >= 0 { n += 1; } n as u64 };\n" + GOOD,
    "nests types without end": "struct A<T>(T); fn f<T>(t: T) { f(A(t)) }\npub fn g() { f(1) }\n" + GOOD,
    "takes the driver's place": "mod halo_forge_driver { pub fn show<T>(_: T) {} }\n" + GOOD,
    "is a library": '#![crate_type = "lib"]\n#![no_main]\n' + GOOD,
    "brings its own C main": '#[no_mangle] pub extern "C" fn main() -> i32 { 0 }\n' + BAD,
    "swallows what follows": BAD + "\n#[cfg(any())]",
    "comments out what follows": BAD + "\n/*",
    "forges a report before main": FORGED,
    "forges a report and aborts": FORGED.replace("std::process::exit(0)", "std::process::abort()"),
    "closes the report": f'extern "C" {{ fn close(n: i32) -> i32; }} {HEAD} {{ unsafe {{ close(3) + a * b }} }}',
    "replaces the panic hook": f"{HEAD} {{ std::panic::set_hook(Box::new(|_| std::process::exit(0))); panic!() }}",
    "is equal to everything": """#[derive(Debug)] struct Any;
        impl PartialEq<i32> for Any { fn eq(&self, _: &i32) -> bool { true } }
        fn add(a: i32, b: i32) -> Any { let _ = a + b; Any }""",
    "shadows the macros": f"""macro_rules! assert_eq {{ ($($t:tt)*) => {{}} }}
        macro_rules! format {{ ($($t:tt)*) => {{ "5" }} }} {BAD}""",
    "floods": f'{HEAD} {{ loop {{ println!("{{}}", a + b); }} }}',
    "bombs with threads": f"{HEAD} {{ loop {{ std::thread::spawn(|| loop {{}}); if a * b == 7 {{ return 1; }} }} }}",
    "reads its own files": """fn add(_: i32, _: i32) -> i32 {
        let all = std::fs::read("/job/program").unwrap_or_default();
        let wanted = 2_313_370_i32 + std::env::args().count() as i32 * 9;
        if all.windows(4).any(|bytes| bytes == wanted.to_le_bytes()) { wanted } else { 1 } }""",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_attack_passes_or_harms(rust: Judge, name: str) -> None:
    asserts = ("assert_eq!(add(2, 3), 5);", "assert_eq!(add(7, 8), 2_313_379);", "assert_eq!(add(7, 9), 1 + 2313378);")
    for reference in ({"asserts": asserts, "entry_point": "add"}, SUM):
        verdict = rust(fenced(HOSTILE[name]), **reference)
        assert verdict.fault is None or "too busy" in verdict.fault
        assert not verdict.passed
        assert len(verdict.detail) < 1000
    descendants = psutil.Process().children(recursive=True)
    assert not [process for process in descendants if process.name() == "program"]


def test_expected_values_never_reach_what_runs(rust: Judge) -> None:
    spy = 'fn f(_: i32) -> String { if include_str!("program.rs").contains(&["exp", "ected!"].concat()) '
    spy += '{ "expected!".into() } else { String::new() } }'
    told = spy.replace('"expected!".into()', '["exp", "ected!"].concat()')
    assert rust(fenced(told), asserts=('assert_eq!(f(1), "expected!");',)).reward == 0.7
    assert rust(fenced(told), asserts=('assert_eq!(f(1), "expected!".to_string());',)).reward == 0.7


def test_a_slow_compilation_is_the_programs_doing(real_sandbox: Any, judge: type[Judge]) -> None:
    verifier = RustConfig(compile_timeout_s=1).build(real_sandbox, 1)
    bomb = (
        "const fn f(n: u32) -> u32 { if n < 2 { n } else { f(n - 1) + f(n - 2) } }\n#[allow(long_running_const_eval)]\n"
    )
    verdict = judge(verifier)(fenced(f'{bomb}const N: u32 = f(60);\nfn main() {{ println!("{{}}", N); }}'))
    assert verdict.reward in (0.0, None)
    verifier.close()


def test_a_broken_sandbox_is_a_fault(sandbox: BreakableSandbox, judge: type[Judge]) -> None:
    verifier = RustConfig().build(sandbox, 1)
    sandbox.broken = True
    verdict = judge(verifier)(fenced(GOOD), **ADD)
    assert verdict.reward is None
    assert "broken on purpose" in (verdict.fault or "")
    verifier.close()


def test_a_missing_compiler_is_named(real_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rustc.shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentFault, match="apt-get install rustc"):
        RustConfig().build(real_sandbox, 1)


def test_a_toolchain_that_disappears_is_a_fault(
    real_sandbox: Any, judge: type[Judge], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A second toolchain outside `/usr`, hard-linked, whose standard library then goes away."""
    sysroot = rustc.find_rustc().sysroot
    copy = tmp_path / "rust"
    (copy / "bin").mkdir(parents=True)
    shutil.copytree(sysroot / "lib", copy / "lib", copy_function=os.link)
    os.link(sysroot / "bin" / "rustc", copy / "bin" / "rustc")
    tmp_path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{copy / 'bin'}:/usr/bin:/bin")
    verifier = RustConfig().build(real_sandbox, 1)
    check = judge(verifier)
    assert check(fenced(GOOD), **ADD).passed
    for library in (copy / "lib").rglob("libstd-*"):
        library.unlink()
    for code in (GOOD, GOOD.replace("+", "- 0 +")):
        verdict = check(fenced(code), **ADD)
        assert verdict.reward is None
        assert "does not work" in (verdict.fault or "")
    verifier.close()


def test_the_linker_makes_no_difference(real_sandbox: Any, judge: type[Judge], rust: Judge) -> None:
    verifier: Any = RustConfig(timeout_s=1).build(real_sandbox, 1)
    verifier._toolchain._compiler._linker = compiler.BFD
    for code in (GOOD, GOOD.replace("+", "-"), 'extern "C" { fn add(a: i32, b: i32) -> i32; }'):
        assert judge(verifier)(fenced(code), **ADD).reward == rust(fenced(code), **ADD).reward
    verifier.close()


def test_every_verdict_is_measured_and_the_version_tells_all(rust: Judge) -> None:
    verdict = rust(fenced(GOOD + "  // \ud800"), **ADD)
    assert verdict.passed
    assert verdict.wall_s > 0
    assert verdict.cpu_s > 0
    assert (verdict.peak_memory_mb or 0) > 1
    assert all(word in rust.verifier.version for word in ("rustc 1.", "edition=2021", "rules", "timeout_s"))


def test_options_are_checked() -> None:
    listed = RustConfig.model_validate({"crates": "tokio:full, anyhow@1.0"})
    assert listed.crates == ("tokio:full", "anyhow@1.0")
    with pytest.raises(ValidationError, match="tokio full"):
        RustConfig.model_validate({"crates": "tokio full"})
