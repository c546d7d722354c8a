"""Reading Rust and Go text just far enough to take test statements apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from halo_forge.verifiers.tokens import Token, in_brackets, stripped, top_level

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


def bare(parts: Sequence[Token]) -> list[Token]:
    """Drop white space at both ends, and brackets around the whole that make no tuple."""
    kept = stripped(parts)
    while in_brackets(kept):
        inside = [token.text for _, token in top_level(kept[1:-1])]
        if not inside or "," in inside:
            return kept
        kept = stripped(kept[1:-1])
    return kept
