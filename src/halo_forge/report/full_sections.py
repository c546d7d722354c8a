"""The sections of a page on the course of a RAFT run."""

from __future__ import annotations

from pathlib import Path

from halo_forge.core.words import percent
from halo_forge.report.blocks import Body, Figure, Section, Table
from halo_forge.report.plots import plot_arms
from halo_forge.report.read import RunView
from halo_forge.report.wording import points, visible, with_interval
from halo_forge.runs.comparison import Comparison, FullSummary, PairedTest


def full_body(run: RunView, plots: Path) -> Body:
    """Build what is particular to a course, writing its plot on the way."""
    summary = run.summary if isinstance(run.summary, FullSummary) else None
    if summary is None:
        empty = "The course is given when every model of it is measured; each has a page of its own in its folder."
        return Body("No result yet.", (), (Section("pass@k", empty=empty),))
    found = summary.comparison
    return Body(_headline(summary), found.caveats, (_figures(found, plots), _differences(found)))


def _headline(summary: FullSummary) -> str:
    found = summary.comparison
    last, metric = summary.same.get("final", found.arms[-1].name), next(iter(found.arms[0].figures))
    figures = {arm.name: arm.figures[metric] for arm in found.arms}
    test = next(test for test in found.tests if test.arm == last and test.metric == metric)
    first = found.arms[0].name
    return (
        f"{metric} goes from {percent(figures[first].value)} ({first}) to {percent(figures[last].value)} "
        f"({last}, the final model): {points(test.difference)}."
    )


def _figures(found: Comparison, plots: Path) -> Section:
    arms = {visible(arm.name): dict(arm.figures) for arm in found.arms}
    metrics = tuple(found.arms[0].figures)
    rows = tuple((name, *(with_interval(figures[m]) for m in metrics)) for name, figures in arms.items())
    alt = "; ".join(f"{name}: " + ", ".join(f"{m} {with_interval(f[m])}" for m in metrics) for name, f in arms.items())
    figure = Figure(
        plot_arms(arms, plots / "course.png"), alt, f"Dots with 95% intervals over the same {found.prompts:,} prompts."
    )
    return Section("pass@k", figures=(figure,), tables=(Table("pass@k with 95% intervals", ("Model", *metrics), rows),))


def _differences(found: Comparison) -> Section:
    text = (
        "Paired over prompts; p is the exact two-sided sign test on gained against lost prompts, with Holm’s "
        "correction for the number of models.",
    )
    columns = ("Model", "Metric", "Difference", "Gained", "Lost", "p")
    rows = tuple(_row(test) for test in found.tests)
    return Section(f"Against {found.arms[0].name}", text, tables=(Table("Paired differences", columns, rows),))


def _row(test: PairedTest) -> tuple[str, ...]:
    gained, lost = len(test.gained), len(test.lost)
    return visible(test.arm), test.metric, points(test.difference), f"{gained:,}", f"{lost:,}", f"{test.p_holm:.4f}"
