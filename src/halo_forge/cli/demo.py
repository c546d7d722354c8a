"""`halo-forge demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from halo_forge.cli.demo_tables import show_demo
from halo_forge.cli.launch import Job, run_command
from halo_forge.config.demo import DemoConfig
from halo_forge.config.load import Loaded
from halo_forge.core.events import Listener

if TYPE_CHECKING:
    from halo_forge.runs.summary import DemoSummary


def _run(loaded: Loaded[DemoConfig], listeners: tuple[Listener, ...]) -> DemoSummary:
    from halo_forge.demo.run import run_demo

    return run_demo(loaded, listeners)


def _folder(config: DemoConfig) -> Path:
    return config.output


demo = run_command("demo", Job(DemoConfig, _run, _folder, show_demo))
