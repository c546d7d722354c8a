"""`halo-forge data validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from halo_forge.cli.curate import file_command
from halo_forge.config.curate import ValidateConfig
from halo_forge.core.events import EventLog
from halo_forge.core.words import count

if TYPE_CHECKING:
    from halo_forge.data.curate.validate import Finding, Preview, Validation

CLEAN, FINDINGS = 0, 1


def _validate(path: Path, config: ValidateConfig, events: EventLog) -> Validation:
    from halo_forge.data.curate.validate import validate_file

    return validate_file(path, config, events)


def _show(result: Validation, console: Console) -> None:
    for preview in result.previews:
        _show_preview(preview, console)
    console.print(f"{count(result.rows, 'row')} of {result.kind}, {result.usable:,} usable", soft_wrap=True)
    for name, counts in (
        ("roles", result.roles),
        ("languages of fences", result.programming),
        ("scripts", result.scripts),
    ):
        if counts:
            console.print(
                f"  {name}: {', '.join(f'{key} {number:,}' for key, number in counts.items())}", soft_wrap=True
            )
    if result.lengths:
        table = Table("length", *next(iter(result.lengths.values())), box=box.SIMPLE_HEAD)
        for name, quantiles in result.lengths.items():
            table.add_row(name, *(f"{value:,.0f}" for value in quantiles.values()))
        console.print(table)
    for reason, number in result.notes.items():
        console.print(f"note: {count(number, 'row')}: {reason}", soft_wrap=True)
    for finding in result.findings:
        console.print(_said(finding), style="yellow", soft_wrap=True)
    if result.clean:
        console.print("nothing to mend", style="green")
    if result.fixed is not None:
        console.print(f"cleaned copy in {result.fixed}, what was changed in {result.changes}", soft_wrap=True)
    elif not result.clean:
        console.print(f"`halo-forge data validate {result.path} --fix OUT` writes a copy without them", soft_wrap=True)


def _show_preview(preview: Preview, console: Console) -> None:
    console.rule(f"line {preview.line}")
    if preview.rendered is not None:
        console.print(preview.rendered, soft_wrap=True)
        return
    for role, text in preview.turns:
        console.print(role, style="bold")
        console.print(text, soft_wrap=True)


def _said(finding: Finding) -> str:
    more = ", …" if finding.rows > len(finding.lines) else ""
    detail = f"; the first: {finding.detail}" if finding.detail else ""
    what = "mended when read" if finding.mended else "left out by --fix"
    lines = ", ".join(str(line) for line in finding.lines)
    return f"{count(finding.rows, 'row')}: {finding.reason} ({what}), line {lines}{more}{detail}"


validate = file_command(
    "validate", ValidateConfig, _validate, _show, lambda result: CLEAN if result.clean else FINDINGS
)
