from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.cpp.values import Items, Number, Pointer, Value, holds, literal_value, printed_value


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


def test_order_counts_unless_the_expected_side_has_none() -> None:
    items = '["i",32,1],["i",32,2]]'
    ordered, bag = printed_value(f'["list",{items}'), printed_value(f'["bag",{items}')
    for left, right in ((bag, ordered), (ordered, bag)):
        assert not holds(left, "==", right)
        assert not holds(left, "!=", right)
    inner = printed_value('["bag",["list",["i",32,1]],["list",["i",32,2],["f","0x1p+0"]]]')
    swapped = printed_value('["bag",["list",["i",64,2],["f","0x1p+0"]],["list",["i",8,1]]]')
    assert holds(inner, "==", swapped)
    assert not holds(printed_value('["bag",["f","nan"]]'), "==", printed_value('["bag",["f","nan"]]'))
    assert holds(printed_value('["bag",["f","inf"]]'), "==", printed_value('["bag",["f","inf"]]'))


@pytest.mark.parametrize(
    "line",
    [
        '["u",1000000000000000000000,5]', '["u",40000000000,5]', '["u",-32,5]', '["i",32,4294967295]', '["u",32,-1]',
        f'["i",64,{"9" * 4001}]', '["i",64,1e308]', '["i",64,Infinity]', '["f","0x1p+99999"]', '["f",1]', '["p",2]',
        '["s",5]', '["s"]', '["list"', "[]", "5", "{}", '["list",' * 500 + '["p",1]' + "]" * 500,
    ],
)  # fmt: skip
def test_forged_lines_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a value"):
        printed_value(line)


def test_literals_that_fit_no_type_are_left_to_the_compiler() -> None:
    for text in ("1" * 30, "1" * 5000, "0x" + "f" * 17):
        assert literal_value(text) is None


def test_a_large_bag_whose_hashes_collide_equals_itself() -> None:
    items = (
        ",".join(f'["u",64,{number * (2**61 - 1)}]' for number in range(8))
        + ","
        + ",".join(['["i",64,0]', '["i",64,-1]', '["i",64,-2]'] * 20_000)
    )
    bag = printed_value(f'["bag",{items}]')
    assert holds(bag, "==", bag)


def test_a_tolerance_bounds_the_difference() -> None:
    assert holds(Number(1.05), "<", Number(1.0), Number(0.1))
    assert not holds(Number(1.2), "<", Number(1.0), Number(0.1))
    assert not holds(b"x", "<", Number(1.0), Number(0.1))


@given(st.text() | st.recursive(st.integers() | st.text() | st.none(), st.lists).map(str))
def test_what_a_hostile_program_prints_is_a_value_or_refused(line: str) -> None:
    with suppress(ValueError):
        printed_value(line)
