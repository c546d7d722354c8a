"""Tokens of any language: text taken apart just far enough to read test statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

OPENING = {"(": ")", "[": "]", "{": "}"}


class Token(NamedTuple):
    """A token; white space and comments are tokens of kind `space`."""

    kind: str
    text: str


def joined(parts: Sequence[Token]) -> str:
    """Return the text of some tokens."""
    return "".join(part.text for part in parts).strip()


def solid(parts: Sequence[Token]) -> list[Token]:
    """Return the tokens without white space and comments."""
    return [token for token in parts if token.kind != "space"]


def top_level(parts: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """Yield the tokens outside of brackets, with their positions; a bracketed group yields its opening."""
    depth = 0
    for position, token in enumerate(parts):
        if token.kind == "sign" and token.text in OPENING.values():
            depth -= 1
        elif depth == 0 and token.kind != "space":
            yield position, token
        if token.kind == "sign" and token.text in OPENING:
            depth += 1


def outermost(parts: Sequence[Token]) -> list[tuple[int, Token]]:
    """Return the solid tokens outside of brackets, with their positions; brackets need not match."""
    depth = 0
    found = []
    for position, token in enumerate(parts):
        if token.kind == "sign" and token.text in OPENING.values():
            depth = max(depth - 1, 0)
        elif depth == 0 and token.kind != "space":
            found.append((position, token))
        if token.kind == "sign" and token.text in OPENING:
            depth += 1
    return found


def closing(parts: Sequence[Token], start: int) -> int:
    """Return the position of the bracket that closes the one at `start`.

    Raises:
        ValueError: nothing closes it.
    """
    depth = 0
    for position in range(start, len(parts)):
        token = parts[position]
        if token.kind == "sign":
            depth += (token.text in OPENING) - (token.text in OPENING.values())
            if depth == 0:
                return position
    raise ValueError("a bracket is never closed")


def balanced(parts: list[Token]) -> list[Token]:
    """Return the tokens as they are.

    Raises:
        ValueError: their brackets do not match.
    """
    wanted: list[str] = []
    for token in parts:
        if token.kind == "sign" and token.text in OPENING:
            wanted.append(OPENING[token.text])
        elif token.kind == "sign" and token.text in OPENING.values() and (not wanted or wanted.pop() != token.text):
            raise ValueError("a bracket is never opened")
    if wanted:
        raise ValueError("a bracket is never closed")
    return parts


def split(parts: Sequence[Token], sign: str) -> list[list[Token]]:
    """Split at a sign outside of brackets."""
    pieces: list[list[Token]] = []
    start = 0
    for position in [position for position, token in top_level(parts) if token == Token("sign", sign)]:
        pieces.append(list(parts[start:position]))
        start = position + 1
    return [*pieces, list(parts[start:])]


def stripped(parts: Sequence[Token]) -> list[Token]:
    """Drop white space and comments at both ends."""
    start, end = 0, len(parts)
    while start < end and parts[start].kind == "space":
        start += 1
    while end > start and parts[end - 1].kind == "space":
        end -= 1
    return list(parts[start:end])


def in_brackets(parts: Sequence[Token]) -> bool:
    """Tell whether one pair of round brackets holds all of the tokens."""
    return bool(parts) and parts[0].text == "(" and closing(parts, 0) == len(parts) - 1
