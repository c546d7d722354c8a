"""The plots of a report; each writes a PNG and returns the same drawing for the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from halo_forge.core.words import duration, percent
from halo_forge.report.style import (
    BLUE,
    GREEN,
    GREY,
    GROUND,
    HALF,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    WIDE,
    Colour,
    as_percent,
    canvas,
    evenly,
    key_above,
    label_ends,
    name_rows,
    publish,
)
from halo_forge.report.wording import shorten
from halo_forge.rollout.metrics import Estimate, Metrics
from halo_forge.runs.summary import CycleSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES = {"generate": BLUE, "verify": PURPLE, "collect": BLUE, "train": ORANGE, "evaluate": GREEN}
TOTAL = "all"
MOST_PANELS = 15
MOST_ROWS = 40


def plot_rates(cycles: Sequence[CycleSummary], path: Path, published: int | None = None) -> Markup:
    """Draw compile rate and pass@1 a cycle with 95% intervals, on held-out and on training prompts.

    Args:
        published: the cycle whose model the run gives out, which is ringed.
    """
    held = [(c.cycle, c.holdout) for c in cycles if c.holdout]
    drawn = [(c.cycle, c.rollouts) for c in cycles if c.rollouts]
    panels = [
        (series, title)
        for series, title in (
            (held, "Held-out prompts, after each cycle"),
            (drawn, "Training prompts, as drawn in each cycle"),
        )
        if series
    ]
    top = _top([e for series, _ in panels for _, m in series for e in (m.compile_rate, _pass_at_1(m))])
    with canvas(WIDE if len(panels) > 1 else WIDE * 0.6, 3.1) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axes, (series, title) in zip(grid, panels, strict=True):
            ends = []
            for name, colour, shift, points in (
                ("compiles", ORANGE, 0.06, [(n, m.compile_rate) for n, m in series]),
                ("pass@1", BLUE, -0.06, [(n, _pass_at_1(m)) for n, m in series]),
            ):
                last = _draw_line(axes, points, colour, shift)
                ends += [(*last, name, colour)] if last else []
            label_ends(axes, ends, top * 0.075)
            ringed = published if series is held else None
            if ringed is not None:
                _ring(axes, ringed, dict(held))
            axes.set_title(title)
            axes.set_xlabel("cycle (0 = start model)" if series is held else "cycle")
            shown = sorted(
                {series[i][0] for i in evenly(len(series), 11)} | ({ringed} if ringed is not None else set())
            )
            axes.set_xticks(shown, [f"{n}\npublished" if n == ringed else str(n) for n in shown])
            axes.set_xlim(series[0][0] - 0.35, max(series[-1][0], series[0][0] + 1) + 0.35)
            as_percent(axes, top=top)
        return publish(figure, path)


def plot_rewards(cycles: Sequence[CycleSummary], path: Path) -> Markup:
    """Draw the distribution of rewards of each cycle's completions as small multiples."""
    measured = [(c.cycle, c.rollouts) for c in cycles if c.rollouts and sum(c.rollouts.rewards)]
    shown = [measured[i] for i in evenly(len(measured), MOST_PANELS)]
    columns = min(5, max(3, len(shown)))
    rows = -(-len(shown) // columns)
    top = max(max(m.rewards) / sum(m.rewards) for _, m in shown)
    with canvas(WIDE, 0.5 + 1.55 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flatten()
        for axes, (number, metrics) in zip(grid, shown, strict=False):
            total = sum(metrics.rewards)
            axes.bar(
                [0.05 + i / 10 for i in range(10)], [r / total for r in metrics.rewards], width=0.086, color=BLUE.light
            )
            axes.set_title(f"Cycle {number}")
            axes.set_xlabel("reward")
            axes.set_xlim(0, 1)
            axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
            axes.tick_params(labelbottom=True)
            as_percent(axes, top=top * 1.08)
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        return publish(figure, path)


def plot_kept(cycles: Sequence[CycleSummary], path: Path) -> Markup:
    """Draw how many completions each cycle kept."""
    trained = [c for c in cycles if c.rollouts]
    with canvas(HALF, 2.5) as figure:
        axes = figure.subplots()
        axes.bar([c.cycle for c in trained], [c.kept for c in trained], width=0.6, color=BLUE.light)
        most = max((c.kept for c in trained), default=0) or 1
        for i in evenly(len(trained), 8):
            cycle = trained[i]
            axes.text(cycle.cycle, cycle.kept + most * 0.03, f"{cycle.kept:,}", ha="center", va="bottom", fontsize=8.5)
        axes.set_title("Completions kept")
        axes.set_xlabel("cycle")
        axes.set_xticks([trained[i].cycle for i in evenly(len(trained), 8)])
        axes.set_xlim(trained[0].cycle - 0.6, max(trained[-1].cycle, trained[0].cycle + 2) + 0.6)
        axes.set_ylim(0, most * 1.16)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        return publish(figure, path)


def plot_diversity(cycles: Sequence[CycleSummary], path: Path) -> Markup:
    """Draw entropy a token and the share of different completions a prompt."""
    measured = [(c.cycle, c.rollouts) for c in cycles if c.rollouts]
    entropy = [(n, m.entropy.value) for n, m in measured if m.entropy.value is not None]
    distinct = [(n, m.distinct_fraction) for n, m in measured]
    with canvas(HALF, 2.5) as figure:
        panels = figure.subplots(1, 2 if entropy else 1, squeeze=False)[0]
        for axes, series, title in zip(
            panels[::-1], (distinct, entropy), ("Distinct texts", "Entropy, nats"), strict=False
        ):
            axes.plot(*zip(*series, strict=True), color=BLUE.light, marker="o", markersize=4)
            axes.set_title(title)
            axes.set_xlabel("cycle")
            axes.set_xticks([series[i][0] for i in evenly(len(series), 5)])
            axes.margins(x=0.15)
            axes.set_ylim(0, max(y for _, y in series) * 1.15 or 1)
        as_percent(panels[-1], top=1.05)
        return publish(figure, path)


def plot_time(cycles: Sequence[CycleSummary], path: Path) -> Markup:
    """Draw the seconds of each phase, a bar a cycle; generate and verify overlap, so `collect` stands for both."""
    timed = [(c.cycle, wall_phases(c.seconds)) for c in cycles if c.seconds]
    shown = [timed[i] for i in evenly(len(timed), MOST_ROWS)]
    phases = in_order(phase for _, seconds in shown for phase in seconds)
    colours = {phase: PHASES.get(phase, GREY) for phase in phases}
    longest = max(sum(seconds.values()) for _, seconds in shown) or 1.0
    with canvas(WIDE, 0.75 + 0.27 * len(shown)) as figure:
        axes = figure.subplots()
        for row, (_, seconds) in enumerate(shown):
            left = 0.0
            for phase, value in seconds.items():
                axes.barh(row, value, left=left, height=0.68, color=colours[phase].light, edgecolor=GROUND.light)
                left += value
            axes.text(left + longest * 0.012, row, duration(left), va="center", fontsize=8.5, color=INK.light)
        name_rows(axes, ["start model" if n == 0 else f"cycle {n}" for n, _ in shown])
        axes.set_xlim(0, longest * 1.14)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        key_above(axes, list(colours.items()))
        return publish(figure, path)


def wall_phases(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the phases that follow one another.

    `generate` and `verify` are inside `collect` where there is one; what the phases leave of `all` is `other`.
    """
    inside = {TOTAL, *(("generate", "verify") if "collect" in seconds else ())}
    phases = {phase: seconds[phase] for phase in in_order(seconds) if phase not in inside}
    other = seconds.get(TOTAL, 0.0) - sum(phases.values())
    return phases | {"other": other} if other > 0.01 * seconds.get(TOTAL, 0.0) else phases


def in_order(phases: Iterable[str]) -> list[str]:
    """Return phases as they follow in a cycle, then unknown ones, the total last."""
    known = [*PHASES, None, TOTAL]
    return sorted(dict.fromkeys(phases), key=lambda phase: known.index(phase if phase in known else None))


def plot_arms(arms: Mapping[str, Mapping[str, Estimate]], path: Path) -> Markup:
    """Compare named arms: a panel a measure, a dot an arm with its 95% interval; the first arm's dot is filled.

    Args:
        arms: arm -> measure -> estimate, as shares of 1; an arm may lack a measure.
    """
    names = list(arms)[:MOST_ROWS]
    measures = list(dict.fromkeys(m for name in names for m in arms[name]))
    top = _top([e for name in names for e in arms[name].values()], room=1.22)
    with canvas(WIDE, 0.85 + 0.34 * len(names)) as figure:
        grid = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
        for axes, measure in zip(grid, measures, strict=True):
            for row, name in enumerate(names):
                _draw_dot(axes, row, arms[name].get(measure), filled=row == 0, shift=top * 0.02)
            axes.set_title(shorten(measure))
            axes.grid(axis="x")
            name_rows(axes, [shorten(name) for name in names])
            as_percent(axes, "x", top, ticks=5 if len(measures) < 3 else 2)
        return publish(figure, path)


def _draw_dot(axes: Axes, row: int, found: Estimate | None, *, filled: bool, shift: float) -> None:
    if found is None or found.value is None:
        axes.text(shift * 2, row, "not measured", va="center", fontsize=8, color=MUTED.light)
        return
    low, high = found.ci95 or (found.value, found.value)
    fill = BLUE.light if filled else GROUND.light
    axes.plot([low, high], [row, row], color=BLUE.light, linewidth=2.2, clip_on=False)
    axes.plot([found.value], [row], marker="o", ms=7, color=BLUE.light, markerfacecolor=fill, clip_on=False)
    end = max(high, found.value + shift)
    axes.text(end + shift, row, percent(found.value), va="center", fontsize=8, color=INK.light)


def _draw_line(
    axes: Axes, points: Sequence[tuple[int, Estimate]], colour: Colour, shift: float
) -> tuple[float, float] | None:
    known = [(n + shift, e.value, e.ci95) for n, e in points if e.value is not None]
    for x, _, bounds in known:
        if bounds is not None:
            axes.plot([x, x], bounds, color=colour.light, linewidth=2.6, alpha=0.32)
    if not known:
        return None
    xs, ys = [x for x, _, _ in known], [y for _, y, _ in known]
    axes.plot(xs, ys, color=colour.light, marker="o", markersize=4.5, clip_on=False, zorder=3)
    return known[-1][:2]


def _ring(axes: Axes, published: int, held: Mapping[int, Metrics]) -> None:
    value = _pass_at_1(held[published]).value if published in held else None
    if value is not None:
        at = [published - 0.06], [value]
        axes.plot(*at, marker="o", markersize=11, color=INK.light, fillstyle="none", mew=1.3, clip_on=False, zorder=4)


def _pass_at_1(metrics: Metrics) -> Estimate:
    return metrics.pass_at.get("1", Estimate(value=None))


def _top(estimates: Sequence[Estimate], room: float = 1.1) -> float:
    highest = max((e.ci95[1] if e.ci95 else e.value or 0.0 for e in estimates), default=1.0)
    return max(0.1, min(highest * room, 1.04 if room < 1.2 else room))
