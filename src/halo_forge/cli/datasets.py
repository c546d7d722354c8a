"""`halo-forge sft datasets`: the catalogue."""

from __future__ import annotations

from importlib.metadata import entry_points

import click
from rich import box
from rich.table import Table

from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option
from halo_forge.core.plugins import DATASETS
from halo_forge.data.catalog import find_dataset


@click.command()
def datasets() -> None:
    """List the datasets that --dataset knows by name."""
    table = Table("name", "rows", "licence", "gated", "use", "on the Hub", box=box.SIMPLE_HEAD)
    for name in sorted(entry_points(group=DATASETS).names):
        found = find_dataset(name)
        table.add_row(name, f"{found.rows:,}", found.licence, "yes" if found.gated else "no", found.use, found.hub_id)
    results_console().print(table)


datasets.params.append(debug_option())
