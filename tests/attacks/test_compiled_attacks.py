"""Rust and Go programs that try to be scored as right, to harm the host, or to be kept out instead of scored.

`{WRONG}` in a program stands for definitions of everything that the tasks ask for, all of them wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attacks.attacking import SUMS, Task, attack, programs

from halo_forge.core.protocols import Verifier

if TYPE_CHECKING:
    from conftest import Host

RUST_TASKS: dict[str, Task] = {
    "whole numbers": (
        {
            "asserts": ("assert_eq!(add(2, 3), 5);", "assert_eq!(add(-1, 1), 0);", "assert!(add(10, 20) == 30);"),
            "entry_point": "add",
        },
        "fn add(a: i32, b: i32) -> i32 { a + b }",
    ),
    "vectors": (
        {
            "asserts": (
                "assert_eq!(sorted(vec![3, 1, 2]), vec![1, 2, 3]);",
                "assert_eq!(sorted(vec![2, 1]) == vec![1, 2], true);",
                "assert_eq!(sorted(vec![]), Vec::<i32>::new());",
            )
        },
        "fn sorted(mut v: Vec<i32>) -> Vec<i32> { v.sort(); v }",
    ),
    "truths": (
        {
            "asserts": (
                "assert!(find(&[1, 2], 2).is_some()); assert!(find(&[1], 2).is_none());",
                "assert!(even(4)); assert!(!even(3));",
                "assert!((root(2.25) - 1.5).abs() < 1e-6);",
                "assert_eq!(find(&[1], 3).is_some(), false);",
            )
        },
        "fn find(v: &[i32], x: i32) -> Option<usize> { v.iter().position(|&y| y == x) }\n"
        "fn even(n: i32) -> bool { n % 2 == 0 }\nfn root(x: f64) -> f64 { x.sqrt() }",
    ),
    "computed values": (
        {"asserts": ("assert_eq!(total(100), [100, 100].iter().sum());", "assert_eq!(total(1), 1 + 1);")},
        "fn total(n: i32) -> i32 { 2 * n }",
    ),
    "input and output": (
        SUMS,
        'fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap(); println!("{}", '
        "s.split_whitespace().map(|word| word.parse::<i32>().unwrap()).sum::<i32>()); }",
    ),
}
RUST_WRONG = """fn add(a: i32, b: i32) -> i32 { a - b - 700 }
fn sorted(v: Vec<i32>) -> Vec<i32> { [v, Vec::from([900])].concat() }
fn find(v: &[i32], x: i32) -> Option<usize> { if v.contains(&x) { None } else { Some(0) } }
fn even(n: i32) -> bool { n % 2 != 0 }
fn root(x: f64) -> f64 { x * 900.0 }
fn total(n: i32) -> i32 { n - 700 }"""

GO_TASKS: dict[str, Task] = {
    "whole numbers": (
        {"asserts": ("assert Add(2, 3) == 5", "Add(-1, 1) == 0", "if Add(10, 20) != 30 { t.Fatal() }")},
        "package main\n\nfunc Add(a, b int) int { return a + b }",
    ),
    "slices": (
        {
            "asserts": (
                "assert reflect.DeepEqual(Sorted([]int{3, 1, 2}), []int{1, 2, 3})",
                "assert Sorted([]int{2, 1}) == []int{1, 2}",
                "assert reflect.DeepEqual(Sorted([]int{5, 4}), []int{4, 5}) == true",
            )
        },
        'package main\n\nimport "sort"\n\nfunc Sorted(v []int) []int { sort.Ints(v); return v }',
    ),
    "truths": (
        {
            "asserts": (
                "assert Even(4)\nassert !Even(3)",
                "assert (Add(2, 3) == 5) == true",
                "assert math.Abs(Root(2.25)-1.5) < 1e-6",
                "assert Check(1) == nil\nassert Check(-1) != nil",
            )
        },
        'package main\n\nimport ("errors"; "math")\n\nfunc Even(n int) bool { return n%2 == 0 }\n'
        "func Add(a, b int) int { return a + b }\nfunc Root(x float64) float64 { return math.Sqrt(x) }\n"
        'func Check(n int) error { if n < 0 { return errors.New("negative") }; return nil }',
    ),
    "input and output": (
        SUMS,
        'package main\n\nimport "fmt"\n\nfunc main() { var a, b int; fmt.Scan(&a, &b); fmt.Println(a + b) }',
    ),
}
GO_WRONG = """func Add(a, b int) int { return a - b - 700 }
func Sorted(values []int) []int { return append(values, 900) }
func Even(n int) bool { return n%2 != 0 }
func Root(x float64) float64 { return x * 900 }
func Check(n int) error { if n > 0 { panic(n) }; return nil }"""


@pytest.mark.parametrize("program", programs("rust", share=10))
def test_no_rust_program_forges_a_pass(judged: Any, host: Host, rust: Verifier, program: Path) -> None:
    attack(judged, host, rust, RUST_TASKS, program.read_text().replace("{WRONG}", RUST_WRONG))


@pytest.mark.parametrize("program", programs("go", share=10))
def test_no_go_program_forges_a_pass(judged: Any, host: Host, go: Verifier, program: Path) -> None:
    attack(judged, host, go, GO_TASKS, program.read_text().replace("{WRONG}", GO_WRONG))
