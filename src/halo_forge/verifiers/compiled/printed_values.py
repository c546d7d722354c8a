"""Values as Rust's `Debug` prints them, a form that the Go driver follows: read, and compared by content.

A number becomes a Python number, a bracketed group a `Group`, and whatever else a text. `{…}` without a name is a map
or a set, whose order does not count. A form that cannot be read, as some libraries print their types, stays one text.

Groups are compared by a canonical text: a program can choose values whose hashes collide, but no texts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
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
MAX_TYPE_CHARS = 1000
NIL = "nil"
EMPTY = ("[]", "{}")


class Group(NamedTuple):
    """A list, a tuple, a map, a set, a structure.

    Args:
        text: the same for equal groups.
        holds_nan: whether a NaN is in it, which makes it equal to nothing, not even to itself.
    """

    text: str
    holds_nan: bool


Value = int | float | str | Group


class Shown(NamedTuple):
    """One line of a report.

    Args:
        type_name: the type as the language names it.
        value: what was printed, read.
    """

    type_name: str
    value: Value


def read_report(report: bytes) -> list[Shown]:
    """Read what a driver printed: a type, a tab, and a value on each line; of a long type's name its beginning.

    Expected values are kept by type, and a program can make up names of any length.
    """
    lines = [line.partition("\t") for line in report.decode(errors="replace").split("\n")[:-1]]
    return [Shown(name[:MAX_TYPE_CHARS], read_value(text)) for name, _, text in lines]


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
    texts: list[str] = []
    holds_nan = False
    position = start + 1
    while tokens[position] != ("sign", CLOSING[bracket]):
        item, position = _value(tokens, position, depth + 1)
        text, holds_nan = _canonical(item), holds_nan or _holds_nan(item)
        if tokens[position] == ("sign", ":"):
            value, position = _value(tokens, position + 1, depth + 1)
            text, holds_nan = f"{text}:{_canonical(value)}", holds_nan or _holds_nan(value)
        texts.append(text)
        if tokens[position] == ("sign", ","):
            position += 1
        elif tokens[position] != ("sign", CLOSING[bracket]):
            raise ValueError("two values without a comma between them")
    if bracket == "{" and not name:
        texts.sort()
    return Group(f"{name}{bracket}{','.join(texts)}{CLOSING[bracket]}", holds_nan), position + 1


def _canonical(value: Value) -> str:
    """Return a text that equal values share."""
    if isinstance(value, Group):
        return value.text
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


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
        try:
            return COMPARISONS[sign](abs(left - right), tolerance)  # type: ignore[operator]
        except OverflowError:  # an integer too large for a float is far from every float
            return False
    if sign in ("==", "!="):
        return _same(left, right, exact) == (sign == "==") and not (sign == "!=" and _unlike(left, right))
    return numbers and COMPARISONS[sign](left, right)


def _same(left: Value, right: Value, exact: bool) -> bool:
    for one, other in ((left, right), (right, left)):
        if not exact and one == NIL and isinstance(other, Group) and other.text in EMPTY:
            return True
    return not _holds_nan(left) and left == right


def _unlike(left: Value, right: Value) -> bool:
    """Tell whether two values are of different kinds, whose inequality says nothing."""
    return isinstance(left, int | float) != isinstance(right, int | float)


def _holds_nan(value: Value) -> bool:
    """Tell whether a value is or holds a NaN, which equals nothing, not even itself."""
    return value.holds_nan if isinstance(value, Group) else isinstance(value, float) and math.isnan(value)
