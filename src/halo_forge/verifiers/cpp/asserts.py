"""Taking C and C++ asserts apart: what the program computes, and what it is compared with.

`assert(mix(2, 3) == 25);` becomes the expression `mix(2, 3)`, the sign `==` and the expected `25`. Only the expression
is compiled with the program; the comparison happens here, where the program cannot reach it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from halo_forge.verifiers.batch import UnsupportedTests
from halo_forge.verifiers.cpp.tokens import called_names, tokens, trimmed
from halo_forge.verifiers.tokens import Token, closing, joined, solid, split, top_level

MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
NEEDS_SPACE = {"<", ">"}
ABSOLUTE = {"abs", "fabs", "fabsf", "fabsl"}
FALSE_NEGATED = {"true": "false", "false": "true"}


class Check(NamedTuple):
    """One comparison.

    Args:
        expression: what the program computes.
        sign: `==`, `!=`, `<`, `<=`, `>` or `>=`.
        expected: the trusted other side.
        tolerance: expression of the largest difference allowed; None compares exactly.
        truth: whether only the truth of the expression counts.
        text: the assert it comes from.
    """

    expression: str
    sign: str
    expected: str
    tolerance: str | None
    truth: bool
    text: str

    @property
    def called(self) -> list[str]:
        """The names the expression calls."""
        return called_names(tokens(self.expression))


def read_asserts(texts: tuple[str, ...]) -> list[Check]:
    """Take test statements apart.

    Raises:
        UnsupportedTests: a statement is not an assert, or does not compare something the program computes.
    """
    try:
        return [check for text in texts for condition in _conditions(text) for check in _checks(condition, text)]
    except ValueError as error:
        raise UnsupportedTests(f"{error} in `{' '.join(texts)}`") from error


def _conditions(text: str) -> list[list[Token]]:
    """Return the conditions of the asserts in a text."""
    rest = [token for token in tokens(text) if token.kind != "space" or token.text.isspace()]
    conditions = []
    while rest := _without_separators(rest):
        positions = [position for position, token in enumerate(rest) if token.kind != "space"]
        if len(positions) < 2 or rest[0].text != "assert" or rest[positions[1]].text != "(":
            raise UnsupportedTests(f"`{text}` is not of the form `assert(…);`")
        end = closing(rest, positions[1])
        conditions.append(rest[positions[1] + 1 : end])
        rest = rest[end + 1 :]
    return conditions


def _without_separators(parts: list[Token]) -> list[Token]:
    while parts and (parts[0].kind == "space" or parts[0].text == ";"):
        parts = parts[1:]
    return parts


def _checks(condition: list[Token], text: str) -> list[Check]:
    parts = trimmed(condition)
    conjuncts = split(parts, "&&")
    if len(conjuncts) > 1:
        return [check for conjunct in conjuncts for check in _checks(conjunct, text)]
    if any(token.text in {"||", "?"} for _, token in top_level(parts)):
        raise UnsupportedTests(f"`{text}` combines conditions in a way that cannot be taken apart")
    found = [
        position
        for position, token in top_level(parts)
        if token.text in MIRRORED and (token.text not in NEEDS_SPACE or _spaced(parts, position))
    ]
    if not found:
        return [_truth(parts, text)]
    if len(found) > 1:
        raise UnsupportedTests(f"`{text}` has several comparisons in one condition")
    left, sign, right = trimmed(parts[: found[0]]), parts[found[0]].text, trimmed(parts[found[0] + 1 :])
    return [_comparison(left, sign, right, text)]


def _spaced(parts: list[Token], position: int) -> bool:
    """Tell whether a sign stands between spaces; one that does not may belong to a template."""
    around = parts[max(position - 1, 0) : position + 2]
    return len(around) == 3 and around[0].kind == around[2].kind == "space"


def _truth(parts: list[Token], text: str) -> Check:
    expected = "true"
    while parts and parts[0].text == "!":
        parts, expected = trimmed(parts[1:]), FALSE_NEGATED[expected]
    name, arguments = _single_call(parts)
    if name == "strcmp" and len(arguments) == 2 and expected == "false":
        return _equality(arguments[0], arguments[1], text)
    _require_call(parts, text)
    return Check(joined(parts), "==", expected, None, truth=True, text=text)


def _comparison(left: list[Token], sign: str, right: list[Token], text: str) -> Check:
    if not called_names(left):
        left, sign, right = right, MIRRORED[sign], left
    _require_call(left, text)
    name, arguments = _single_call(left)
    if name == "strcmp" and len(arguments) == 2 and sign == "==" and joined(right) == "0":
        return _equality(arguments[0], arguments[1], text)
    if name in ABSOLUTE and len(arguments) == 1 and sign in {"<", "<="}:
        sides = _difference(arguments[0])
        if sides is not None:
            return _equality(*sides, text)._replace(sign=sign, tolerance=joined(right))
    return Check(joined(left), sign, joined(right), None, truth=False, text=text)


def _equality(left: list[Token], right: list[Token], text: str) -> Check:
    if not called_names(left):
        left, right = right, left
    _require_call(left, text)
    return Check(joined(left), "==", joined(right), None, truth=False, text=text)


def _single_call(parts: list[Token]) -> tuple[str, list[list[Token]]]:
    """Return the name and the arguments when the whole is one call, possibly of a name in `std`; else empty ones."""
    call = solid(parts)
    if [token.text for token in call[:2]] == ["std", "::"]:
        call = call[2:]
    if len(call) < 3 or call[0].kind != "name" or call[1].text != "(" or closing(call, 1) != len(call) - 1:
        return "", []
    return call[0].text, [trimmed(argument) for argument in split(call[2:-1], ",")]


def _difference(parts: list[Token]) -> tuple[list[Token], list[Token]] | None:
    """Split `a - b` at its last minus sign."""
    inner = list(top_level(parts))
    for (_, before), (position, token) in reversed(list(pairwise(inner))):
        if token.text == "-" and (before.kind != "sign" or before.text in "()[]"):
            return trimmed(parts[:position]), trimmed(parts[position + 1 :])
    return None


def _require_call(parts: list[Token], text: str) -> None:
    if not called_names(parts):
        raise UnsupportedTests(f"`{text}` calls nothing of the program")
