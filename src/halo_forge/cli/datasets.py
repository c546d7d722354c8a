"""The catalogue as a table: `data prepare --list`, `sft datasets`, and those of one domain."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich import box
from rich.table import Table

from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option
from halo_forge.core.words import NONE
from halo_forge.data.catalog import Dataset, Domain, Use, all_datasets

# What the table says in words; the rest of a dataset is for programs.
UNPRINTABLE = {"convert", "also", "splits", "media"}


def datasets_command(domain: Domain | None = None, use: Use | None = None) -> click.Command:
    """Make a command `datasets` that lists the catalogue, or its part for a domain or a use."""

    def show(as_json: bool) -> None:
        show_datasets([found for found in all_datasets() if _fits(found, domain, use)], as_json=as_json)

    return click.Command(
        "datasets",
        callback=show,
        params=[
            click.Option(["--json", "as_json"], is_flag=True, help="Write the list to stdout as JSON."),
            debug_option(),
        ],
        help="List the datasets that --dataset knows by name.",
    )


def show_datasets(found: Sequence[Dataset], *, as_json: bool = False) -> None:
    """Print datasets as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps([_described(dataset) for dataset in found], indent=2))
        return
    table = Table("name", "domain", "use", box=box.SIMPLE_HEAD)
    for title in ("rows", "download"):
        table.add_column(title, justify="right")
    for title in ("licence", "gated", "on the Hub"):
        table.add_column(title, overflow="fold")
    for dataset in found:
        table.add_row(
            dataset.name,
            dataset.domain,
            ", ".join([dataset.use, *dataset.also]),
            f"{dataset.rows:,}" if dataset.rows else NONE,
            described_size(dataset.size_mb),
            dataset.licence,
            "yes" if dataset.gated else "no",
            dataset.hub_id or "(local folder)",
        )
    results_console().print(table)


def _fits(dataset: Dataset, domain: Domain | None, use: Use | None) -> bool:
    return (domain is None or dataset.domain == domain) and (use is None or use in (dataset.use, *dataset.also))


def _described(dataset: Dataset) -> dict[str, object]:
    plain = {key: value for key, value in vars(dataset).items() if key not in UNPRINTABLE}
    return {**plain, "uses": [dataset.use, *dataset.also], "splits": list(dataset.splits), "media": dict(dataset.media)}


def described_size(megabytes: int) -> str:
    """Write a download's size."""
    if not megabytes:
        return NONE
    return f"{megabytes} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"
