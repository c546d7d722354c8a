"""The tables of a comparison: every arm's figures, and what tells the arms apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console

from halo_forge.cli.figures import percent_interval, points_interval
from halo_forge.cli.tables import INTERVALS, column_table, write_line
from halo_forge.core.words import duration

if TYPE_CHECKING:
    from halo_forge.runs.comparison import Comparison, FullSummary, PairedTest

SIGNIFICANT = 0.05


def show_comparison(comparison: Comparison, console: Console, *, list_prompts: bool = False) -> None:
    """Write the arms, the paired differences from the first, and with `list_prompts` what changed prompt by prompt."""
    first = comparison.arms[0]
    metrics = list(first.figures)
    table = column_table(f"{comparison.prompts:,} prompts, verifier {comparison.verifier}", "", *metrics)
    for arm in comparison.arms:
        table.add_row(arm.name, *(percent_interval(arm.figures[metric]) for metric in metrics))
    console.print(table)
    several = len(comparison.arms) > 2
    columns = ["metric", "difference, points", "gained", "lost", "alike", "p", *(["p, Holm"] if several else [])]
    table = column_table(f"Against {first.name}, paired over prompts", "", *columns)
    for test in comparison.tests:
        style = "" if test.p_holm >= SIGNIFICANT else "green" if len(test.gained) > len(test.lost) else "red"
        table.add_row(*_row(test, several), style=style)
    console.print(table)
    write_line(console, f"{INTERVALS} p: exact two-sided sign test on gained against lost prompts.", "dim")
    for line in _left_out(comparison.tests):
        write_line(console, line, "yellow")
    for caveat in comparison.caveats:
        write_line(console, f"note: {caveat}", "yellow")
    if list_prompts:
        _show_prompts(comparison.tests, console)


def show_full(summary: FullSummary, console: Console) -> None:
    """Write the course of a RAFT run from its start model to the final one."""
    show_comparison(summary.comparison, console)
    for name, measured in summary.same.items():
        write_line(console, f"{name} is {measured}, and was not measured twice.")
    write_line(console, f"Took {duration(summary.wall_s)}, seed {summary.seed}.")


def _row(test: PairedTest, several: bool) -> tuple[str, ...]:
    alike = test.prompts - len(test.gained) - len(test.lost)
    counts = (f"{len(test.gained):,}", f"{len(test.lost):,}", f"{alike:,}")
    p_values = (test.p_value, test.p_holm) if several else (test.p_value,)
    return test.arm, test.metric, points_interval(test.difference), *counts, *map(_probability, p_values)


def _probability(value: float) -> str:
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _left_out(tests: Iterable[PairedTest]) -> Iterable[str]:
    for test in tests:
        if test.left_out:
            yield (
                f"{test.arm}, {test.metric}: {test.left_out:,} prompts are left out, for which one of the two "
                "has too few verified completions"
            )


def _show_prompts(tests: Iterable[PairedTest], console: Console) -> None:
    for test in tests:
        for word, ids in (("gained", test.gained), ("lost", test.lost)):
            if ids:
                write_line(console, f"{test.arm}, {test.metric}, {word}: {', '.join(ids)}")
