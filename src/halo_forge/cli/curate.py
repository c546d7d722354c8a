"""`halo-forge data dedup`, `data decontaminate` and `data split`, and what `data validate` shares with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table

from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option, session
from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.cli.libraries import quiet_libraries
from halo_forge.cli.view import open_view
from halo_forge.config.curate import DecontaminateConfig, DedupConfig, SplitConfig
from halo_forge.config.load import load
from halo_forge.config.options import CommandConfig
from halo_forge.core.events import EventLog
from halo_forge.core.types import Record
from halo_forge.core.words import count, percent

if TYPE_CHECKING:
    from halo_forge.data.curate.decontaminate import DecontaminateSummary
    from halo_forge.data.curate.dedup import DedupSummary
    from halo_forge.data.curate.split import SplitSummary

C = TypeVar("C", bound=CommandConfig)
S = TypeVar("S", bound=Record)


def file_command(
    name: str,
    schema: type[C],
    work: Callable[[Path, C, EventLog], S],
    show: Callable[[S, Console], None],
    exit_code: Callable[[S], int] = lambda _: 0,
) -> click.Command:
    """Make a command that works on a file of rows and shows what came of it."""

    def call(source: Path, config_file: Path | None, as_json: bool) -> int:
        config = load(schema, given_settings(click.get_current_context()), config_file).config
        with quiet_libraries(debug=session().debug), open_view() as view, EventLog() as events:
            events.listen(view)
            result = work(source, config, events)
        if as_json:
            click.echo(result.model_dump_json(indent=2))
        else:
            show(result, results_console())
        return exit_code(result)

    return SettingsCommand(
        name,
        callback=lambda source, config_file, as_json, **_: call(source, config_file, as_json),
        params=[
            click.Argument(["source"], metavar="FILE", type=click.Path(path_type=Path)),
            *settings(schema),
            click.Option(
                ["--config", "config_file"],
                type=click.Path(path_type=Path),
                help="YAML file of settings; flags override it.",
            ),
            click.Option(
                ["--json", "as_json"], is_flag=True, help="Write the result to stdout as JSON, and nothing else."
            ),
            debug_option(),
        ],
        help=schema.__doc__,
        short_help=(schema.__doc__ or "").partition("\n")[0],
    )


def _dedup(path: Path, config: DedupConfig, events: EventLog) -> DedupSummary:
    from halo_forge.data.curate.dedup import dedup_file

    return dedup_file(path, config, events)


def _show_dedup(summary: DedupSummary, console: Console) -> None:
    kept = f"{percent(summary.kept / summary.rows)} of " if summary.rows else ""
    console.print(f"{count(summary.kept, 'row')} kept, {kept}{summary.rows:,}, in {summary.output}", soft_wrap=True)
    near = "not looked for" if summary.threshold is None else f"{summary.near:,} (similarity {summary.threshold:g})"
    console.print(f"  equal rows left out: {summary.exact:,}; near duplicates: {near}", soft_wrap=True)
    if summary.groups:
        console.print(f"  {count(summary.groups, 'group')}, the largest of {summary.largest_group:,} rows")


def _decontaminate(path: Path, config: DecontaminateConfig, events: EventLog) -> DecontaminateSummary:
    from halo_forge.data.curate.decontaminate import decontaminate_file

    return decontaminate_file(path, config, events)


def _show_decontaminate(summary: DecontaminateSummary, console: Console) -> None:
    table = Table("benchmark", "problems", "found in the file", "rows with one", box=box.SIMPLE_HEAD)
    for one in summary.benchmarks:
        table.add_row(one.name, f"{one.items:,}", f"{one.found:,}", f"{one.rows:,} of {summary.rows:,}")
    console.print(table)
    console.print(
        f"{count(summary.kept, 'row')} kept in {summary.output}, the hits in {summary.report}", soft_wrap=True
    )


def _split(path: Path, config: SplitConfig, events: EventLog) -> SplitSummary:
    from halo_forge.data.curate.split import split_file

    return split_file(path, config, events)


def _show_split(summary: SplitSummary, console: Console) -> None:
    table = Table("part", "rows", "share", f"groups by {summary.by}", "file", box=box.SIMPLE_HEAD)
    for part in summary.parts:
        table.add_row(part.name, f"{part.rows:,}", percent(part.rows / summary.rows), f"{part.groups:,}", part.path)
    console.print(table)


dedup = file_command("dedup", DedupConfig, _dedup, _show_dedup)
decontaminate = file_command("decontaminate", DecontaminateConfig, _decontaminate, _show_decontaminate)
split = file_command("split", SplitConfig, _split, _show_split)
