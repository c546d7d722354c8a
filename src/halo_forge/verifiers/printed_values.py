"""Values as Rust's `Debug` prints them, a form that the Go driver follows: read, and compared by content.

A number becomes a Python number, a bracketed group a tuple of its name, its bracket and its items, and whatever else a
text. `{…}` without a name is a map or a set, whose order does not count. A form that cannot be read, as some libraries
print their types, stays one text.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

TOKEN = re.compile(
    r"""
      (?P<string>"(?:\\.|[^"\\])*")
    | (?P<char>'(?:\\.[^']*|[^'\\])')
    | (?P<number>[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf)\b|NaN\b)
    | (?P<name>&*[^\W\d](?:::|[\w.*])*)
    | (?P<sign>[\[\](){},:])
    | \s+
    """,
    re.VERBOSE | re.DOTALL,
)
CLOSING = {"[": "]", "(": ")", "{": "}"}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
MAX_DEPTH = 100
NIL = "nil"
EMPTY = {("", "[", ()), ("", "{", frozenset())}

Value = Hashable


class Shown(NamedTuple):
    """One line of a report.

    Args:
        type_name: the type as the language names it.
        value: what was printed, read.
    """

    type_name: str
    value: Value


def read_report(report: bytes) -> list[Shown]:
    """Read what a driver printed: a type, a tab, and a value on each line."""
    lines = report.decode(errors="replace").split("\n")
    return [Shown(name, read_value(text)) for name, _, text in (line.partition("\t") for line in lines[:-1])]


def read_value(text: str) -> Value:
    """Read one value."""
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            return text
        if match.lastgroup:
            tokens.append((match.lastgroup, match[0]))
        position = match.end()
    try:
        value, rest = _value(tokens, 0, 0)
    except (IndexError, ValueError):
        return text
    return value if rest == len(tokens) else text


def _value(tokens: list[tuple[str, str]], start: int, depth: int) -> tuple[Value, int]:
    kind, text = tokens[start]
    if kind == "number":
        return _number(text), start + 1
    name = text if kind == "name" else ""
    opening = start + 1 if name else start
    if opening < len(tokens) and tokens[opening][1] in CLOSING and depth < MAX_DEPTH:
        return _group(tokens, name, opening, depth)
    if kind == "sign":
        raise ValueError("no value starts with this sign")
    return text, start + 1


def _group(tokens: list[tuple[str, str]], name: str, start: int, depth: int) -> tuple[Value, int]:
    bracket = tokens[start][1]
    items: list[Value] = []
    position = start + 1
    while tokens[position] != ("sign", CLOSING[bracket]):
        item, position = _value(tokens, position, depth + 1)
        if tokens[position] == ("sign", ":"):
            value, position = _value(tokens, position + 1, depth + 1)
            item = (":", item, value)
        items.append(item)
        if tokens[position] == ("sign", ","):
            position += 1
        elif tokens[position] != ("sign", CLOSING[bracket]):
            raise ValueError("two values without a comma between them")
    content = frozenset(Counter(items).items()) if bracket == "{" and not name else tuple(items)
    return (name, bracket, content), position + 1


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def holds(left: Value, sign: str, right: Value, tolerance: Value | None = None, *, exact: bool = False) -> bool:
    """Compare two values.

    Args:
        left: what the program computed.
        sign: the comparison.
        right: what was expected.
        tolerance: largest difference allowed between two numbers, compared by `sign`.
        exact: a nil list or map is not an empty one.
    """
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if tolerance is not None:
        if not (numbers and isinstance(tolerance, int | float)):
            return False
        return COMPARISONS[sign](abs(left - right), tolerance)  # type: ignore[operator]
    if sign in ("==", "!="):
        return _same(left, right, exact) == (sign == "==") and not (sign == "!=" and _unlike(left, right))
    return numbers and COMPARISONS[sign](left, right)


def _same(left: Value, right: Value, exact: bool) -> bool:
    if not exact and NIL in (left, right) and EMPTY & {left, right}:
        return True
    return not _holds_nan(left) and left == right


def _unlike(left: Value, right: Value) -> bool:
    """Tell whether two values are of different kinds, whose inequality says nothing."""
    return isinstance(left, int | float) != isinstance(right, int | float)


def _holds_nan(value: Value) -> bool:
    """Tell whether a value is or holds a NaN, which equals nothing, not even itself."""
    if isinstance(value, tuple | frozenset):
        return any(map(_holds_nan, value))
    return isinstance(value, float) and math.isnan(value)
