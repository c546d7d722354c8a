"""`halo-forge data generate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option
from halo_forge.cli.figures import number
from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.cli.tables import STAGES, column_table, share, write_line
from halo_forge.cli.view import open_view
from halo_forge.config.generate import GenerateConfig
from halo_forge.config.load import load
from halo_forge.core.words import NONE, duration

if TYPE_CHECKING:
    from rich.console import Console

    from halo_forge.datagen.summary import GenerateSummary, Spending


def _generate(config_file: Path | None, resume: bool, as_json: bool) -> None:
    from halo_forge.datagen.loop import generate, require_complete

    config = load(GenerateConfig, given_settings(click.get_current_context()), config_file).config
    with open_view() as view:
        summary = generate(config, (view,), resume=resume)
    if as_json:
        click.echo(summary.model_dump_json(indent=2))
    else:
        show_generate(summary, results_console())
    require_complete(summary)


def show_generate(summary: GenerateSummary, console: Console) -> None:
    """Write what became of the answers, and what they took."""
    table = column_table(f"{summary.topic} by {summary.model}", "", "answers")
    table.add_row("asked for", number(summary.asked))
    table.add_row("answered", share(summary.answers, summary.asked))
    table.add_row("kept", share(summary.kept, summary.answers))
    for reason, count in summary.dropped.items():
        table.add_row(f"dropped: {reason}", share(count, summary.answers))
    for stage, count in summary.rejected.items():
        table.add_row(f"rejected: {STAGES[stage]}", share(count, summary.answers))
    for cause, count in summary.unverifiable.items():
        table.add_row(f"could not be verified: {cause}", share(count, summary.answers), style="yellow")
    console.print(table)
    _show_spending(summary.spending, console)
    write_line(console, f"Took {duration(summary.wall_s)}.")
    write_line(console, f"rows {summary.output}")


def _show_spending(spending: Spending, console: Console) -> None:
    tokens = f"{number(spending.tokens_in)} tokens in, {number(spending.tokens_out)} out"
    cost = NONE if spending.cost_usd is None else f"about ${spending.cost_usd:.4f}, an estimate and no bill"
    write_line(console, f"{number(spending.requests)} requests in all: {tokens}; cost {cost}.")
    if spending.maybe_paid:
        text = f"{spending.maybe_paid:,} of them brought nothing and may have been paid; they count at their most."
        write_line(console, text, "yellow")
    if spending.untold:
        write_line(
            console, f"{spending.untold:,} answers came without a usable count; they count at their most.", "yellow"
        )


def _list(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value:
        return
    from halo_forge.datagen.backend import COMPATIBLE_KEY, PROVIDERS
    from halo_forge.datagen.prices import read_prices
    from halo_forge.datagen.topic import find_topic, topic_names

    console = results_console()
    table = Table("topic", "categories", "levels", "tests", "verifier", "about", box=box.SIMPLE_HEAD)
    for name in topic_names():
        topic = find_topic(name)
        counts = (str(len(topic.categories)), str(len(topic.levels)))
        table.add_row(name, *counts, "yes" if topic.tests else "no", topic.verifier, topic.description)
    console.print(table)
    prices = read_prices()
    table = Table("backend", "default model", "key", "$ a million tokens, in/out", box=box.SIMPLE_HEAD)
    for name, provider in PROVIDERS.items():
        known = prices.get(name, {})
        shown = "\n".join(f"{model} {price.input:g}/{price.output:g} ({price.as_of})" for model, price in known.items())
        key = provider.key or (COMPATIBLE_KEY if name == "compatible" else "none")
        table.add_row(name, provider.model or NONE, key, shown or ("free" if name == "ollama" else NONE))
    console.print(table)
    ctx.exit()


generate = SettingsCommand(
    "generate",
    params=[
        *settings(GenerateConfig),
        click.Option(
            ["--config", "config_file"],
            type=click.Path(path_type=Path),
            help="YAML file of settings; flags override it.",
        ),
        click.Option(["--resume"], is_flag=True, help="Refuse to start unless --output was begun before."),
        click.Option(
            ["--list"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_list,
            help="List topics, backends and prices.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Write the result to stdout as JSON, and nothing else."),
        debug_option(),
    ],
    callback=lambda config_file, resume, as_json, **_: _generate(config_file, resume, as_json),
    help=GenerateConfig.__doc__,
    short_help="Rows written by a model behind an API, verified on request.",
)
