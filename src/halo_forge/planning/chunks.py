"""What the chunks of a finished run took, and the rates that follow from it.

The first chunk of a collection is drawn while nothing is judged, and the last one is judged while nothing is drawn:
these tell how fast each goes alone. The chunks between tell how much they hinder each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

MOST_SLOWDOWN = 4.0


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


def fit_slowdown(chunks: Sequence[Chunk], drawing: Drawing) -> float:
    """Say how many times as long drawing took while the chunk before was judged."""
    beyond = together = 0.0
    for judged, drawn in pairwise(chunks):
        if judged.collection != drawn.collection:
            continue
        alone = drawing.seconds(drawn)
        beyond += drawn.draw_s - alone
        # The two begin at the same time, and hinder each other until the shorter one ends.
        together += max(0.0, min(alone, judged.judge_s - max(0.0, drawn.draw_s - alone)))
    return min(MOST_SLOWDOWN, max(1.0, 1 + beyond / together)) if together > 0 else 1.0


def judging_alone(chunks: Sequence[Chunk], drawing: Drawing, slowdown: float) -> list[float]:
    """Return the share of each chunk's seconds of judging that it would have taken with nothing drawn beside it."""
    shares = []
    for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
        if chunk.last or following is None or chunk.judge_s <= 0:
            shares.append(1.0)
            continue
        drawn = drawing.seconds(following)
        alone = chunk.judge_s / slowdown
        if alone > drawn:
            alone = max(drawn, chunk.judge_s - (slowdown - 1) * drawn)
        shares.append(min(1.0, alone / chunk.judge_s))
    return shares


def fit_lookup(chunks: Sequence[Chunk], shares: Sequence[float], workers: int) -> float:
    """Return the seconds a completion that judging took besides the verdicts that had to be found."""
    beyond = sum((c.judge_s - c.judged_s / workers) * share for c, share in zip(chunks, shares, strict=True))
    return max(0.0, beyond) / sum(chunk.rows for chunk in chunks)
