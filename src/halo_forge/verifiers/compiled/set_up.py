"""Expected values that a row's set-up holds: the set-up is compiled beside the program, which can read all of it."""

from __future__ import annotations

from collections.abc import Iterable

from halo_forge.verifiers.batch import UnsupportedTests
from halo_forge.verifiers.compiled.asserts import Check
from halo_forge.verifiers.source_tokens import Dialect, source_tokens
from halo_forge.verifiers.tokens import Token, closing

DECLARING = {"const", "let", "static", "var"}
SKIPPED = {"mut", "ref"}


def require_hidden(setup: str, checks: Iterable[Check], dialect: Dialect) -> None:
    """Refuse tests whose expected values are constants or variables of the set-up.

    A bound, such as the tolerance of a comparison, may stand there, and so may functions that build values.

    Raises:
        UnsupportedTests: one of them is.
    """
    held = declared_values(setup, dialect)
    for check in checks:
        exact = check.tolerance is not None or check.sign == "=="
        names = {token.text for token in source_tokens(check.expected, dialect) if token.kind == "name"}
        if exact and (told := sorted(names & held)):
            raise UnsupportedTests(
                f"the value that `{check.text.strip()}` expects is in the set-up, as {told[0]}, where the program can "
                "read it: write it into the test"
            )


def declared_values(setup: str, dialect: Dialect) -> frozenset[str]:
    """Return the names of constants and variables that a set-up declares."""
    parts = source_tokens(setup, dialect)
    names: set[str] = set()
    for position, token in enumerate(parts):
        if token.kind == "name" and token.text in DECLARING:
            names |= _declared(parts[position + 1 :])
    return frozenset(names)


def _declared(parts: list[Token]) -> set[str]:
    """Return the names that a declaration begins with: one, several with commas, or those of a group in brackets."""
    names: set[str] = set()
    expected = True
    for position, token in enumerate(parts):
        if token.kind == "space" or token.text in SKIPPED:
            continue
        if token.text == "(" and expected and not names:
            return _grouped(parts[position:])
        if token.text == ",":
            expected = True
        elif token.kind == "name" and expected:
            names.add(token.text)
            expected = False
        else:
            break
    return names


def _grouped(parts: list[Token]) -> set[str]:
    """Return the names at the beginning of the lines of a group, and those after its commas and its opening bracket."""
    names: set[str] = set()
    before = "("
    for token in parts[1 : _end(parts)]:
        if token.kind == "space":
            before = "\n" if "\n" in token.text else before
            continue
        if token.kind == "name" and before in ("(", ",", "\n", ";"):
            names.add(token.text)
        before = before if token.text in SKIPPED else token.text
    return names


def _end(parts: list[Token]) -> int:
    try:
        return closing(parts, 0)
    except ValueError:
        return len(parts)
