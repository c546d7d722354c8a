"""Which completions hold the same program: equal but for comments, white space and the prose around it.

The program is what a verifier would take out of the completion. Its language is the one its fence names, or the one it
shows; of a text that shows none, or several, only white space is levelled. Names count: a program whose variables are
called otherwise is another program.
"""

from __future__ import annotations

import io
import token
import tokenize
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b

from halo_forge.verifiers.cpp.tokens import tokens as cpp_tokens
from halo_forge.verifiers.extract import extract_code
from halo_forge.verifiers.languages import FENCES, shown_languages
from halo_forge.verifiers.source_tokens import source_tokens

DIGEST_BYTES = 16
# Where a statement of Python may begin.
_STARTS = frozenset({token.NEWLINE, token.INDENT, token.DEDENT, token.ENCODING})
_SILENT = frozenset({token.COMMENT, token.NL, token.ENCODING})
_LAYOUT = {token.NEWLINE: "\n", token.INDENT: "\t", token.DEDENT: "\b"}


def program_digest(text: str) -> str:
    """Return 32 hexadecimal digits that are equal for completions that hold the same program."""
    code, fence = extract_code(text, FENCES)
    language = FENCES.get(fence) or _shown(code)
    if language is None or not code:
        return text_digest(text)
    read = _TOKENS[language]
    try:
        return _digest(read.__name__, *read(code))
    except (tokenize.TokenError, SyntaxError):  # no Python: whatever it is, it is compared as text
        return text_digest(code)


def text_digest(text: str) -> str:
    """Return 32 hexadecimal digits that are equal for texts that differ in white space alone."""
    return _digest(" ".join(text.split()))


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


def _shown(code: str) -> str | None:
    found = shown_languages(code)
    return next(iter(found)) if len(found) == 1 else None


def _c_tokens(code: str) -> Iterator[str]:
    """Yield the tokens; the end of a preprocessor line counts, as what follows it is no part of it."""
    at_line_start, in_directive = True, False
    for kind, text in cpp_tokens(code):
        if kind == "space":
            ends_line = "\n" in text.replace("\\\n", "")
            if in_directive and ends_line:
                in_directive = False
                yield "\n"
            at_line_start = at_line_start or ends_line
        else:
            in_directive = in_directive or (at_line_start and text == "#")
            at_line_start = False
            yield text


def _rust_tokens(code: str) -> Iterator[str]:
    return (text for kind, text in source_tokens(code, "rust") if kind != "space")


def _go_tokens(code: str) -> Iterator[str]:
    return (text for kind, text in source_tokens(code, "go") if kind != "space")


def _python_tokens(code: str) -> Iterator[str]:
    """Yield the tokens, of layout only where blocks and statements end; strings that stand alone are comments."""
    previous = token.ENCODING
    alone: str | None = None
    for found in tokenize.generate_tokens(io.StringIO(code).readline):
        if found.type in _SILENT:
            continue
        if alone is not None:
            if found.type == token.NEWLINE:
                alone, previous = None, token.NEWLINE
                continue
            yield alone
            alone = None
        if found.type == token.STRING and previous in _STARTS:
            alone = found.string
        else:
            yield _LAYOUT.get(found.type, found.string)
        previous = found.type


_TOKENS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "c": _c_tokens,
    "c++": _c_tokens,
    "python": _python_tokens,
    "rust": _rust_tokens,
    "go": _go_tokens,
}
