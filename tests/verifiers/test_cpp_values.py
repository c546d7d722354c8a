from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.cpp_values import Items, Number, Pointer, Value, holds, literal_value, printed_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", Number(5, bits=32)),
        ("-5", Number(-5, bits=32)),
        ("3000000000", Number(3_000_000_000, bits=64)),
        ("7u", Number(7, signed=False, bits=32)),
        ("0xFF", Number(255, bits=32)),
        ("017", Number(15, bits=32)),
        ("1'000", Number(1000, bits=32)),
        ("true", Number(1, bits=8)),
        ("'a'", Number(97, bits=8)),
        ("'\\n'", Number(10, bits=8)),
        ("2.5", Number(2.5)),
        ("1e3", Number(1000.0)),
        ("-.5f", Number(-0.5)),
        ('"a\\tb" "c"', b"a\tbc"),
        ('R"(x"y)"', b'x"y'),
        ("nullptr", Pointer(null=True)),
        ("f(2)", None),
        ("2 + 3", None),
        ("vector<int>{1}", None),
    ],
)
def test_literals_are_read(text: str, value: Value | None) -> None:
    assert literal_value(text) == value


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ('["i",32,5]', "5", True),
        ('["u",32,4294967295]', "-1", True),
        ('["u",8,255]', "-1", False),
        ('["f","0x1p+0"]', "1", True),
        ('["i",8,97]', "'a'", True),
        ('["s","6162"]', '"ab"', True),
        ('["s","6162"]', "5", False),
        ('["p",1]', "nullptr", True),
        ('["p",0]', "nullptr", False),
    ],
)
def test_values_compare_as_in_cpp(left: str, right: str, equal: bool) -> None:
    value = literal_value(right)
    assert value is not None
    assert holds(printed_value(left), "==", value) is equal
    assert holds(printed_value(left), "!=", value) is not equal


def test_an_unordered_container_compares_without_order() -> None:
    bag, other = printed_value('["bag",["i",32,1],["i",32,2]]'), printed_value('["bag",["i",32,2],["i",32,1]]')
    assert holds(bag, "==", other)
    assert not holds(printed_value('["list",["i",32,1],["i",32,2]]'), "==", Items((Number(2), Number(1))))


def test_a_tolerance_bounds_the_difference() -> None:
    assert holds(Number(1.05), "<", Number(1.0), Number(0.1))
    assert not holds(Number(1.2), "<", Number(1.0), Number(0.1))
    assert not holds(b"x", "<", Number(1.0), Number(0.1))


@given(st.text() | st.recursive(st.integers() | st.text() | st.none(), st.lists).map(str))
def test_what_a_hostile_program_prints_is_a_value_or_refused(line: str) -> None:
    with suppress(ValueError):
        printed_value(line)
