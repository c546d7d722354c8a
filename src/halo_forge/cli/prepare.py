"""`halo-forge data prepare`."""

from __future__ import annotations

import click

from halo_forge.cli.datasets import show_datasets
from halo_forge.cli.errors import debug_option
from halo_forge.core.errors import ConfigError
from halo_forge.data.catalog import all_datasets


def _prepare(listed: bool, as_json: bool) -> None:
    if not listed:
        raise ConfigError("say what to do: --list shows the datasets of the catalogue")
    show_datasets(all_datasets(), as_json=as_json)


prepare = click.Command(
    "prepare",
    callback=_prepare,
    params=[
        click.Option(["--list", "listed"], is_flag=True, help="Show the datasets of the catalogue, and do nothing."),
        click.Option(["--json", "as_json"], is_flag=True, help="Write the result to stdout as JSON, and nothing else."),
        debug_option(),
    ],
    help="Datasets of the catalogue.",
)
