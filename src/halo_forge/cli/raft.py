"""`halo-forge raft`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from halo_forge.cli.launch import Job, run_command
from halo_forge.cli.tables import show_raft
from halo_forge.config.load import Loaded
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.events import Listener

if TYPE_CHECKING:
    from halo_forge.runs.plan import Plan
    from halo_forge.runs.summary import RaftSummary


def _train(loaded: Loaded[RaftTrainConfig], listeners: tuple[Listener, ...]) -> RaftSummary:
    from halo_forge.raft.loop import train_raft

    return train_raft(loaded, listeners)


def _folder(config: RaftTrainConfig) -> Path:
    return config.output


def _plan(loaded: Loaded[RaftTrainConfig]) -> Plan:
    from halo_forge.raft.loop import plan_raft

    return plan_raft(loaded)


TRAIN = Job(RaftTrainConfig, _train, _folder, show_raft, _plan, resumable=True)
raft = click.Group(
    "raft",
    help="RAFT: improve a model on its own verified completions.",
    commands=[run_command("train", TRAIN)],
)
