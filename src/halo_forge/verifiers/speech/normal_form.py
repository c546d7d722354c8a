"""The standard form of a text in which transcripts are compared."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST_CHARS = 8_000
FILLERS = re.compile(r"\b(?:hmm|mm|mhm|mmm|uh|um)\b")
BRACKETED = re.compile(r"[<\[][^>\]]*[>\]]|\([^)]+\)")
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@lru_cache(maxsize=4096)
def normal_form(text: str) -> str:
    """Return a text as Whisper's English normaliser writes it; what lies behind 8,000 characters is not read.

    The normaliser computes with numbers and fails on some that nobody could say (a fraction of nought, 5,000 digits);
    such a text is only freed of case, accents and symbols.
    """
    text = text[:LONGEST_CHARS]
    try:
        found: str = _normaliser()(text)
    except (ValueError, ArithmeticError, LookupError, TypeError, AssertionError):
        plain = unicodedata.normalize("NFKD", text.lower())
        found = "".join(c if c.isalnum() else "" if unicodedata.category(c) == "Mn" else " " for c in plain)
    return " ".join(found.split())


def dropped_words(text: str) -> int:
    """Count the words that the normaliser takes out: those in brackets, and `uh` and its kin."""
    lowered = text[:LONGEST_CHARS].lower()
    bracketed = sum(len(WORD.findall(part)) for part in BRACKETED.findall(lowered))
    return bracketed + len(FILLERS.findall(BRACKETED.sub("", lowered)))


@lru_cache(maxsize=1)
def _normaliser():  # type: ignore[no-untyped-def]  # the package is not typed
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
