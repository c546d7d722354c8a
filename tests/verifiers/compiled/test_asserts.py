from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.batch import UnsupportedTests
from halo_forge.verifiers.go.asserts import read_go_tests
from halo_forge.verifiers.rust.asserts import read_rust_tests

PIECES = st.sampled_from(
    [
        "assert",
        "assert!",
        "assert_eq!",
        "(",
        ")",
        "f(1)",
        "==",
        "!=",
        " < ",
        ",",
        ";",
        "\n",
        "&&",
        "||",
        "if ",
        "{",
        "}",
        "!",
        "3",
    ]
)


def rust(text: str) -> list[str]:
    (test,) = read_rust_tests((text,), "f")
    return [
        f"{check.expression} {check.sign} {check.expected} {check.tolerance or ''}".strip() for check in test.checks
    ]


def go(text: str) -> list[str]:
    (test,) = read_go_tests((text,), "F")
    return [
        f"{check.expression} {check.sign} {check.expected} {check.tolerance or ''}".strip() for check in test.checks
    ]


@pytest.mark.parametrize(
    ("text", "checks"),
    [
        ("assert_eq!(f(2), 3);", ["f(2) == 3"]),
        ("assert_eq!(3, f(2), \"no {}\", 1)", ["f(2) == 3"]),
        ("assert_ne!(f(2), vec![1]);", ["f(2) != ::std::vec![1]"]),
        ("assert!(f(2) && !f(3));", ["f(2) == true", "f(3) == false"]),
        ("assert!(3 < f(2));", ["f(2) > 3"]),
        ("assert!((f(0.1) - 0.3).abs() < 1e-9)", ["f(0.1) < 0.3 1e-9"]),
        ("assert!(f64::abs(0.3 - f(0.1)) <= EPSILON)", ["f(0.1) <= 0.3 EPSILON"]),
        ("assert_eq!(f(1), (1, 2));", ["f(1) == (1, 2)"]),
        ("assert_eq!(f(1).collect::<HashMap<_, _>>(), x.collect::<HashMap<u8, u8>>());",
         ["f(1).collect::<HashMap<_, _>>() == x.collect::<HashMap<u8, u8>>()"]),
        ("assert_eq![f(1), 2]; assert! { f(2) }", ["f(1) == 2", "f(2) == true"]),
        ("assert_eq!(f(1), true);", ["f(1) == true"]),
        ("assert_eq!(f(1) == 2, true);", ["f(1) == 2"]),
        ("assert_ne!(true, f(1) == 2);", ["f(1) != 2"]),
        ("assert!((f(1) == 2 && 3 > f(2)) == true);", ["f(1) == 2", "f(2) < 3"]),
        ("assert!((f(1) == 2 || f(1) == 3) == false);", ["f(1) != 2", "f(1) != 3"]),
    ],
)  # fmt: skip
def test_rust_asserts_are_taken_apart(text: str, checks: list[str]) -> None:
    assert rust(text) == checks


@pytest.mark.parametrize(
    ("text", "sign"),
    [("f(1).is_some()", "!="), ("f(1).is_none()", "=="), ("!f(1).is_some()", "=="), ("f(1).is_some() != true", "==")],
)
def test_what_is_asked_of_an_option_does_not_show_in_what_is_computed(text: str, sign: str) -> None:
    assert rust(f"assert!({text});") == [
        f"::std::option::Option::map(::std::option::Option::as_ref(&(f(1))), |_| ()) {sign} None"
    ]


def test_only_calls_without_arguments_ask_an_option() -> None:
    assert rust("assert!(f(1).is_some(2));") == ["f(1).is_some(2) == true"]


@pytest.mark.parametrize(
    ("text", "checks"),
    [
        ("assert F(1) == 2", ["F(1) == 2"]),
        ("2 == F(1)", ["F(1) == 2"]),
        ("assert(F(1))", ["F(1) == true"]),
        ("if F(1) != 2 || !G() { t.Fatal(F(1)) }", ["F(1) == 2", "G() == true"]),
        ("if got := F(1); got >= 2 {\n\tpanic(got)\n}", ["got < 2"]),
        ("!reflect.DeepEqual([]int{1}, F(1))", ["F(1) != []int{1}"]),
        ("math.Abs(F(1)-0.5) < 1e-9", ["F(1) < 0.5 1e-9"]),
        ("x := F(1)\nassert x ==\n\t3", ["x == 3"]),
        ("assert (F(1) == 2) == true", ["F(1) == 2"]),
        ("assert reflect.DeepEqual(F(1), x) == false", ["F(1) != x"]),
    ],
)
def test_go_asserts_are_taken_apart(text: str, checks: list[str]) -> None:
    assert go(text) == checks


@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (read_rust_tests, read_go_tests):
        try:
            tests = read((text,), "f")
        except UnsupportedTests:
            continue
        assert all(test.checks for test in tests)
