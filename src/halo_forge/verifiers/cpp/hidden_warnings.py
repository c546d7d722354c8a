"""Taking out of a program what hides its warnings, so that compiling the rest shows them.

What hides warnings: pragmas (`#pragma` and `_Pragma`) that change diagnostics or declare a system header, and line
directives, which can claim that what follows comes from a system header. They are found as the compiler finds them:
in lines that have been joined, with comments between their tokens, by any spelling of `#`. They mean nothing else to
the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from halo_forge.verifiers.cpp.tokens import tokens
from halo_forge.verifiers.tokens import Token, closing, solid

SPLICE = re.compile(r"(?:\\|\?\?/)[ \t\f\v]*\r?\n")
HASHES = (("#",), ("%", ":"), ("?", "?", "="))
SUSPECT = re.compile(r"ragma|line|(?:#|%:|\?\?=)\s*(?:\d|/)|(?:#\s*#|%:\s*%:)")
HARMLESS = {"optimize", "target", "push_options", "pop_options", "ivdep", "unroll", "visibility"}
OPERATOR = "_Pragma"
PASTED = {OPERATOR[start:end] for start in range(7) for end in range(start + 3, 8)} - {OPERATOR} | {"_P"}


def without_hiding(program: str) -> str | None:
    """Return the program without what hides warnings.

    Returns:
        The very same text where nothing does; None where it cannot be told, because the operator's name is put
        together by a macro.
    """
    joined = SPLICE.sub("", program)
    if not SUSPECT.search(joined):
        return program
    parts = tokens(joined)
    names = {part.text for part in parts if part.kind == "name"}
    if names & PASTED and re.search(r"#\s*#|%:\s*%:", joined):
        return None
    kept = [part for line in _lines(parts) for part in ([] if _hides(line) else line)]
    if OPERATOR in names:
        kept = _without_operators(kept)
    return program if len(kept) == len(parts) else "".join(part.text for part in kept)


def _lines(parts: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield the tokens of each line, the line's end as a piece of its own; a comment does not end a line."""
    line: list[Token] = []
    for part in parts:
        if part.text.isspace() and "\n" in part.text:
            yield line
            yield [part]
            line = []
        else:
            line.append(part)
    yield line


def _hides(line: Sequence[Token]) -> bool:
    """Tell whether a line is a directive that can hide warnings."""
    words = solid(line)
    texts = [part.text for part in words]
    hash_length = next((len(sign) for sign in HASHES if tuple(texts[: len(sign)]) == sign), 0)
    if not hash_length or len(texts) <= hash_length:
        return False
    directive = texts[hash_length:]
    if directive[0] == "pragma":
        return directive[1:2] in (["GCC"], ["clang"]) and not (HARMLESS & set(directive[2:3]))
    return directive[0] == "line" or words[hash_length].kind == "number"


def _without_operators(parts: Sequence[Token]) -> list[Token]:
    """Drop each `_Pragma` with what stands in brackets behind it."""
    kept: list[Token] = []
    position = 0
    while position < len(parts):
        if parts[position].text == OPERATOR:
            position = _behind_brackets(parts, position + 1)
        else:
            kept.append(parts[position])
            position += 1
    return kept


def _behind_brackets(parts: Sequence[Token], start: int) -> int:
    """Return the position behind the brackets that open at a position, or that position where none do."""
    opening = next((at for at in range(start, len(parts)) if parts[at].kind != "space"), start)
    if opening >= len(parts) or parts[opening].text != "(":
        return start
    try:
        return closing(parts, opening) + 1
    except ValueError:
        return len(parts)
