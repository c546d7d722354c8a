"""`halo-forge data prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from halo_forge.cli.console import results_console
from halo_forge.cli.datasets import show_datasets
from halo_forge.cli.errors import debug_option, session
from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.cli.libraries import quiet_libraries
from halo_forge.cli.view import open_view
from halo_forge.config.load import load
from halo_forge.config.prepare import PrepareConfig
from halo_forge.core.words import count
from halo_forge.data.catalog import all_datasets

if TYPE_CHECKING:
    from halo_forge.data.sidecar import Sidecar


def _prepare(config_file: Path | None, listed: bool, as_json: bool) -> None:
    if listed:
        show_datasets(all_datasets(), as_json=as_json)
        return
    from halo_forge.data.prepare import prepare as make

    config = load(PrepareConfig, given_settings(click.get_current_context()), config_file).config
    with quiet_libraries(debug=session().debug), open_view() as view:
        sidecar = make(config, (view,))
    if as_json:
        click.echo(sidecar.model_dump_json(indent=2))
    else:
        _show(config.output, sidecar, results_console())


def _show(output: Path, sidecar: Sidecar, console: Console) -> None:
    counts = sidecar.counts
    console.print(
        f"{count(counts.kept, 'row')} of {sidecar.source} (split {sidecar.split}) in {output}", soft_wrap=True
    )
    for reason, number in counts.dropped.items():
        console.print(f"  {number:,} left out: {reason}", soft_wrap=True)
    if sidecar.media:
        console.print(f"  {count(sidecar.media, 'file')} of media beside it", soft_wrap=True)
    console.print(f"  licence {sidecar.licence}, revision {sidecar.revision}", soft_wrap=True)


prepare = SettingsCommand(
    "prepare",
    callback=lambda config_file, listed, as_json, **_: _prepare(config_file, listed, as_json),
    params=[
        *settings(PrepareConfig),
        click.Option(["--list", "listed"], is_flag=True, help="Show the datasets of the catalogue, and do nothing."),
        click.Option(
            ["--config", "config_file"],
            type=click.Path(path_type=Path),
            help="YAML file of settings; flags override it.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Write the result to stdout as JSON, and nothing else."),
        debug_option(),
    ],
    help=PrepareConfig.__doc__,
    short_help="A dataset of the catalogue, or your own, as a file.",
)
