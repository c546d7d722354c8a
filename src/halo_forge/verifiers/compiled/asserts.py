"""Test statements taken apart: what the program computes, and what that is compared with.

Only the program's side is compiled with the program and printed; the comparison happens in the harness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from halo_forge.verifiers.batch import UnsupportedTests
from halo_forge.verifiers.source_tokens import bare
from halo_forge.verifiers.tokens import Token, joined, top_level
from halo_forge.verifiers.tokens import split as split_at

MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
TOLERANT = {"<", "<="}
COMBINING = {*MIRRORED, "&&", "||"}


class Check(NamedTuple):
    """One comparison.

    Args:
        expression: what the program computes.
        sign: `==`, `!=`, `<`, `<=`, `>` or `>=`.
        expected: the trusted other side.
        tolerance: expression of the largest difference allowed; None compares exactly.
        truth: whether the expression must be a boolean, compared with `true` or `false`.
        same_type: whether both sides must have the same type, as for Go's `reflect.DeepEqual`.
        text: the test statement it comes from.
    """

    expression: str
    sign: str
    expected: str
    tolerance: str | None
    truth: bool
    same_type: bool
    text: str


class Test(NamedTuple):
    """One test: statements in order; a text is run as it is, a check is computed and printed."""

    text: str
    steps: tuple[str | Check, ...]

    @property
    def checks(self) -> list[Check]:
        """Its comparisons."""
        return [step for step in self.steps if isinstance(step, Check)]


class Comparison(NamedTuple):
    """What a call that yields a boolean compares, and whether it wants one type on both sides."""

    left: list[Token]
    sign: str
    right: list[Token]
    same_type: bool = False


class Reader(NamedTuple):
    """What a language adds to reading conditions.

    Args:
        own: names that belong to the program; empty when no name is known.
        constants: names of values, which compute nothing.
        difference: returns `a - b` of a condition's side that is the absolute value of one, else None.
        comparison: returns what a call that compares two values amounts to, else None.
    """

    own: frozenset[str]
    constants: frozenset[str]
    difference: Callable[[list[Token]], list[Token] | None]
    comparison: Callable[[list[Token]], Comparison | None] = lambda _: None

    def checks(self, condition: Sequence[Token], text: str) -> list[Check]:
        """Take a condition apart that must hold.

        Raises:
            UnsupportedTests: it combines comparisons in a way that cannot be taken apart.
        """
        parts = bare(condition)
        if stated := _stated(parts):
            return self._must(*stated, text)
        conjuncts = split_at(parts, "&&")
        if len(conjuncts) > 1:
            return [check for conjunct in conjuncts for check in self.checks(conjunct, text)]
        return [self._check(parts, text)]

    def denied(self, condition: Sequence[Token], text: str) -> list[Check]:
        """Take a condition apart that must not hold.

        Raises:
            UnsupportedTests: as for `checks`.
        """
        parts = bare(condition)
        if stated := _stated(parts):
            inner, wanted = stated
            return self._must(inner, not wanted, text)
        disjuncts = split_at(parts, "||")
        if len(disjuncts) > 1:
            return [check for disjunct in disjuncts for check in self.denied(disjunct, text)]
        if len(split_at(parts, "&&")) > 1:
            raise UnsupportedTests(f"`{text}` combines conditions in a way that cannot be taken apart")
        check = self._check(parts, text)
        if check.truth:
            return [check._replace(expected="false" if check.expected == "true" else "true")]
        return [check._replace(sign=NEGATED[check.sign])]

    def equalities(self, left: list[Token], right: list[Token], text: str, *, sign: str = "==") -> list[Check]:
        """Take the comparison of two sides apart, of which one may be a condition and the other say what it is.

        Raises:
            UnsupportedTests: as for `checks` and `equal`.
        """
        if stated := _stated_by(left, sign, right):
            return self._must(*stated, text)
        return [self.equal(left, right, text, sign=sign)]

    def equal(self, left: list[Token], right: list[Token], text: str, *, sign: str = "==") -> Check:
        """Return the comparison of two sides, the program's on the left.

        Raises:
            UnsupportedTests: neither side computes anything.
        """
        if self._theirs(right) and not self._theirs(left):
            left, sign, right = right, MIRRORED[sign], left
        if not self._computes(left):
            raise UnsupportedTests(f"`{text}` calls nothing of the program")
        if sign in ("==", "!=") and joined(right) in ("true", "false") and (call := self.comparison(left)):
            holds = (joined(right) == "true") == (sign == "==")
            return self.equal(call.left, call.right, text, sign=call.sign if holds else NEGATED[call.sign])
        if sign in TOLERANT and (difference := self.difference(left)) and (sides := _sides(difference)):
            inner = self.equal(*sides, text)
            return inner._replace(sign=sign, tolerance=joined(right))
        return Check(joined(left), sign, joined(right), None, truth=False, same_type=False, text=text)

    def _must(self, condition: list[Token], wanted: bool, text: str) -> list[Check]:
        return self.checks(condition, text) if wanted else self.denied(condition, text)

    def _check(self, parts: list[Token], text: str) -> Check:
        outer = list(top_level(parts))
        if any(token.text == "||" for _, token in outer):
            raise UnsupportedTests(f"`{text}` combines conditions in a way that cannot be taken apart")
        found = [
            position
            for position, token in outer
            if token.text in MIRRORED and (token.text not in "<>" or _spaced(parts, position))
        ]
        if len(found) > 1:
            raise UnsupportedTests(f"`{text}` has several comparisons in one condition")
        if not found:
            return self._truth(parts, text)
        left, right = bare(parts[: found[0]]), bare(parts[found[0] + 1 :])
        return self.equal(left, right, text, sign=parts[found[0]].text)

    def _truth(self, parts: list[Token], text: str) -> Check:
        expected = True
        while parts and parts[0].text == "!":
            parts, expected = bare(parts[1:]), not expected
        if any(token.text in MIRRORED for _, token in top_level(parts)) or not self._computes(parts):
            raise UnsupportedTests(f"`{text}` is not a call of the program, nor a comparison with one")
        if call := self.comparison(parts):
            sign = call.sign if expected else NEGATED[call.sign]
            return self.equal(call.left, call.right, text, sign=sign)._replace(same_type=call.same_type)
        value = "true" if expected else "false"
        return Check(joined(parts), "==", value, None, truth=True, same_type=False, text=text)

    def _theirs(self, parts: Sequence[Token]) -> bool:
        """Tell whether a side names something of the program."""
        names = {token.text for token in parts if token.kind == "name"}
        return bool(names & self.own) if self.own else self._computes(parts)

    def _computes(self, parts: Sequence[Token]) -> bool:
        return any(token.kind == "name" and token.text not in self.constants for token in parts)


def _stated(parts: list[Token]) -> tuple[list[Token], bool] | None:
    """Return the condition, and whether it must hold, of one that says so, such as `(f(1) == 2) == true`."""
    found = [position for position, token in top_level(parts) if token.text in COMBINING]
    if len(found) != 1 or parts[found[0]].text not in ("==", "!="):
        return None
    return _stated_by(bare(parts[: found[0]]), parts[found[0]].text, bare(parts[found[0] + 1 :]))


def _stated_by(left: list[Token], sign: str, right: list[Token]) -> tuple[list[Token], bool] | None:
    for condition, said in ((left, joined(right)), (right, joined(left))):
        if said in ("true", "false") and sign in ("==", "!=") and _compares(condition):
            return condition, (said == "true") == (sign == "==")
    return None


def _compares(parts: list[Token]) -> bool:
    """Tell whether a side is a comparison itself, which must not be made beside the program."""
    return any(
        token.text in COMBINING and (token.text not in "<>" or _spaced(parts, position))
        for position, token in top_level(parts)
    )


def _sides(parts: list[Token]) -> tuple[list[Token], list[Token]] | None:
    """Split `a - b` at its last minus sign."""
    for (_, before), (position, token) in reversed(list(pairwise(top_level(parts)))):
        if token.text == "-" and (before.kind != "sign" or before.text in "()[]"):
            return bare(parts[:position]), bare(parts[position + 1 :])
    return None


def _spaced(parts: Sequence[Token], position: int) -> bool:
    """Tell whether a sign stands between spaces; one that does not may belong to a generic type."""
    around = parts[max(position - 1, 0) : position + 2]
    return len(around) == 3 and around[0].kind == around[2].kind == "space"
