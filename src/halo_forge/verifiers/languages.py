"""Which programming language a fence, a test, a prompt or a bare program is in, as far as it shows.

Every answer is a set: what a text may be in. A text that fits none or several is not decided here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable

from halo_forge.core.types import Prompt, Reference
from halo_forge.verifiers.extract import fenced_blocks

FENCES = {
    "c": "c", "h": "c", "cpp": "c++", "c++": "c++", "cc": "c++", "cxx": "c++", "hpp": "c++",
    "python": "python", "py": "python", "python3": "python", "py3": "python",
    "rust": "rust", "rs": "rust", "go": "go", "golang": "go",
}  # fmt: skip
C_FAMILY = frozenset({"c", "c++"})

# How a prompt names its language. Words that are also plain English need one beside them that shows what is meant.
NAMES = {
    "python": r"\bpython\b",
    "c++": r"\bc\+\+|\bcpp\b",
    "c": r"\b(?:in|using|plain|ansi) C\b(?![+#])|(?<![\w+#-])C(?:89|99|11|17|23)? (?:program|function|code|source)\b",
    "rust": r"\bRust\b",
    "go": r"\bgolang\b|\b(?:in|using) Go\b|\bGo (?:program|function|code|source)\b",
}
NAMED = {
    language: re.compile(pattern, 0 if language in ("c", "rust", "go") else re.IGNORECASE)
    for language, pattern in NAMES.items()
}

# What only this language writes; C++ also shows what C does, and is then the one that counts.
MARKS = {
    "python": r"^[ \t]*(?:async )?def \w+\(|^import \w+(?:[.,] ?\w+)*[ \t]*$|^from [\w.]+ import |"
    r"^class \w+.*:[ \t]*$",
    "c++": r"^[ \t]*#[ \t]*include[ \t]*<(?!\w+\.h>)[\w/.+]+>|\bstd::\w|"
    r"^[ \t]*using namespace |^[ \t]*template[ \t]*<|\bcout[ \t]*<<",
    "c": r"^[ \t]*#[ \t]*include[ \t]*[<\"][\w/]+\.h[>\"]|^(?:unsigned |static )*(?:int|void|char|long|double|float)"
    r"[ \t*]+\w+\([^;\n]*\)[ \t]*\{?",
    "rust": r"^[ \t]*(?:pub )?(?:async )?fn \w+|\blet mut \w|\bprintln!\(|^use (?:std|crate)::",
    "go": r"^package \w+[ \t]*$|^func (?:\(\w+ [^)\n]*\) )?\w+\(",
}
SHOWN = {language: re.compile(pattern, re.MULTILINE) for language, pattern in MARKS.items()}

RUST_ASSERT = re.compile(r"^\s*(?:debug_)?assert(?:_eq|_ne)?!\s*[(\[{]")
CALLED_ASSERT = re.compile(r"^\s*assert\s*\(.*\)\s*;?\s*$", re.DOTALL)


def shown_languages(code: str) -> frozenset[str]:
    """Return the languages that a program's text shows marks of; `std::` is C++'s where nothing else is Rust's."""
    found = {language for language, marks in SHOWN.items() if marks.search(code)}
    if "rust" in found:
        return frozenset(found - C_FAMILY)
    return frozenset(found - {"c"} if "c++" in found else found)


def named_languages(prompt: Prompt) -> frozenset[str]:
    """Return the languages that the prompt asks for, in words or by the fences it shows; system turns count too."""
    text = "\n".join(message.text for message in prompt.messages if message.role in ("system", "user"))
    words = {language for language, name in NAMED.items() if name.search(text)}
    fences = {FENCES[block.language] for block in fenced_blocks(text) if block.language in FENCES}
    return frozenset(words or fences)


def languages_of_tests(reference: Reference) -> frozenset[str] | None:
    """Return the languages that the tests of a row can be in; None when they are input and output, which fit any."""
    if reference.check is not None:
        return shown_languages(reference.check)
    if not reference.asserts:
        return None
    sets = [_assert_languages(text) for text in reference.asserts]
    return frozenset.intersection(*sets)


def supporting_languages(reference: Reference) -> frozenset[str]:
    """Return the languages that the sources beside a row's tests show: its set-up, stub and solution."""
    return shown_languages("\n".join(filter(None, (reference.setup, reference.stub, reference.solution))))


def likeliest_languages(asserts: Iterable[str], candidates: frozenset[str]) -> frozenset[str]:
    """Return the likeliest of the languages that asserts fit: those in C end in semicolons, those in Python do not."""
    likely = [frozenset({"python"}), C_FAMILY, frozenset({"go"})]
    if all(text.rstrip().endswith(";") for text in asserts):
        likely.insert(0, C_FAMILY)
    return next((candidates & family for family in likely if candidates & family), candidates)


def narrowed(candidates: Collection[str], *hints: frozenset[str]) -> frozenset[str]:
    """Return the candidates that each hint leaves; a hint that would leave none says nothing."""
    left = frozenset(candidates)
    for hint in hints:
        left = left & hint or left
    return left


def one_family(languages: Collection[str]) -> bool:
    """Tell whether one judge serves all of these."""
    return len(languages) == 1 or C_FAMILY >= set(languages) != set()


def _assert_languages(text: str) -> frozenset[str]:
    """Return the languages in which a text can be an assert; Go's may have any form but Rust's.

    The text is the user's own, so Python's parser may read it.
    """
    if RUST_ASSERT.match(text):
        return frozenset({"rust"})
    found = {"go"}
    if _asserts_in_python(text):
        found.add("python")
    if CALLED_ASSERT.match(text):
        found |= C_FAMILY
    return frozenset(found)


def _asserts_in_python(text: str) -> bool:
    try:
        tree = ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, (ast.Assert, ast.FunctionDef)) for node in ast.walk(tree))
