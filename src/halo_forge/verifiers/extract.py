"""Taking the code out of a completion.

Rules, in order:

1. What stands before the last `</think>` is not part of the answer; a `<think>` that never ends leaves no answer.
2. Of the complete fenced blocks whose language fits, the longest counts, and of several longest the last: an example
   of use is shorter than the program it follows. Without such a block, one that names no language is taken, then one
   in another language, by the same rule.
3. Without a complete block, everything after the opening of an unclosed one, as in an answer cut at its token limit.
4. Without any fence, the whole answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^`\n]*$")
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"


class Extracted(NamedTuple):
    """The code of a completion.

    Args:
        code: its text, `""` when there is none.
        language: the fence's language in lower case, `""` when it names none.
    """

    code: str
    language: str


class Block(NamedTuple):
    """One fenced block."""

    code: str
    language: str
    complete: bool


def extract_code(text: str, languages: Collection[str]) -> Extracted:
    """Return the code of a completion.

    Args:
        text: the completion.
        languages: fence languages that fit, in lower case.
    """
    answer = without_thoughts(text)
    blocks = fenced_blocks(answer)
    if not blocks:
        return Extracted(answer if answer.strip() else "", "")

    def rank(numbered: tuple[int, Block]) -> tuple[bool, int, int, int]:
        number, block = numbered
        fit = 2 if block.language in languages else 1 if not block.language else 0
        return block.complete, fit, len(block.code), number

    _, best = max(enumerate(blocks), key=rank)
    return Extracted(best.code if best.code.strip() else "", best.language)


def fenced_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text; a fence ends at a line of at least as many of the same marks."""
    blocks: list[Block] = []
    opening: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        fence = FENCE.match(line.rstrip())
        if opening is None:
            if fence:
                opening, lines = fence, []
        elif fence and not fence["language"] and fence["mark"].startswith(opening["mark"]):
            blocks.append(_block(opening, lines, complete=True))
            opening = None
        else:
            lines.append(line.removeprefix(opening["indent"]))
    if opening is not None:
        blocks.append(_block(opening, lines, complete=False))
    return blocks


def _block(opening: re.Match[str], lines: list[str], *, complete: bool) -> Block:
    return Block("\n".join(lines), opening["language"].strip("{}.").lower(), complete)


def without_thoughts(text: str) -> str:
    """Return the answer alone, by rule 1; "" when the thoughts never end."""
    after = text.rpartition(THINK_CLOSE)[2]
    return "" if THINK_OPEN in after else after
