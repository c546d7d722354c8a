"""Tables of runs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from halo_forge.cli.figures import number, percent_interval
from halo_forge.cli.tables import column_table, facts_table, write_line
from halo_forge.core.words import NONE, duration, percent

if TYPE_CHECKING:
    from halo_forge.runs.detail import Attempt, Detail
    from halo_forge.runs.housekeeping import Cleaning
    from halo_forge.runs.overview import Headline, Overview
    from halo_forge.runs.state import Progress
    from halo_forge.runs.summary import CycleSummary

COLOURS = {"running": "bold cyan", "finished": "green", "stopped": "yellow", "failed": "red", "lost": "bold red"}
UNITS = ("B", "KB", "MB", "GB", "TB")


def show_runs(runs: Sequence[Overview], root: Path, console: Console) -> None:
    """Write one row a run."""
    if not runs:
        write_line(console, f"No runs below {root.absolute()}; --root names another folder.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "kind", "state", "at", "age", "model", "figure", "id"):
        # A short terminal cuts the model, never what a run is called by.
        whole = max(len(r.name) for r in runs) if heading == "run" else len(runs[0].run_id) if heading == "id" else None
        table.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=whole)
    for run in runs:
        table.add_row(
            run.name,
            run.kind,
            Text(run.state, style=COLOURS[run.state]),
            NONE if run.state == "finished" else _at(run.progress),
            age(run.created_at),
            _tail(run.model),
            _figure(run.headline),
            run.run_id,
        )
    console.print(table)


def show_detail(detail: Detail, console: Console) -> None:
    """Write everything about one run."""
    run = detail.run
    facts = facts_table(f"{run.kind} run {run.run_id}")
    facts.add_row("state", Text(f"{run.state}{_why(run)}", style=COLOURS[run.state]))
    facts.add_row("folder", str(run.path))
    if detail.holder is not None:
        facts.add_row("written by", detail.holder.description)
    if run.parent is not None:
        facts.add_row("repeats", run.parent)
    facts.add_row("started", f"{_clock(run.created_at)}, {age(run.created_at)} ago, in {detail.cwd}")
    if run.progress is not None:
        facts.add_row("last event", f"{_clock(run.progress.heard)}: {_at(run.progress)}")
    if run.headline is not None:
        facts.add_row("figure", _figure(run.headline))
    if detail.verifier_version is not None:
        facts.add_row("verifier", detail.verifier_version)
    console.print(facts)
    settings = facts_table("Settings that are not the defaults")
    for name, value in detail.settings.items():
        settings.add_row(name, value if isinstance(value, str) else json.dumps(value))
    console.print(settings)
    if detail.inputs:
        inputs = facts_table("Inputs")
        for name, file in detail.inputs.items():
            inputs.add_row(name, f"{file.path}  {file.sha256[:12]}")
        console.print(inputs)
    if len(detail.attempts) > 1:
        _show_attempts(detail.attempts, console)
    if detail.cycles:
        _show_cycles(detail.cycles, console)
    for notice in detail.notices:
        write_line(console, f"note: {notice}", "yellow")
    places = facts_table("Where things are")
    for name, path in detail.places.items():
        places.add_row(name, str(path))
    console.print(places)
    if detail.resume is not None and detail.holder is None:
        write_line(console, f"To go on: {detail.resume}")


def show_cleaning(plans: Sequence[Cleaning], dry_run: bool, console: Console) -> None:
    """Write what was removed, or would be."""
    verb = "would remove" if dry_run else "removed"
    for plan in plans:
        for item in plan.leftovers:
            console.print(Text(f"{verb} {item.path} ({size(item.size)}): {item.why}"), soft_wrap=True)
        for kept in plan.spared:
            console.print(Text(f"kept in {plan.folder}: {kept}", style="dim"), soft_wrap=True)
    freed = sum(item.size for plan in plans for item in plan.leftovers)
    write_line(console, f"{size(freed)} {'would be' if dry_run else 'were'} freed in {len(plans)} runs.")


def age(then: float) -> str:
    """Time since then, such as `3 min`, `5 h` or `12 d`."""
    seconds = max(0.0, time.time() - then)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def size(count: int) -> str:
    """Bytes such as `12 KB` or `1.5 GB`, in powers of 1,000."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if unit == 0 or value >= 9.95 else f"{value:.1f} {UNITS[unit]}"


def _why(run: Overview) -> str:
    if run.state == "lost":
        return ": no process works on it and none said how it ended (killed, or the machine went down)"
    if run.ended:
        return f": {run.ended}"
    return ""


def _at(progress: Progress | None) -> str:
    if progress is None or progress.phase is None:
        return NONE
    where = f"cycle {progress.cycle} " if progress.cycle else ""
    if progress.step is None:
        return f"{where}{progress.phase}"
    total = f"/{progress.total:,}" if progress.total else ""
    return f"{where}{progress.phase} {progress.step:,}{total}"


def _figure(headline: Headline | None) -> str:
    if headline is None:
        return NONE
    if "pass" in headline.name:
        return f"{headline.name} {percent(headline.value)}"
    return f"{headline.name} {number(headline.value)}"


def _tail(model: str) -> str:
    return "/".join(Path(model).parts[-2:])


def _clock(t: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(t))


def _show_attempts(attempts: Sequence[Attempt], console: Console) -> None:
    table = column_table("Attempts", "attempt", "started", "took", "ended")
    for attempt in attempts:
        ended = f"{attempt.ended or 'no end recorded'}{': ' + attempt.message if attempt.message else ''}"
        table.add_row(
            str(attempt.number), _clock(attempt.started), duration(attempt.heard - attempt.started), _short(ended)
        )
    console.print(table)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _show_cycles(cycles: Sequence[CycleSummary], console: Console) -> None:
    table = column_table("Cycles", "cycle", "pass@1, held out", "pass@1, drawn", "kept", "loss", "time")
    for cycle in cycles:
        table.add_row(
            "start" if cycle.cycle == 0 else str(cycle.cycle),
            percent_interval(cycle.holdout.pass_at.get("1") if cycle.holdout else None),
            percent_interval(cycle.rollouts.pass_at.get("1") if cycle.rollouts else None),
            number(cycle.kept) if cycle.cycle else NONE,
            f"{cycle.training.last_loss:.4f}" if cycle.training else NONE,
            duration(cycle.seconds.get("all")),
        )
    console.print(table)
