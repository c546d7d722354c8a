r"""The box of an answer: `\boxed{…}` or `\fbox{…}`, once, at the end.

A model that is rewarded for its box learns to hedge: a box for every number it has seen, a box and a second thought, a
box in a box. So there must be exactly one, and nothing may follow but the end of the formula and of the sentence.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from halo_forge.verifiers.extract import without_thoughts

ANSWER_CHARS = 300
DEEPEST = 12
BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])")
BEHIND = re.compile(r"[\s.$*]*(?:\\\]|\\\)|\$)?[\s.$*]*(?:\\end\{[a-z]+\*?\})?[\s.$*]*")
LONG_NUMBER = re.compile(r"\d{60,}")
SPACING = re.compile(r"\\[,;:! ]|\\q?quad\b|~|\s+")
NUMBER = re.compile(r"[-+]?\$?(?:\d+(?:,\d{3})*|\d*)(?:\.\d+)?\\?%?")
LEFT_OPEN = re.compile(r"(?<=[\d)}])(?:[-+*/]|\\(?:times|cdot|div|pm|mp)(?![a-zA-Z]))(?=[-\d({\\.])")


class Boxed(NamedTuple):
    """What was found.

    Args:
        answer: the content of the one box; None when there is nothing to compare.
        why_not: for a person, when there is nothing.
    """

    answer: str | None
    why_not: str = ""


def boxed_answer(text: str) -> Boxed:
    """Return the content of a completion's one box, or why it earns nothing; thoughts in `<think>` do not count."""
    answer = without_thoughts(text)
    boxes = list(BOX.finditer(answer))
    if not boxes:
        return Boxed(None, "no box" if answer.strip() else "no answer")
    if len(boxes) > 1:
        return Boxed(None, f"{len(boxes)} boxes, where one answer is asked for")
    content, end = _braced(answer, boxes[0].end())
    if content is None:
        return Boxed(None, "the box is not closed")
    if not BEHIND.fullmatch(answer, end):
        return Boxed(None, "text after the box")
    return Boxed(None, reason) if (reason := _why_no_answer(content)) else Boxed(content.strip())


def leaves_arithmetic(answer: str) -> bool:
    """Whether plain numbers are left to be added, taken away, multiplied or divided; a lone fraction is not that."""
    plain = SPACING.sub("", answer).replace("\\left", "").replace("\\right", "").strip("$")
    if re.search(r"[a-zA-Z]", re.sub(r"\\(?:times|cdot|div|d?frac|t?frac)(?![a-zA-Z])", "", plain)):
        return False
    found = LEFT_OPEN.findall(plain)
    return bool(found) and not (found == ["/"] and re.fullmatch(r"[-+]?\d+/\d+", plain))


def is_plain_number(reference: str) -> bool:
    """Whether a reference is one number in digits, whatever its currency, commas and percent sign."""
    plain = SPACING.sub("", reference).replace("\\$", "").strip("$")
    return bool(plain.strip("-+$%\\")) and NUMBER.fullmatch(plain) is not None


def _braced(text: str, start: int) -> tuple[str | None, int]:
    r"""Return what stands in the braces that begin at `start`, and where they end; `\boxed 7` takes one word."""
    while start < len(text) and text[start].isspace():
        start += 1
    if start >= len(text) or text[start] != "{":
        bare = re.compile(r"\w+").match(text, start)
        return (bare[0], bare.end()) if bare else (None, start)
    depth, place = 0, start
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[start + 1 : place], place + 1
        place += 1
    return None, start


def _why_no_answer(content: str) -> str:
    bare = SPACING.sub("", content).strip("${}.")
    if not bare:
        return "the box is empty"
    if len(content) > ANSWER_CHARS:
        return f"the box holds {len(content)} characters, more than the {ANSWER_CHARS} of an answer"
    strange = next((c for c in content if not c.isascii() and unicodedata.category(c) in ("Nd", "Nl", "No")), None)
    if strange is not None:
        return f"the box holds {strange!a}, which is no digit of 0 to 9"
    if _depth(content) > DEEPEST or LONG_NUMBER.search(content):
        return "the box holds no answer but an expression without measure"
    return ""


def _depth(content: str) -> int:
    depth = deepest = 0
    for letter in content:
        depth += (letter in "{([") - (letter in "})]")
        deepest = max(deepest, depth)
    return deepest
