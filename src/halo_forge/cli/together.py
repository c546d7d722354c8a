"""Training with several processes: starting them with accelerate, and what each of them does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from halo_forge.config.options import CommandConfig
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.errors import ConfigError, HaloError

if TYPE_CHECKING:
    from halo_forge.models.load import Policy


def is_one_of_several() -> bool:
    """Whether a launcher started this process beside others."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def start_processes(config: CommandConfig, arguments: list[str]) -> None:
    """Become the launcher of several processes of this command, if that was asked for and they are not there yet."""
    if not isinstance(config, SftTrainConfig | RaftTrainConfig) or config.launcher == "none" or is_one_of_several():
        return
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1"]
    launch += ["--num_processes", str(config.num_processes), "--mixed_precision", "no", "--dynamo_backend", "no"]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *launch, "-m", "halo_forge", *arguments])


@contextmanager
def training_team(config: CommandConfig) -> Iterator[bool]:
    """Join the other processes of a launcher; yield whether this one runs the command.

    One that does not has helped until the command's end when this yields.

    Raises:
        ConfigError: several processes were asked for and cannot be started from here.
        EnvironmentFault: the others cannot be reached.
    """
    if not isinstance(config, SftTrainConfig | RaftTrainConfig):
        yield True
        return
    if not is_one_of_several():
        if config.launcher != "none":
            raise ConfigError(
                "--launcher accelerate starts its processes from the command line alone: give the same command there, "
                "or --launcher none to go on with one process"
            )
        yield True
        return
    from halo_forge.training.team import help_out, open_team

    team = open_team()
    assert team is not None
    if not team.leads:
        for asked in (signal.SIGINT, signal.SIGTERM):  # the leader stops at a safe point, and lets go
            signal.signal(asked, signal.SIG_IGN)
        help_out(team, lambda: _load(config))
        team.close()
        yield False
        return
    try:
        yield True
    except HaloError:  # of between two batches; after anything else the launcher ends the others
        team.close()
        raise
    team.close()


def _load(config: SftTrainConfig | RaftTrainConfig) -> Policy:
    """Load the policy as the leader does, on a device of this process's own."""
    from halo_forge.core.seeds import derive
    from halo_forge.models.hardware import pick_device
    from halo_forge.models.load import load_policy
    from halo_forge.models.resolve import resolve_model

    stated = config.stated_base if isinstance(config, RaftTrainConfig) else None
    ref = resolve_model(config.start if isinstance(config, RaftTrainConfig) else str(config.model), stated)
    loading = config
    if config.device == "auto" and pick_device("auto").type == "cuda":
        loading = config.model_copy(update={"device": f"cuda:{os.environ.get('LOCAL_RANK', '0')}"})
    return load_policy(ref, loading, config, seed=derive(config.seed, "adapter"))
