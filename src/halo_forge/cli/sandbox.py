"""`halo-forge sandbox`."""

from __future__ import annotations

import json
from contextlib import closing
from typing import get_args

import click
from rich.table import Table
from rich.text import Text

from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option
from halo_forge.sandbox.tiers import Tier, open_sandbox

NOT_STOPPED = 1


@click.group()
def sandbox() -> None:
    """Isolation for untrusted programs."""


@sandbox.command()
@click.option("--sandbox", "tier", type=click.Choice(get_args(Tier)), default="auto", help="The tier to check.")
@click.option("--json", "as_json", is_flag=True, help="Write the findings to stdout as JSON.")
@click.pass_context
def check(ctx: click.Context, tier: Tier, as_json: bool) -> None:
    """Try what a hostile program would try, and show what the sandbox stops.

    Exits with 1 when anything was not stopped.
    """
    from halo_forge.sandbox.check import check_sandbox

    with closing(open_sandbox(tier)) as opened:
        findings = list(check_sandbox(opened))
        in_force = opened.tier
    if as_json:
        click.echo(json.dumps({"sandbox": in_force, "findings": [finding._asdict() for finding in findings]}, indent=2))
    else:
        table = Table(box=None, title=f"Sandbox: {in_force}", title_justify="left", title_style="bold")
        for name in ("misdeed", "stopped", "how it ended"):
            table.add_column(name, overflow="fold")
        for finding in findings:
            mark = Text("yes", style="green") if finding.stopped else Text("NO", style="bold red")
            table.add_row(finding.misdeed, mark, Text(finding.how, style="dim"))
        results_console().print(table)
    if not all(finding.stopped for finding in findings):
        ctx.exit(NOT_STOPPED)


check.params.append(debug_option())
