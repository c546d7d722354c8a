"""How far completions came: the plot and the section about it, for any named sets of rollouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from halo_forge.report.blocks import Figure, Section, Table
from halo_forge.report.style import (
    BLUE,
    EARLY,
    GREY,
    GROUND,
    LAST,
    LATE,
    MIDDLE,
    WIDE,
    Colour,
    canvas,
    evenly,
    key_above,
    name_rows,
    publish,
)
from halo_forge.report.wording import shorten, visible
from halo_forge.rollout.metrics import Metrics

STAGES: dict[str, tuple[str, Colour]] = {
    "parse": ("no program", EARLY),
    "compile": ("fails to compile", MIDDLE),
    "run": ("fails to run", LATE),
    "tests": ("fails tests", LAST),
    "passed": ("passes", BLUE),
    "unverifiable": ("unverifiable", GREY),
}
MOST_BARS = 40
LEAST_LABELLED = 0.07


def plot_stages(sets: Mapping[str, Mapping[str, int]], path: Path) -> Markup:
    """Draw how far completions came, a bar of shares for each named set.

    Args:
        sets: name -> key of `STAGES` -> completions.
    """
    names = [name for name, counts in sets.items() if sum(counts.values())]
    names = [names[i] for i in evenly(len(names), MOST_BARS)]
    present = [stage for stage in STAGES if any(sets[name].get(stage) for name in names)]
    with canvas(WIDE, 0.7 + 0.29 * len(names)) as figure:
        axes = figure.subplots()
        for row, name in enumerate(names):
            total, left = sum(sets[name].values()), 0.0
            for stage in present:
                share, colour = sets[name].get(stage, 0) / total, STAGES[stage][1]
                axes.barh(row, share, left=left, height=0.7, color=colour.light, edgecolor=GROUND.light)
                if share >= LEAST_LABELLED:
                    ink = colour.ink.light
                    axes.text(left + share / 2, row, f"{share:.0%}", ha="center", va="center", fontsize=8, color=ink)
                left += share
        name_rows(axes, [shorten(name) for name in names])
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        key_above(axes, [STAGES[stage] for stage in present])
        return publish(figure, path)


def stage_section(sets: Mapping[str, Metrics], plots: Path) -> Section:
    """Show counts by the stage each completion ended in, and what could not be verified by cause."""
    title = "How far completions came"
    if not any(metrics.completions for metrics in sets.values()):
        return Section(title, empty="No set of completions is whole yet.")
    counts = {visible(name): _counts(metrics) for name, metrics in sets.items()}
    rows = tuple((name, *(f"{by.get(stage, 0):,}" for stage in STAGES)) for name, by in counts.items())
    tables = [Table("Completions by where they ended", ("Set", *(label for label, _ in STAGES.values())), rows)]
    causes = tuple(
        (visible(name), f"{times:,}", visible(cause))
        for name, metrics in sets.items()
        for cause, times in sorted(metrics.unverifiable.items(), key=lambda item: -item[1])
    )
    if causes:
        tables.append(Table("Could not be verified", ("Set", "Completions", "Cause"), causes, numeric=False))
    alt = "; ".join(
        f"{name}: " + ", ".join(f"{STAGES[stage][0]} {by[stage]:,}" for stage in STAGES if by.get(stage))
        for name, by in counts.items()
    )
    figure = Figure(plot_stages(counts, plots / "stages.png"), alt, "Share of the completions, by where each ended.")
    text = () if causes else ("Every completion could be verified.",)
    return Section(title, text, (figure,), tuple(tables))


def _counts(metrics: Metrics) -> dict[str, int]:
    return dict(metrics.by_stage) | {"unverifiable": sum(metrics.unverifiable.values())}
