from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.compiled.printed_values import holds, read_report, read_value

PIECES = st.sampled_from(
    ["[", "]", "(", ")", "{", "}", ",", ":", '"', "a", "1", "-", "NaN", "inf", "\\", "'", " ", "::"]
)


@pytest.mark.parametrize(
    ("left", "sign", "right"),
    [
        ("3", "==", "3"),
        ("3.0", "==", "3"),
        ("-0.0", "==", "0.0"),
        ("1e300", "<", "inf"),
        ("340282366920938463463374607431768211455", "!=", "340282366920938463463374607431768211456"),
        ("[1, 2]", "==", "[1, 2]"),
        ('{"b": 2, "a": [1]}', "==", '{"a": [1], "b": 2}'),
        ("{1, 2, 1}", "==", "{1, 1, 2}"),
        ('Some(Point { x: 1, y: "a, }" })', "==", 'Some(Point { x: 1, y: "a, }" })'),
        ("nil", "==", "[]"),
        ("1.5s", "==", "1.5s"),
        ("NaN", "!=", "NaN"),
        ('"NaN"', "==", '"NaN"'),
    ],
)
def test_values_that_compare(left: str, sign: str, right: str) -> None:
    assert holds(read_value(left), sign, read_value(right))


@pytest.mark.parametrize(
    ("left", "sign", "right"),
    [
        ("[1, 2]", "==", "[2, 1]"),
        ("[1, 2]", "==", "(1, 2)"),
        ("{1, 1}", "==", "{1}"),
        ("Point { x: 1, y: 2 }", "==", "Point { y: 2, x: 1 }"),
        ('"1"', "==", "1"),
        ('"a"', "==", "a"),
        ("Some(1)", "==", "1"),
        ("NaN", "==", "NaN"),
        ("[NaN]", "==", "[NaN]"),
        ("{1: [NaN]}", "==", "{1: [NaN]}"),
        ("whatever", "!=", "3"),
        ("NaN", ">", "1"),
        ("big", ">", "1"),
        ("1, 1", "==", "1"),
        ("true", "==", "1"),
    ],
)
def test_values_that_do_not_compare(left: str, sign: str, right: str) -> None:
    assert not holds(read_value(left), sign, read_value(right))


def test_tolerance_is_between_numbers() -> None:
    assert holds(0.1, "<", 0.3, 0.5)
    assert not holds(float("nan"), "<", 0.3, 0.5)
    assert not holds("0.3", "<", 0.3, 0.5)
    assert not holds(10**400, "<", 2.5, 0.1)
    assert not holds(2.5, "<=", -(10**400), 0.1)
    assert not holds("nil", "==", read_value("[]"), exact=True)


@given(st.lists(PIECES, max_size=60).map("".join), st.sampled_from(["==", "!=", "<"]))
def test_any_text_is_read_and_compared(text: str, sign: str) -> None:
    value = read_value(text)
    holds(value, sign, read_value("[1]"))
    assert not holds(value, "==", 2313379)


@given(st.binary(max_size=200))
def test_any_report_is_read(report: bytes) -> None:
    assert len(read_report(report)) == report.count(b"\n")


def test_values_whose_hashes_collide_are_read_and_compared_at_once() -> None:
    """With hashes this takes hours."""
    numbers = [str(number * (2**61 - 1)) for number in range(50_000)]
    forwards, backwards = (f"{{{', '.join(order)}}}" for order in (numbers, numbers[::-1]))
    assert holds(read_value(forwards), "==", read_value(backwards))
    assert not holds(read_value(forwards), "==", read_value(backwards.replace("{0", "{1")[:-2] + "1}"))


def test_deep_values_stay_texts() -> None:
    deep = "[" * 5000 + "]" * 5000
    assert read_value(deep) == deep
    assert read_value("[" * 90_000) == "[" * 90_000
