"""Reading C and C++ text just far enough to take test statements apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

TOKEN = re.compile(
    r"""
      (?P<space>\s+ | //[^\n]* | /\*.*?(?:\*/|\Z))
    | (?P<string>(?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\(.*?(?:\)(?P=tag)"|\Z) | (?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
    | (?P<char>(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
    | (?P<name>[A-Za-z_]\w*)
    | (?P<number>\.?\d(?:[eEpP][+-]|'(?=\w)|[\w.])*)
    | (?P<sign><=>|<<=|>>=|==|!=|<=|>=|&&|\|\||->|::|<<|>>|\+\+|--|.)
    """,
    re.VERBOSE | re.DOTALL,
)
CALL = re.compile(r"\(|<[\w\s:,<>*&]*> \(")
OPENING = {"(": ")", "[": "]", "{": "}"}


class Token(NamedTuple):
    """A token; white space and comments are tokens of kind `space`."""

    kind: str
    text: str


def tokens(source: str) -> list[Token]:
    """Return the tokens of a text; joined, they give the text back."""
    return [Token(match.lastgroup or "", match[0]) for match in TOKEN.finditer(source)]


def joined(parts: Sequence[Token]) -> str:
    """Return the text of some tokens."""
    return "".join(part.text for part in parts).strip()


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


def trimmed(parts: Sequence[Token]) -> list[Token]:
    """Drop white space at both ends, and brackets around the whole."""
    kept = list(parts)
    while True:
        while kept and kept[0].kind == "space":
            kept = kept[1:]
        while kept and kept[-1].kind == "space":
            kept = kept[:-1]
        if not kept or kept[0].text != "(" or closing(kept, 0) != len(kept) - 1:
            return kept
        kept = kept[1:-1]


def split(parts: Sequence[Token], sign: str) -> list[list[Token]]:
    """Split at a sign outside of brackets."""
    pieces: list[list[Token]] = []
    start = 0
    for position in [position for position, token in top_level(parts) if token == Token("sign", sign)]:
        pieces.append(list(parts[start:position]))
        start = position + 1
    return [*pieces, list(parts[start:])]


def called_names(parts: Sequence[Token]) -> list[str]:
    """Return the plain names that are called, in order of appearance."""
    solid = [token for token in parts if token.kind != "space"]
    return [
        token.text
        for position, token in enumerate(solid)
        if token.kind == "name"
        and CALL.match(" ".join(after.text for after in solid[position + 1 :]))
        and (position == 0 or solid[position - 1].text not in {".", "->", "::"})
    ]


def without_comments_and_strings(source: str) -> str:
    """Return the source with comments and the insides of literals blanked."""
    blank = {"space": " ", "string": '""', "char": "' '"}
    return "".join(
        token.text if token.text.isspace() else blank.get(token.kind, token.text) for token in tokens(source)
    )
