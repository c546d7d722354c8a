"""Which languages rows are in: of programs by the names on their fences, of prose by its script.

This is a count for the eye, not a judgement: no detector is loaded, and a script is not a language.
"""

from __future__ import annotations

import re
from collections import Counter

FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*([A-Za-z0-9+#._-]*)[^\n`]*$", re.MULTILINE)
SAME = {
    "py": "python",
    "python3": "python",
    "c++": "cpp",
    "cc": "cpp",
    "rs": "rust",
    "golang": "go",
    "js": "javascript",
}
SAME |= {"ts": "typescript", "sh": "bash", "shell": "bash", "cs": "csharp", "c#": "csharp"}
SCRIPTS = (
    ("Latin", re.compile(r"[A-Za-z\u00c0-\u024f]")),
    ("Han", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("Kana", re.compile(r"[\u3040-\u30ff]")),
    ("Hangul", re.compile(r"[\uac00-\ud7af]")),
    ("Cyrillic", re.compile(r"[\u0400-\u052f]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]")),
    ("Arabic", re.compile(r"[\u0600-\u06ff]")),
    ("Hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("Devanagari", re.compile(r"[\u0900-\u097f]")),
    ("Thai", re.compile(r"[\u0e00-\u0e7f]")),
)
SEEN_OF_A_TEXT = 2000


def programming_languages(text: str) -> set[str]:
    """Return the languages that the fences of a text name; `unnamed` for a fence without a name."""
    opened = _fences(text)[::2]
    return {SAME.get(name.lower(), name.lower()) or "unnamed" for name in opened}


def _fences(text: str) -> list[str]:
    """Return what stands behind each fence, in order; only the lines that hold one are looked at."""
    starts = set()
    for mark in ("```", "~~~"):
        place = text.find(mark)
        while place >= 0:
            starts.add(text.rfind("\n", 0, place) + 1)
            end = text.find("\n", place)
            place = text.find(mark, end) if end >= 0 else -1
    return [found[1] for start in sorted(starts) if (found := FENCE.match(text, start))]


def script(text: str) -> str:
    """Return the script that most letters at the beginning of a text are of; `none` without letters."""
    start = text[:SEEN_OF_A_TEXT]
    if start.isascii():
        return "Latin" if SCRIPTS[0][1].search(start) else "none"
    counts = Counter({name: len(pattern.findall(start)) for name, pattern in SCRIPTS})
    name, count = counts.most_common(1)[0]
    if count:
        return name
    return "other" if any(map(str.isalpha, start)) else "none"
