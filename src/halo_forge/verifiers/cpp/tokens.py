"""Reading C and C++ text just far enough to take test statements apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

from halo_forge.verifiers.tokens import Token, in_brackets, solid, stripped

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


def tokens(source: str) -> list[Token]:
    """Return the tokens of a text; joined, they give the text back."""
    return [Token(match.lastgroup or "", match[0]) for match in TOKEN.finditer(source)]


def trimmed(parts: Sequence[Token]) -> list[Token]:
    """Drop white space at both ends, and brackets around the whole."""
    kept = stripped(parts)
    while in_brackets(kept):
        kept = stripped(kept[1:-1])
    return kept


def called_names(parts: Sequence[Token]) -> list[str]:
    """Return the plain names that are called, in order of appearance."""
    names = solid(parts)
    return [
        token.text
        for position, token in enumerate(names)
        if token.kind == "name"
        and CALL.match(" ".join(after.text for after in names[position + 1 :]))
        and (position == 0 or names[position - 1].text not in {".", "->", "::"})
    ]


def without_comments_and_strings(source: str) -> str:
    """Return the source with comments and the insides of literals blanked."""
    blank = {"space": " ", "string": '""', "char": "' '"}
    return "".join(
        token.text if token.text.isspace() else blank.get(token.kind, token.text) for token in tokens(source)
    )
