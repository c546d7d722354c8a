"""`halo-forge sft`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from halo_forge.cli.datasets import datasets_command
from halo_forge.cli.launch import Job, run_command
from halo_forge.cli.tables import show_sft
from halo_forge.config.load import Loaded
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.events import Listener

if TYPE_CHECKING:
    from halo_forge.runs.plan import Plan
    from halo_forge.runs.summary import SftSummary


def _train(loaded: Loaded[SftTrainConfig], listeners: tuple[Listener, ...]) -> SftSummary:
    from halo_forge.sft.loop import train_sft

    return train_sft(loaded, listeners)


def _folder(config: SftTrainConfig) -> Path:
    return config.output


def _plan(loaded: Loaded[SftTrainConfig]) -> Plan:
    from halo_forge.sft.loop import plan_sft

    return plan_sft(loaded)


TRAIN = Job(SftTrainConfig, _train, _folder, show_sft, _plan, resumable=True)
sft = click.Group(
    "sft",
    help="Supervised fine-tuning.",
    commands=[
        run_command("train", TRAIN),
        datasets_command(use="sft"),
    ],
)
