"""The closing tables of the demo: RAFT beside its controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from halo_forge.cli.figures import percent_interval, points_interval
from halo_forge.cli.tables import INTERVALS, column_table, write_line
from halo_forge.core.words import NONE, duration, percent
from halo_forge.runs.summary import DEMO_ARMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from halo_forge.rollout.metrics import Estimate
    from halo_forge.runs.summary import DemosSummary, DemoSummary, Figures


def show_demo(summary: DemoSummary, console: Console) -> None:
    """Write every arm's figures on the same prompts, and the paired differences that decide."""
    arms = {name: summary.arm(name) for name in DEMO_ARMS}
    primary, passes = summary.primary_metric, summary.labels["passes"]
    _show_arms(f"{summary.test_prompts:,} test prompts: {passes} ({primary})", arms, primary, console)
    for metric, words in summary.labels.items():
        if metric in summary.raft:
            _show_arms(words.capitalize(), arms, metric, console)
    if any(summary.unseen.values()) and _some_are_seen(summary):
        _show_arms(f"Those {summary.labels['unseen']}: {passes}", summary.unseen, primary, console)
    better = "" if summary.higher_is_better else "; less is better"
    title = f"RAFT's gain in {primary}, percentage points, paired over prompts{better}"
    table = column_table(title, "against", "sampled", "greedy")
    for name, words in DEMO_ARMS.items():
        if name != "raft":
            pair = [summary.differences.get(f"{metric}: raft - {name}") for metric in (primary, f"greedy_{primary}")]
            table.add_row(words, *(points_interval(difference) for difference in pair))
    console.print(table)
    write_line(console, f"Further SFT took {summary.control_steps:,} steps, as many as RAFT. {INTERVALS}", "dim")
    _close(summary, console)


def show_every_demo(summary: DemosSummary, console: Console) -> None:
    """Write a row for each domain: its arms decoded greedily, and RAFT's gain over as much further SFT."""
    arms = {"sft": "SFT", "raft": "RAFT", "control": "further SFT", "unfiltered": "rewards ignored"}
    table = column_table(
        "The deciding metric, decoded greedily", "demo", "metric", *arms.values(), "RAFT - further SFT"
    )
    for domain, demo in summary.demos.items():
        metric = f"greedy_{demo.primary_metric}"
        said = demo.primary_metric if demo.higher_is_better else f"{demo.primary_metric} (less is better)"
        figures = [_rate(demo.arm(arm).get(metric)) for arm in arms]
        table.add_row(domain, said, *figures, points_interval(demo.differences.get(f"{metric}: raft - control")))
    console.print(table)
    write_line(console, "Each demo has a table and a page of its own in the folder of its name.", "dim")
    _close(summary, console)


def _close(summary: DemoSummary | DemosSummary, console: Console) -> None:
    if summary.quick:
        write_line(console, "This was --quick: everything ran, but its figures mean nothing.", "yellow")
    write_line(console, f"Took {duration(summary.wall_s)}, seed {summary.seed}.")


def _rate(figure: Estimate | None) -> str:
    return NONE if figure is None else percent(figure.value)


def _some_are_seen(summary: DemoSummary) -> bool:
    """Whether the test prompts never shown are only some of them."""
    return any(summary.unseen.get(name) != summary.arm(name) for name in DEMO_ARMS)


def _show_arms(title: str, arms: Mapping[str, Figures], metric: str, console: Console) -> None:
    table = column_table(title, "model", "sampled", "greedy")
    for name, words in DEMO_ARMS.items():
        figures = arms.get(name, {})
        pair = [percent_interval(figures.get(key)) for key in (metric, f"greedy_{metric}")]
        table.add_row(words, *pair, style="bold green" if name == "raft" else "")
    console.print(table)
