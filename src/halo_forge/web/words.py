"""Where two texts differ."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Literal, NamedTuple

LONGEST = 2_000


class Row(NamedTuple):
    """A pair of lines; "" where one side has none."""

    kind: Literal["same", "changed", "left", "right"]
    left: str
    right: str


def difference(left: str, right: str) -> list[Row]:
    """Lay two texts side by side, line by line; of very long ones the beginning."""
    before, after = left.split("\n")[:LONGEST], right.split("\n")[:LONGEST]
    rows: list[Row] = []
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            rows += [Row("same", line, line) for line in before[a:b]]
            continue
        for place in range(max(b - a, d - c)):
            one = before[a + place] if a + place < b else None
            two = after[c + place] if c + place < d else None
            if one is not None and two is not None:
                rows.append(Row("changed", one, two))
            elif one is not None:
                rows.append(Row("left", one, ""))
            else:
                rows.append(Row("right", "", two or ""))
    return rows
