"""Settings of the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from halo_forge.config.options import option
from halo_forge.config.shared import RUN, RunOptions

DemoDomain = Literal["code", "reasoning", "audio", "vlm", "agentic"]
DemoChoice = Literal["code", "reasoning", "audio", "vlm", "agentic", "all"]


class DemoConfig(RunOptions):
    """A tiny model from random weights, made better by real verdicts, with honest controls."""

    domain: DemoChoice = option(
        "code",
        "What the model learns: code (C++ functions), reasoning (word problems), audio (spoken commands), vlm "
        "(questions about images) or agentic (tool calls); all takes each in turn, in folders below --output.",
        section=RUN,
    )
    output: Path = option(Path("runs/demo"), "Folder of the demo's runs, report and summary.", section=RUN)
    quick: bool = option(
        False, "A few steps of everything, to see that it works; its figures mean nothing.", section=RUN
    )
