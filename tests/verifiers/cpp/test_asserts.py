from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.batch import UnsupportedTests
from halo_forge.verifiers.cpp.asserts import read_asserts
from halo_forge.verifiers.cpp.tokens import tokens


@pytest.mark.parametrize(
    ("text", "expression", "sign", "expected", "tolerance"),
    [
        ("assert(f(2, 3) == 5);", "f(2, 3)", "==", "5", None),
        ("assert(5 == f(2));", "f(2)", "==", "5", None),
        ("assert(f(1) != 5)", "f(1)", "!=", "5", None),
        ("assert(3 < f(1));", "f(1)", ">", "3", None),
        ("assert(f<int>(1) == 2);", "f<int>(1)", "==", "2", None),
        ('assert(f("a == b") == "c");', 'f("a == b")', "==", '"c"', None),
        ("assert((f(vector<int>{1, 2})) == (vector<int>{2}));", "f(vector<int>{1, 2})", "==", "vector<int>{2}", None),
        ("assert(is_even(4));", "is_even(4)", "==", "true", None),
        ("assert(!g(1));", "g(1)", "==", "false", None),
        ("assert(!(g(1)));", "g(1)", "==", "false", None),
        ("assert(fabs(f(2) - 4.5) < 1e-6);", "f(2)", "<", "4.5", "1e-6"),
        ("assert(std::abs(4.5 - f(-2)) <= 0.1);", "f(-2)", "<=", "4.5", "0.1"),
        ('assert(strcmp(f(1), "x") == 0);', "f(1)", "==", '"x"', None),
        ('assert(!strcmp(f(1), "x"));', "f(1)", "==", '"x"', None),
    ],
)
def test_an_assert_is_taken_apart(text: str, expression: str, sign: str, expected: str, tolerance: str | None) -> None:
    (check,) = read_asserts((text,))
    assert (check.expression, check.sign, check.expected, check.tolerance) == (expression, sign, expected, tolerance)


def test_conjunctions_and_several_statements_give_several_checks() -> None:
    checks = read_asserts(("assert(f(1) == 1 && f(2) == 2); assert(f(3) == 3);",))
    assert [check.expected for check in checks] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "text", ["f(1) == 2", "assert(1 == 1);", "assert(f(1) == 1 || f(1) == 2);", "assert(f(1)", "assert(x);", "assert"]
)
def test_what_cannot_be_taken_apart_is_named(text: str) -> None:
    with pytest.raises(UnsupportedTests, match=r"."):
        read_asserts((text,))


@given(st.text(alphabet="assert(f1) ==!&|\"'<>-+,;{}[]/*\\\n ."))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert "".join(token.text for token in tokens(text)) == text
    with suppress(UnsupportedTests):
        read_asserts((text,))
