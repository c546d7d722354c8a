"""The sections of the demo's page: RAFT beside its controls, on the same prompts."""

from __future__ import annotations

from pathlib import Path

from halo_forge.core.words import count, duration, percent
from halo_forge.report.blocks import Body, Figure, Section, Table
from halo_forge.report.plots import plot_arms
from halo_forge.report.read import RunView
from halo_forge.report.wording import points, visible, with_interval
from halo_forge.runs.summary import DEMO_ARMS, DemoSummary, Figures

MEASURES = {
    "compile_rate": "compiles, sampled",
    "greedy_compile_rate": "compiles, greedy",
    "pass@1": "pass@1, sampled",
    "greedy_pass@1": "pass@1, greedy",
}

PLOTTED = ("compile_rate", "pass@1", "greedy_pass@1")


def demo_body(run: RunView, plots: Path) -> Body:
    """Build what is particular to the demo, writing its plot on the way."""
    summary = run.summary if isinstance(run.summary, DemoSummary) else None
    if summary is None:
        return Body("The demo has not finished, so there is no result.", (), ())
    arms = {DEMO_ARMS[arm]: summary.arm(arm) for arm in ("raft", "sft", "control", "unfiltered")}
    unseen = {DEMO_ARMS[arm]: figures for arm, figures in summary.unseen.items()}
    sections = (_compared(summary, arms, plots), _gains(summary), _unseen(unseen), _commands(summary))
    return Body(_headline(summary), _caveats(summary), sections)


def _headline(summary: DemoSummary) -> str:
    gain = summary.differences["greedy_pass@1: raft - control"]
    before, after = summary.sft["greedy_pass@1"], summary.raft["greedy_pass@1"]
    return (
        f"Decoded greedily, {percent(after.value)} of {count(summary.test_prompts, 'test prompt')} pass their tests "
        f"after RAFT and {percent(before.value)} before; against as much further SFT that is {points(gain)}."
    )


def _caveats(summary: DemoSummary) -> tuple[str, ...]:
    caveats = [
        "The SFT corpus is made imperfect on purpose: most of its rows carry one of two fixed mistakes, as scraped "
        "code carries common bugs. SFT learns the mistakes with the rest; the compiler and the tests unlearn them."
    ]
    if summary.quick:
        caveats.append("This was a quick demo: everything ran, but its figures mean nothing.")
    return tuple(caveats)


def _compared(summary: DemoSummary, arms: dict[str, Figures], plots: Path) -> Section:
    named = {arm: {MEASURES[key]: figures[key] for key in PLOTTED} for arm, figures in arms.items()}
    alt = "; ".join(
        f"{arm}: " + ", ".join(f"{measure} {percent(figure.value)}" for measure, figure in figures.items())
        for arm, figures in named.items()
    )
    caption = "Each model on the same test prompts, with 95% intervals over prompts."
    figure = Figure(plot_arms(named, plots / "arms.png"), alt, caption)
    return Section("Every model on the same prompts", figures=(figure,), tables=(_table("All test prompts", arms),))


def _table(caption: str, arms: dict[str, Figures]) -> Table:
    measures = [key for key in MEASURES if any(key in figures for figures in arms.values())]
    rows = tuple((arm, *(with_interval(figures.get(key)) for key in measures)) for arm, figures in arms.items())
    return Table(caption, ("Model", *(MEASURES[key] for key in measures)), rows)


def _gains(summary: DemoSummary) -> Section:
    rows = tuple(
        (
            DEMO_ARMS[arm],
            *(points(summary.differences[f"{metric}: raft - {arm}"]) for metric in ("pass@1", "greedy_pass@1")),
        )
        for arm in DEMO_ARMS
        if arm != "raft"
    )
    table = Table("RAFT minus the other, paired over prompts", ("Against", "pass@1, sampled", "pass@1, greedy"), rows)
    text = (
        f"Further SFT took {count(summary.control_steps, 'step')}, as many as RAFT. The other control ran RAFT's "
        "cycles with the rewards ignored. What they do not gain, verification does.",
    )
    return Section("What RAFT gained", text, tables=(table,))


def _unseen(arms: dict[str, Figures]) -> Section:
    title = "On combinations no training has shown"
    if not any(arms.values()):
        return Section(title, empty="None of the test prompts is of that kind.")
    return Section(title, tables=(_table("Test prompts of operations never seen together", arms),))


def _commands(summary: DemoSummary) -> Section:
    rows = tuple((name, visible(text), duration(summary.seconds.get(name))) for name, text in summary.commands.items())
    table = Table("Two at a time", ("Run", "Command", "Took"), rows, numeric=False)
    return Section(
        "The commands that ran", ("Each of them has a run folder and a report of its own.",), tables=(table,)
    )
