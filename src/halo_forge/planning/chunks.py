"""What the chunks of a finished run took, and the rates that follow from it.

The first chunk of a collection is drawn while nothing is judged, and the last one is judged while nothing is drawn:
these tell how fast each goes alone. The chunks between tell how much they hinder each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

MOST_SLOWDOWN = 4.0
ROUNDS = 20


class Chunk(NamedTuple):
    """A chunk that was drawn and judged.

    Args:
        collection: which it belongs to; chunks of one follow each other.
        number: 0, 1, …
        last: whether it is the collection's last.
        tokens: of all completions.
        longest: tokens of the longest.
        draw_s, judge_s: on the clock.
        judged_s: worker-seconds of the verdicts that had to be found.
    """

    collection: str
    number: int
    last: bool
    rows: int
    tokens: int
    longest: int
    draw_s: float
    judge_s: float
    judged_s: float


class Drawing(NamedTuple):
    """See `Rates`."""

    step_s: float
    token_s: float

    def seconds(self, chunk: Chunk) -> float:
        """Seconds in which a chunk is drawn while nothing is judged."""
        return self.step_s * chunk.longest + self.token_s * chunk.tokens


def fit_drawing(chunks: Sequence[Chunk]) -> Drawing:
    """Say what a step and a token take, from the chunks that were drawn alone; neither is below nothing.

    Least squares of the relative errors. The run's very first chunk, which warms everything up, counts only where there
    is no other.
    """
    alone = [chunk for chunk in chunks if chunk.number == 0 and chunk.draw_s > 0]
    alone = alone[1:] or alone
    work = np.array([(chunk.longest / chunk.draw_s, chunk.tokens / chunk.draw_s) for chunk in alone])
    ones = np.ones(len(alone))
    both = np.linalg.lstsq(work, ones, rcond=None)[0]
    if len(alone) > 1 and (both >= 0).all() and np.linalg.matrix_rank(work) == 2:
        return Drawing(float(both[0]), float(both[1]))
    single = [float(column @ ones / (column @ column)) for column in work.T]
    errors = [float(np.square(column * rate - 1).sum()) for column, rate in zip(work.T, single, strict=True)]
    return Drawing(single[0], 0.0) if errors[0] < errors[1] else Drawing(0.0, single[1])


def fit_slowdown(chunks: Sequence[Chunk], drawing: Drawing, workers: int) -> float:
    """Say how many times as long drawing took while the chunk before was judged."""
    pairs = [(judged, drawn) for judged, drawn in pairwise(chunks) if judged.collection == drawn.collection]
    beyond = sum(drawn.draw_s - drawing.seconds(drawn) for _, drawn in pairs)
    slowdown = 1.0
    for _ in range(ROUNDS):  # how long they were at it together depends on what judging lost meanwhile
        loses = judging_loses(slowdown, workers)
        # The two begin at the same time, and hinder each other until the shorter one ends.
        together = sum(min(drawing.seconds(drawn), _alone(judged, drawn, drawing, loses)) for judged, drawn in pairs)
        slowdown = min(MOST_SLOWDOWN, max(1.0, 1 + beyond / together)) if together > 0 else 1.0
    return slowdown


def judging_loses(slowdown: float, workers: int) -> float:
    """Return the seconds that judging loses for each second in which a chunk would be drawn beside it.

    Drawing takes a processor from the workers, of which each has one; where it slows down less, it takes less.
    """
    return min(slowdown - 1, 1 / workers)


def judging_alone(chunks: Sequence[Chunk], drawing: Drawing, loses: float) -> list[float]:
    """Return the share of each chunk's seconds of judging that it would have taken with nothing drawn beside it."""
    shares = []
    for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
        if chunk.last or following is None or chunk.judge_s <= 0:
            shares.append(1.0)
        else:
            shares.append(_alone(chunk, following, drawing, loses) / chunk.judge_s)
    return shares


def _alone(judged: Chunk, drawn: Chunk, drawing: Drawing, loses: float) -> float:
    """Seconds in which a chunk would have been judged had the other not been drawn meanwhile."""
    return max(judged.judge_s / (1 + loses), judged.judge_s - loses * drawing.seconds(drawn))


def fit_lookup(chunks: Sequence[Chunk], shares: Sequence[float], workers: int) -> float:
    """Return the seconds a completion that judging took besides the verdicts that had to be found."""
    beyond = sum((c.judge_s - c.judged_s / workers) * share for c, share in zip(chunks, shares, strict=True))
    return max(0.0, beyond) / sum(chunk.rows for chunk in chunks)


def fit_store(chunks: Sequence[Chunk], walls: Mapping[str, float]) -> float:
    """Return the seconds a completion that collections took besides drawing and judging, such as for their files.

    Args:
        walls: collection -> its seconds on the clock.
    """
    beyond, rows = 0.0, 0
    for name, members in groupby(chunks, key=lambda chunk: chunk.collection):
        drawn = list(members)
        busy = drawn[0].draw_s + drawn[-1].judge_s
        busy += sum(max(before.judge_s, after.draw_s) for before, after in pairwise(drawn))
        if name in walls and drawn[-1].last and len(drawn) == drawn[-1].number + 1:
            beyond += walls[name] - busy
            rows += sum(chunk.rows for chunk in drawn)
    return max(0.0, beyond) / rows if rows else 0.0
