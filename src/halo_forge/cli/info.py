"""`halo-forge info`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option
from halo_forge.cli.machine import Machine, inspect_machine


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write it to stdout as JSON.")
def info(as_json: bool) -> None:
    """Show hardware, versions, compilers, the sandbox in force and the verifiers that work here."""
    machine = inspect_machine()
    if as_json:
        click.echo(json.dumps(asdict(machine), indent=2))
    else:
        show_machine(machine, results_console())


def show_machine(machine: Machine, console: Console) -> None:
    """Write the tables."""
    facts = _table("Machine")
    facts.add_row("halo-forge", machine.halo_forge)
    facts.add_row("python", machine.python)
    facts.add_row("system", machine.system)
    facts.add_row("processor", f"{machine.cpu}, {machine.cores} cores")
    facts.add_row("memory", f"{machine.memory_gib} GiB, {machine.memory_free_gib} free")
    facts.add_row("disk", f"{machine.disk_free_gib} GiB free here")
    for device in machine.accelerators:
        memory = "" if device.memory_gib is None else f", {device.memory_gib} GiB"
        facts.add_row("accelerator", f"{device.name}{memory} ({device.driver})")
    if not machine.accelerators:
        facts.add_row("accelerator", "none found; models run on the processor")
    facts.add_row("sandbox", _state(machine.sandbox or "none", machine.sandbox_problem))
    console.print(facts)

    for title, versions in (("Packages", machine.packages), ("Compilers and tools", machine.tools)):
        table = _table(title)
        for name, found in versions.items():
            table.add_row(name, Text(found) if found else Text("not installed", style="dim"))
        console.print(table)

    verifiers = _table("Verifiers")
    for verifier in machine.verifiers:
        row = _state(verifier.description, verifier.problem)
        if verifier.needs:
            row.append(f"\nwith {' '.join(f'--verifier-option {name}=…' for name in verifier.needs)}", style="dim")
        verifiers.add_row(verifier.name, row)
    console.print(verifiers)


def _table(title: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, show_header=False)
    table.add_column(style="cyan", no_wrap=True, min_width=14)
    table.add_column(overflow="fold")
    return table


def _state(text: str, problem: str | None) -> Text:
    return Text(text) if problem is None else Text(f"{text}\n" if text else "").append(problem, style="yellow")


info.params.append(debug_option())
