"""Rates of made-up chunks, whose true rates are known."""

from __future__ import annotations

import pytest

from halo_forge.planning.chunks import (
    Chunk,
    fit_drawing,
    fit_lookup,
    fit_slowdown,
    fit_store,
    judging_alone,
    judging_loses,
)

STEP_S, TOKEN_S, VERDICT_S, SLOWDOWN, LOOKUP_S, WORKERS = 0.01, 0.0005, 0.08, 1.6, 0.001, 2


def collection(name: str, rows: list[int], fresh: list[int]) -> list[Chunk]:
    """Chunks of completions of 20 tokens, the longest of 40, as a machine of those rates would take."""
    draws = [40 * STEP_S + 20 * count * TOKEN_S for count in rows]
    judges = [count * LOOKUP_S + new * VERDICT_S / WORKERS for count, new in zip(rows, fresh, strict=True)]
    together = [min(draw, judge) for draw, judge in zip(draws[1:], judges[:-1], strict=True)]
    slower, loses = [(SLOWDOWN - 1) * each for each in together], [each / WORKERS for each in together]
    taken = zip(draws, [0.0, *slower], judges, [*loses, 0.0], strict=True)
    chunks = []
    for number, (draw, before, judge, beside) in enumerate(taken):
        share = (judge + beside) / judge  # a verdict takes as many times as long as the chunk's judging
        chunks.append(
            Chunk(
                name,
                number,
                number == len(rows) - 1,
                rows[number],
                20 * rows[number],
                40,
                draw + before,
                judge + beside,
                fresh[number] * VERDICT_S * share,
            )
        )
    return chunks


@pytest.mark.parametrize("fresh", [[60, 40, 20], [10, 10, 5], [2, 30, 3]])
def test_what_each_takes_alone_is_found(fresh: list[int]) -> None:
    chunks = [
        *collection("holdout_0", [30], [20]),
        *collection("cycle_1", [64, 64, 32], fresh),
        *collection("holdout_1", [30], [5]),
    ]
    drawing = fit_drawing(chunks)
    assert drawing == pytest.approx((STEP_S, TOKEN_S))
    slowdown = fit_slowdown(chunks, drawing, WORKERS)
    assert slowdown == pytest.approx(SLOWDOWN)
    loses = judging_loses(slowdown, WORKERS)
    assert loses == pytest.approx(1 / WORKERS)
    alone = judging_alone(chunks, drawing, loses)
    verdict_s = sum(c.judged_s * share for c, share in zip(chunks, alone, strict=True)) / (sum(fresh) + 25)
    assert verdict_s == pytest.approx(VERDICT_S)
    assert fit_lookup(chunks, alone, WORKERS) == pytest.approx(LOOKUP_S)
    first, second, third = (chunk for chunk in chunks if chunk.collection == "cycle_1")
    busy = first.draw_s + max(first.judge_s, second.draw_s) + max(second.judge_s, third.draw_s) + third.judge_s
    assert fit_store(chunks, {"cycle_1": busy + 160 * 0.002}) == pytest.approx(0.002)
    assert fit_store(chunks, {}) == 0.0


def test_without_two_sizes_one_rate_explains_the_chunks() -> None:
    alike = collection("holdout_0", [30], [0]) + collection("holdout_1", [30], [0])
    drawing = fit_drawing(alike)
    assert drawing.seconds(alike[0]) == pytest.approx(alike[0].draw_s)
    assert fit_slowdown(alike, drawing, WORKERS) == 1.0
