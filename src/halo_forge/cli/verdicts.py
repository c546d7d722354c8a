"""What `verify` shows at its end: a table of a file's verdicts, or one verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from halo_forge.cli.figures import number
from halo_forge.cli.tables import STAGES, column_table, facts_table, origin, share, write_line
from halo_forge.core.words import NONE, duration

if TYPE_CHECKING:
    from halo_forge.core.types import Verdict
    from halo_forge.verify.summary import VerifySummary


def show_verify(summary: VerifySummary, console: Console) -> None:
    """Write how far the rows came, and where their verdicts came from."""
    counts = summary.counts
    table = column_table(f"{counts.rows:,} rows, verifier {summary.verifier}", "", "rows")
    for stage, words in STAGES.items():
        table.add_row(words, share(counts.by_stage.get(stage, 0), counts.rows))
    unverifiable = share(counts.unverifiable, counts.rows)
    table.add_row("could not be verified", unverifiable, style="yellow" if counts.unverifiable else "")
    console.print(table)
    for cause, count in sorted(counts.faults.items(), key=lambda item: -item[1]):
        write_line(console, f"{count:,} could not be verified: {cause}", "yellow")
    mean = NONE if summary.mean_reward is None else f"{summary.mean_reward:.3f}"
    write_line(console, f"Mean reward {mean}. {origin(counts.reuse)}.")
    speed = "" if summary.rows_per_s is None else f" at {number(round(summary.rows_per_s))} rows/s"
    write_line(console, f"Took {duration(summary.wall_s)}{speed}, sandbox {summary.sandbox_tier}.")
    write_line(console, f"verdicts {summary.output}")


def show_verdict(verdict: Verdict, console: Console) -> None:
    """Write one verdict."""
    if verdict.reward is None:
        table = facts_table("could not be verified", "bold yellow")
        table.add_row("why", verdict.fault or "unknown")
    else:
        title, style = ("passed", "bold green") if verdict.passed else ("not passed", "bold red")
        table = facts_table(title, style)
        table.add_row("reward", f"{verdict.reward:g}")
        table.add_row("stage", verdict.stage.value)
    for name, text in (("detail", verdict.detail), ("judged by", verdict.path)):
        if text:
            table.add_row(name, text)
    table.add_row("time", f"{duration(verdict.wall_s)}, of which {verdict.cpu_s:.2f} s of processor")
    if verdict.peak_memory_mb is not None:
        table.add_row("largest process", f"{verdict.peak_memory_mb:.0f} MiB")
    console.print(table)
