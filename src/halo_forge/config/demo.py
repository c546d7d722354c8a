"""Settings of the demo."""

from __future__ import annotations

from pathlib import Path

from halo_forge.config.options import option
from halo_forge.config.shared import RUN, RunOptions


class DemoConfig(RunOptions):
    """A tiny model from random weights, made better by a real compiler and real tests, with honest controls."""

    output: Path = option(Path("runs/demo"), "Folder of the demo's runs, report and summary.", section=RUN)
    quick: bool = option(
        False, "A few steps of everything, to see that it works; its figures mean nothing.", section=RUN
    )
