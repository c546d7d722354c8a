from __future__ import annotations

import pytest

from halo_forge.verifiers.batch import UnsupportedTests
from halo_forge.verifiers.compiled.set_up import declared_values, require_hidden
from halo_forge.verifiers.rust.asserts import read_rust_tests
from halo_forge.verifiers.source_tokens import Dialect

SETUP = "const WANTED: i32 = 4711;\nconst EPSILON: f64 = 1e-9;\nfn list(n: i32) -> Vec<i32> { vec![n] }"


@pytest.mark.parametrize(
    ("dialect", "setup", "names"),
    [
        ("rust", SETUP, {"WANTED", "EPSILON"}),
        ("rust", "let mut v = vec![1]; static mut S: u8 = 0; let (a, mut b): (u8, u8) = (c, d);", set("vSab")),
        ("rust", 'fn f() {} struct P; // const X\n"let y = 1";', set()),
        ("go", "const A = 1\nvar b, c = x, y\nfunc f(z int) {}", set("Abc")),
        ("go", "const (\n\tA = iota\n\tB\n)\nvar (\n\tc, d int = 1, 2\n)", set("ABcd")),
        ("go", "const (", set()),
    ],
)
def test_the_values_of_a_set_up_are_found(dialect: Dialect, setup: str, names: set[str]) -> None:
    assert declared_values(setup, dialect) >= names
    assert not declared_values(setup, dialect) & {"x", "y", "z", "f", "iota", "int", "P"}


@pytest.mark.parametrize("text", ["assert_eq!(f(1), WANTED);", "assert!((f(1) - WANTED).abs() < 1);"])
def test_expected_values_in_a_set_up_are_refused(text: str) -> None:
    with pytest.raises(UnsupportedTests, match=r"is in the set-up, as WANTED, where the program can read it"):
        require_hidden(SETUP, read_rust_tests((text,), "f")[0].checks, "rust")


@pytest.mark.parametrize(
    "text", ["assert_eq!(f(1), list(1));", "assert!((f(1) - 0.5).abs() < EPSILON);", "assert!(f(1) < WANTED);"]
)
def test_bounds_and_builders_in_a_set_up_are_not(text: str) -> None:
    require_hidden(SETUP, read_rust_tests((text,), "f")[0].checks, "rust")
