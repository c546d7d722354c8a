"""Curves over optimiser steps: the loss of a RAFT run across its cycles, loss and learning rate of an SFT run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from halo_forge.core.words import count
from halo_forge.report.blocks import Figure
from halo_forge.report.history import Step
from halo_forge.report.style import BLUE, MUTED, RULE, WIDE, canvas, publish
from halo_forge.report.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENOUGH_TO_SMOOTH = 60
ENOUGH_FOR_A_LINE = 20


def plot_loss(steps: Sequence[Step], path: Path, *, learning_rate: bool = False) -> Markup:
    """Draw the loss over all steps; cycles follow one another, and a step without a finite loss is a gap.

    Args:
        learning_rate: draw that as well, beside it.
    """
    x = running_steps(steps)
    with canvas(WIDE, 2.7) as figure:
        if learning_rate:
            axes, rate = figure.subplots(1, 2, width_ratios=(2, 1))
            _draw_rate(rate, x, [step.learning_rate for step in steps])
        else:
            axes = figure.subplots()
        _draw_loss(axes, x, steps)
        _mark_cycles(axes, x, steps)
        return publish(figure, path)


def running_steps(steps: Sequence[Step]) -> list[int]:
    """Return the number of each step counted over the whole run, where the readings count anew in each cycle."""
    numbers: list[int] = []
    before = 0
    for place, step in enumerate(steps):
        if place and step.cycle != steps[place - 1].cycle:
            before = numbers[-1]
        numbers.append(before + step.step)
    return numbers


def loss_figure(steps: Sequence[Step], path: Path, caption: str, *, learning_rate: bool = False) -> Figure:
    """Return the loss plot with what it shows in words; readings without a finite loss are counted in the caption."""
    losses = [step.loss for step in steps if step.loss is not None]
    alt = f"Loss over {count(running_steps(steps)[-1], 'step')}: "
    alt += f"first {number(losses[0], 3)}, last {number(losses[-1], 3)}." if losses else "never finite."
    if max(Counter(step.cycle for step in steps).values()) >= ENOUGH_TO_SMOOTH:
        caption += " The strong line is a rolling mean."
    if broken := len(steps) - len(losses):
        caption += f" {count(broken, 'reading')} had no finite loss and left a gap."
    return Figure(plot_loss(steps, path, learning_rate=learning_rate), alt, caption)


def rolling_mean(values: Sequence[float | None], window: int) -> list[float]:
    """Return for each place the mean of the finite values at most half a window away, NaN where there are none."""
    half, means = window // 2, []
    for place in range(len(values)):
        near = [v for v in values[max(0, place - half) : place + half + 1] if v is not None]
        means.append(sum(near) / len(near) if near else math.nan)
    return means


def _draw_loss(axes: Axes, x: Sequence[int], steps: Sequence[Step]) -> None:
    few = len(steps) < ENOUGH_FOR_A_LINE
    for _, members in groupby(zip(x, steps, strict=True), key=lambda member: member[1].cycle):
        places, readings = zip(*members, strict=True)
        losses = [step.loss for step in readings]
        y = [math.nan if loss is None else loss for loss in losses]
        many = len(losses) >= ENOUGH_TO_SMOOTH
        raw = {"linewidth": 0.8, "alpha": 0.45} if many else {"marker": "o" if few else "", "markersize": 4}
        axes.plot(places, y, color=BLUE.light, **raw)
        if many:
            axes.plot(places, rolling_mean(losses, len(losses) // 20), color=BLUE.light)
    axes.set_title("Loss a token")
    _step_axis(axes, x[-1])
    known = [step.loss for step in steps if step.loss is not None]
    if known:
        axes.set_ylim(0, max(known) * 1.12 or 1)


def _draw_rate(axes: Axes, x: Sequence[int], rates: Sequence[float | None]) -> None:
    peak = max((rate for rate in rates if rate), default=1.0)
    exponent = math.floor(math.log10(peak))
    y = [math.nan if rate is None else rate / 10.0**exponent for rate in rates]
    axes.plot(x, y, color=BLUE.light, marker="o" if len(y) < ENOUGH_FOR_A_LINE else "", markersize=4)
    axes.set_title("Learning rate" if exponent == 0 else f"Learning rate, in 1e{exponent}")
    axes.set_ylim(0, peak / 10.0**exponent * 1.12)
    _step_axis(axes, x[-1])


def _step_axis(axes: Axes, last: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("optimiser step")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.set_xlim(0, last * 1.02)


def _mark_cycles(axes: Axes, x: Sequence[int], steps: Sequence[Step]) -> None:
    starts = [i for i, step in enumerate(steps) if i == 0 or step.cycle != steps[i - 1].cycle]
    if len(starts) < 2:
        return
    every = -(-len(starts) // 10)
    for position, start in enumerate(starts):
        border = x[start - 1] + 0.5 if start else 0
        if start:
            axes.axvline(border, color=RULE.light, linewidth=1)
        if position % every == 0:
            axes.annotate(
                f"cycle {steps[start].cycle}",
                (border, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, -3),
                textcoords="offset points",
                va="top",
                fontsize=8,
                color=MUTED.light,
            )
