"""`halo-forge demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from halo_forge.cli.demo_tables import show_demo, show_every_demo
from halo_forge.cli.launch import Job, run_command
from halo_forge.config.demo import DemoConfig
from halo_forge.config.load import Loaded
from halo_forge.core.events import Listener

if TYPE_CHECKING:
    from rich.console import Console

    from halo_forge.runs.summary import DemosSummary, DemoSummary


def _run(loaded: Loaded[DemoConfig], listeners: tuple[Listener, ...]) -> DemoSummary | DemosSummary:
    from halo_forge.demo.demos import run_every_demo
    from halo_forge.demo.run import run_demo

    return run_every_demo(loaded, listeners) if loaded.config.domain == "all" else run_demo(loaded, listeners)


def _folder(config: DemoConfig) -> Path:
    return config.output


def _show(summary: DemoSummary | DemosSummary, console: Console) -> None:
    if summary.kind == "demos":
        show_every_demo(summary, console)
    else:
        show_demo(summary, console)


demo = run_command("demo", Job(DemoConfig, _run, _folder, _show))
