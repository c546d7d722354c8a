"""The sections of a supervised run's page."""

from __future__ import annotations

from pathlib import Path

from halo_forge.core.words import count, percent
from halo_forge.report.blocks import Body, Section, Table
from halo_forge.report.curves import loss_figure
from halo_forge.report.history import Step
from halo_forge.report.read import RunView
from halo_forge.report.wording import number, visible
from halo_forge.runs.summary import SftSummary


def sft_body(run: RunView, plots: Path) -> Body:
    """Build what is particular to a supervised run, writing its plot on the way."""
    summary = run.summary if isinstance(run.summary, SftSummary) else None
    headline = _headline(run.history.steps, summary)
    caveat = "A loss on the rows trained on says nothing of other prompts; a benchmark does."
    return Body(headline, (caveat,), (_curves(run.history.steps, plots), _rows(summary), _dropped(summary)))


def _headline(steps: list[Step], summary: SftSummary | None) -> str:
    read = [(step.step, step.loss) for step in steps if step.loss is not None]
    if not read:
        if summary is None:
            return "No loss has been read yet, so there is no result."
        figures = summary.training
        return f"The mean loss over {count(figures.steps, 'step')} is {number(figures.mean_loss, 3)} a token."
    part = max(1, len(read) // 10)
    first, last = (sum(loss for _, loss in some) / part for some in (read[:part], read[-part:]))
    over = f"in {count(steps[-1].step, 'step')}" + (f" on {count(summary.rows, 'row')}" if summary else " so far")
    how = f"means of the first and last {part} readings" if part > 1 else f"at steps {read[0][0]} and {read[-1][0]}"
    return f"The loss a token went from {number(first, 3)} to {number(last, 3)} {over} ({how})."


def _curves(steps: list[Step], plots: Path) -> Section:
    title = "Loss and learning rate"
    if not steps:
        return Section(title, empty="No optimiser step has been taken yet.")
    caption = "Mean loss over the assistant’s tokens of each step’s rows."
    return Section(title, figures=(loss_figure(steps, plots / "loss.png", caption, learning_rate=True),))


def _rows(summary: SftSummary | None) -> Section:
    if summary is None:
        return Section("What was learnt", empty="The counts come with the end of the run.")
    figures = summary.training
    rows = (
        ("Rows trained on", f"{summary.rows:,}"),
        ("Rows dropped", f"{sum(summary.dropped.values()):,}"),
        ("Tokens that counted in the loss", f"{figures.learnt_tokens:,}"),
        ("Optimiser steps", f"{figures.steps:,}"),
        ("Mean loss", number(figures.mean_loss, 4)),
        ("Last loss", number(figures.last_loss, 4)),
        ("Peak learning rate", f"{figures.learning_rate:.3g}"),
        ("Change of the trained weights, by norm", percent(figures.weight_change)),
    )
    return Section("What was learnt", tables=(Table("Counts and figures", ("Measure", "Value"), rows),))


def _dropped(summary: SftSummary | None) -> Section:
    if summary is None:
        return Section("Dropped rows", empty="The counts come with the end of the run.")
    if not sum(summary.dropped.values()):
        return Section("Dropped rows", empty="No row was dropped.")
    rows = tuple(
        (visible(reason), f"{times:,}") for reason, times in sorted(summary.dropped.items(), key=lambda i: -i[1])
    )
    return Section("Dropped rows", tables=(Table("By reason", ("Reason", "Rows"), rows),))
