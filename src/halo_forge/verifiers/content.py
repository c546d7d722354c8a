"""Whether a program has enough in it to be an answer: names it must use, and a least amount of code.

A program that compiles earns a reward even if it ignores the prompt, so where nothing is run, what can be told from
its text alone is checked: comments, strings, include, import and using lines and a `main` that does nothing count for
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from halo_forge.core.types import Reference
from halo_forge.verifiers.source_tokens import source_tokens

CodeLanguage = Literal["c", "c++", "rust", "go", "python"]

MIN_TOKENS = 10
C_BROUGHT_IN = re.compile(
    r"^[ \t]*\#[ \t]*include\b[^\n]*|\busing\s+namespace\s+[\w:\s]+;|\busing\s+[\w:]+\s*;", re.MULTILINE
)
BROUGHT_IN: dict[CodeLanguage, re.Pattern[str]] = {
    "c": C_BROUGHT_IN,
    "c++": C_BROUGHT_IN,
    "rust": re.compile(r"\b(?:use|extern\s+crate)\s[^;]*;"),
    "go": re.compile(r"^\s*package\s+\w+|\bimport[ \t]*(?:\([^)]*\)|[^\n]*)", re.MULTILINE),
    "python": re.compile(r"^[ \t]*(?:import\s|from\s+[\w.]+\s+import\s*(?:\([^)]*\))?)[^\n]*", re.MULTILINE),
}
C_IDLE_MAIN = re.compile(
    r"\b(?:int|void|auto)\s+main\s*\([^()]*\)\s*(?:-\s*>\s*int\s*)?\{\s*(?:return\s+\w+\s*;\s*)?\}"
)
IDLE_MAIN: dict[CodeLanguage, re.Pattern[str]] = {
    "c": C_IDLE_MAIN,
    "c++": C_IDLE_MAIN,
    "rust": re.compile(r"\bfn\s+main\s*\(\s*\)\s*(?:-\s*>\s*\(\s*\)\s*)?\{\s*\}"),
    "go": re.compile(r"\bfunc\s+main\s*\(\s*\)\s*\{\s*\}"),
    "python": re.compile(r"^\s*pass\s*$", re.MULTILINE),
}
C_NOISE = re.compile(
    r"""(?P<kept>\.?\d(?:[eEpP][+-]|'(?=\w)|[\w.])*)
    | \b(?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\(.*?(?:\)(?P=tag)"|\Z)
    | //[^\n]* | /\*.*?(?:\*/|\Z) | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+'""",
    re.VERBOSE | re.DOTALL,
)
PYTHON_NOISE = re.compile(
    r"""(?P<string>(?i:\b[rbuf]{1,2})?(?:\"{3}.*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |\#[^\n]*""",
    re.VERBOSE | re.DOTALL,
)
TOKEN = re.compile(r"[^\W\d]\w*|\d[\w.]*|[^\s\w]")


def shortcoming(source: str, language: CodeLanguage, reference: Reference, min_tokens: int = MIN_TOKENS) -> str:
    """Say why a program cannot be an answer, whatever it compiles to; "" if nothing speaks against it.

    Args:
        source: the program.
        language: its language.
        reference: `required` names have to be used; if there are tests, they decide about the rest.
        min_tokens: tokens it needs at least when there are no tests; 0 asks for none.
    """
    found = code_tokens(source, language)
    missing = [name for name in reference.required if not _contains(found, TOKEN.findall(name))]
    if missing:
        return f"does not use {', '.join(missing)}, which the prompt requires"
    if reference.has_tests or not min_tokens:
        return ""
    count = len(TOKEN.findall(IDLE_MAIN[language].sub(" ", " ".join(found))))
    return f"trivial: {count} tokens of code, an answer needs at least {min_tokens}" if count < min_tokens else ""


def code_tokens(source: str, language: CodeLanguage) -> list[str]:
    """Return the words and signs of a program without comments, strings and what only brings names in."""
    return TOKEN.findall(BROUGHT_IN[language].sub(" ", _without_noise(source, language)))


def _without_noise(source: str, language: CodeLanguage) -> str:
    """Blank comments and literals; line ends stay."""
    if language == "python":
        return PYTHON_NOISE.sub(" ", source)
    if language == "c" or language == "c++":
        return C_NOISE.sub(lambda match: match["kept"] or " ", source.replace("\\\r\n", "").replace("\\\n", ""))
    parts = source_tokens(source, language)
    return "".join(
        part.text if part.kind not in ("space", "string", "char") or part.text.isspace() else " " for part in parts
    )


def _contains(found: Sequence[str], wanted: Sequence[str]) -> bool:
    """Tell whether tokens stand in a row among others."""
    length = len(wanted)
    return any(list(found[at : at + length]) == list(wanted) for at in range(len(found) - length + 1))
