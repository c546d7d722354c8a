"""`halo-forge plan`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from halo_forge.cli.errors import debug_option
from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.cli.tables import facts_table
from halo_forge.config.load import load
from halo_forge.config.plan import PlanConfig
from halo_forge.core.words import duration, percent
from halo_forge.planning.plan import Plan, make_plan

MIB = 2**20


def _plan(config_file: Path | None, as_json: bool) -> None:
    config = load(PlanConfig, given_settings(click.get_current_context()), config_file).config
    plan = make_plan(config)
    if as_json:
        click.echo(plan.model_dump_json(indent=2))
        return
    console = Console()
    _show_run(plan, console)
    if plan.simulated:
        _show_nodes(plan, console)


def _show_run(plan: Plan, console: Console) -> None:
    prediction, cycles = plan.prediction, plan.prediction.cycles[1:]
    completions = plan.work.prompts * plan.work.samples
    facts = facts_table(f"{plan.work.cycles} cycles at the rates of {plan.rates.source or 'the file'}")
    facts.add_row("completions a cycle", f"{completions:,}")
    facts.add_row("drawing", f"{_span([cycle.generate for cycle in cycles])} a cycle")
    facts.add_row("verifying", f"{_span([cycle.verify for cycle in cycles])} a cycle with {plan.rates.workers} workers")
    facts.add_row("both at the same time", f"{_span([cycle.collect for cycle in cycles])} a cycle")
    facts.add_row("training", f"{_span([cycle.train for cycle in cycles])} a cycle")
    facts.add_row("measuring", f"{_span([cycle.evaluate for cycle in cycles])} a cycle")
    facts.add_row("whole run", f"[bold]{duration(prediction.total_s)}[/bold], most of it to {prediction.bound_by}")
    known = "not known: the model's size is not" if plan.memory_gib is None else f"{plan.memory_gib:.3g} GiB and more"
    facts.add_row("memory to train", known)
    disk = f"{prediction.disk.rollouts / MIB:,.0f} MiB of rollouts, {prediction.disk.checkpoints / MIB:,.0f} MiB of"
    facts.add_row("disk", f"{disk} checkpoints")
    console.print(facts)
    for note in plan.notes:
        console.print(f"Note: {note}.")


def _span(seconds: Sequence[float]) -> str:
    """What a phase takes in the first cycle, and in the last where that differs."""
    first, last = duration(seconds[0]), duration(seconds[-1])
    return first if first == last else f"{first} … {last}"


def _show_nodes(plan: Plan, console: Console) -> None:
    title = "\nThe last cycle on more nodes, simulated"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("nodes", "a cycle", "speed-up", "of ideal", "bound by"):
        table.add_column(heading, justify="left" if heading == "bound by" else "right")
    first = plan.simulated[0].seconds
    for each in plan.simulated:
        gain = first / each.seconds
        row = (str(each.nodes), duration(each.seconds), f"{gain:.1f}", percent(gain / each.nodes), each.bound_by)
        table.add_row(*row, style="bold" if each.nodes == plan.stops_at else None)
    console.print(table)
    console.print(f"Twice as many as {plan.stops_at} save less than a fifth of the time.")


plan = SettingsCommand(
    "plan",
    params=[
        *settings(PlanConfig),
        click.Option(
            ["--config", "config_file"],
            type=click.Path(path_type=Path),
            help="YAML file of settings; flags override it.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Write everything as JSON, the rates among it."),
        debug_option(),
    ],
    callback=lambda config_file, as_json, **_: _plan(config_file, as_json),
    help=PlanConfig.__doc__,
    short_help="What a run will take, by phase, and where more nodes stop helping.",
)
