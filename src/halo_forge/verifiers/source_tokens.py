"""Reading Rust and Go text just far enough to take test statements apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from halo_forge.verifiers.cpp_tokens import OPENING, Token, closing, top_level

Dialect = Literal["rust", "go"]

SIGNS = r"(?P<sign><<=|>>=|\.\.=|\.\.\.|:=|==|!=|<=|>=|&&|\|\||->|=>|::|<<|>>|\+\+|--|<-|.)"
NUMBER = r"(?P<number>\d(?:[eE][+-](?=\d)|\.(?![.\w])|\.(?=\d)|\w)*)"
PATTERNS: dict[Dialect, re.Pattern[str]] = {
    "rust": re.compile(
        rf"""
          (?P<space>\s+ | //[^\n]*)
        | (?P<comment>/\*)
        | (?P<string>[bc]?r(?P<hashes>\#{{0,16}})".*?(?:"(?P=hashes)|\Z) | [bc]?"(?:\\.|[^"\\])*(?:"|\Z))
        | (?P<char>b?'(?:\\(?:u\{{[^}}'\n]*\}}|x\w\w|.)|[^'\\\n])')
        | (?P<lifetime>'[^\W\d]\w*)
        | (?P<name>(?:r\#)?[^\W\d]\w*)
        | {NUMBER}
        | {SIGNS}
        """,
        re.VERBOSE | re.DOTALL,
    ),
    "go": re.compile(
        rf"""
          (?P<space>\s+ | //[^\n]* | /\*.*?(?:\*/|\Z))
        | (?P<string>`[^`]*(?:`|\Z) | "(?:\\.|[^"\\\n])*")
        | (?P<char>'(?:\\.[^'\n]*|[^'\\\n])')
        | (?P<name>[^\W\d]\w*)
        | {NUMBER}
        | {SIGNS}
        """,
        re.VERBOSE | re.DOTALL,
    ),
}
SIGNATURE_TOKENS = 300
NESTING = re.compile(r"/\*|\*/")


def source_tokens(text: str, dialect: Dialect) -> list[Token]:
    """Return the tokens of a text; joined, they give the text back. Comments are tokens of kind `space`."""
    found: list[Token] = []
    position = 0
    while match := PATTERNS[dialect].match(text, position):
        kind, position = match.lastgroup or "", match.end()
        if kind == "comment":
            end = _end_of_comment(text, match.start())
            found.append(Token("space", text[match.start() : end]))
            position = end
        else:
            found.append(Token("string" if kind == "hashes" else kind, match[0]))
    return found


def _end_of_comment(text: str, start: int) -> int:
    """Return where a Rust block comment ends; such comments nest."""
    depth = 0
    for mark in NESTING.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def solid(parts: Sequence[Token]) -> list[Token]:
    """Return the tokens without white space and comments."""
    return [token for token in parts if token.kind != "space"]


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


def bare(parts: Sequence[Token]) -> list[Token]:
    """Drop white space at both ends, and brackets around the whole that make no tuple."""
    kept = list(parts)
    while True:
        while kept and kept[0].kind == "space":
            kept = kept[1:]
        while kept and kept[-1].kind == "space":
            kept = kept[:-1]
        if not kept or kept[0].text != "(" or closing(kept, 0) != len(kept) - 1:
            return kept
        inside = [token.text for _, token in top_level(kept[1:-1])]
        if not inside or "," in inside:
            return kept
        kept = kept[1:-1]


def defines_body(parts: Sequence[Token], name: str) -> bool:
    """Tell whether a function of that name has a body; a signature that ends with `;` has none.

    Args:
        parts: the solid tokens of a program.
        name: the function.
    """
    for position in range(1, len(parts)):
        if parts[position].text == name and parts[position - 1].text == "fn":
            signature = outermost(parts[position : position + SIGNATURE_TOKENS])
            if next((token.text for _, token in signature if token.text in {"{", ";"}), ";") == "{":
                return True
    return False
