"""Training with several processes: starting them with accelerate, and what each of them does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from halo_forge.config.options import CommandConfig
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.errors import ConfigError, EnvironmentFault, HaloError

if TYPE_CHECKING:
    from halo_forge.models.load import Policy


_LAUNCHED = {  # with --sharding
    "none": ["--multi_gpu"],
    "fsdp": ["--use_fsdp", "--fsdp_version", "2"],
    **{f"zero{stage}": ["--use_deepspeed", "--zero_stage", str(stage)] for stage in (1, 2, 3)},
}


def is_one_of_several() -> bool:
    """Whether a launcher started this process beside others."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def is_first() -> bool:
    """Whether this process is alone, or the first of several."""
    return not is_one_of_several() or os.environ["RANK"] == "0"


def start_processes(config: CommandConfig, arguments: list[str]) -> None:
    """Become the launcher of several processes of this command, if that was asked for and they are not there yet."""
    if not isinstance(config, SftTrainConfig | RaftTrainConfig) or config.launcher == "none" or is_one_of_several():
        return
    if config.sharding.startswith("zero"):
        if find_spec("deepspeed") is None:
            raise EnvironmentFault(f"--sharding {config.sharding} needs deepspeed: pip install 'halo-forge[deepspeed]'")
        os.environ["DS_ACCELERATOR"] = "cpu"  # the launcher needs none, and would look for one aloud
    launch = ["-m", "accelerate.commands.launch", "--num_machines", "1", "--main_process_port", "0"]
    launch += _LAUNCHED[config.sharding]
    launch += ["--num_processes", str(config.num_processes), "--mixed_precision", "no", "--dynamo_backend", "no"]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *launch, "-m", "halo_forge", *arguments])


@contextmanager
def training_team(config: CommandConfig) -> Iterator[bool]:
    """Join the other processes of a launcher; yield whether this one runs the command.

    One that does not has helped until the command's end when this yields.

    Raises:
        ConfigError: several processes were asked for, and there is one.
        EnvironmentFault: the others cannot be reached.
    """
    if not isinstance(config, SftTrainConfig | RaftTrainConfig):
        yield True
        return
    if not is_one_of_several():
        if "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_PORT" in os.environ and "RANK" not in os.environ:
            raise ConfigError(
                "accelerate launch was asked for several processes and started one, as it does where it finds no more "
                "than one GPU: give it --multi_gpu, which holds on a processor too, or --num_processes 1"
            )
        if any(os.environ.get(f"ACCELERATE_USE_{way}", "").lower() == "true" for way in ("FSDP", "DEEPSPEED")):
            raise ConfigError(
                "accelerate's config asks for a model in parts, and there is one process: give --num_processes 2 or "
                "more, or neither FSDP nor DeepSpeed"
            )
        if config.launcher != "none":
            raise ConfigError(
                "--launcher accelerate starts its processes from the command line alone: give the same command there, "
                "or --launcher none to go on with one process"
            )
        if config.sharding != "none":
            raise _no_parts(config.sharding)
        yield True
        return
    from halo_forge.training.helper import help_out
    from halo_forge.training.team import open_team

    team = open_team()
    assert team is not None
    held = "none" if team.sharding is None else team.sharding.option
    if config.sharding not in ("none", held):
        raise _no_parts(config.sharding)
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


def _no_parts(sharding: str) -> ConfigError:
    return ConfigError(
        f"--sharding {sharding} needs several processes that hold parts in this way: give --launcher accelerate on the "
        f"command line, or accelerate launch {' '.join(_LAUNCHED[sharding])}"
    )


def _load(config: SftTrainConfig | RaftTrainConfig) -> Policy:
    """Load the policy as the leader does, on a device of this process's own."""
    from halo_forge.core.seeds import derive
    from halo_forge.models.hardware import pick_device
    from halo_forge.models.load import load_policy
    from halo_forge.models.resolve import resolve_model
    from halo_forge.training.step import compute_layers_twice

    stated = config.stated_base if isinstance(config, RaftTrainConfig) else None
    ref = resolve_model(config.start if isinstance(config, RaftTrainConfig) else str(config.model), stated)
    loading = config
    if config.device in ("auto", "cuda") and pick_device(config.device).type == "cuda":
        loading = config.model_copy(update={"device": f"cuda:{os.environ.get('LOCAL_RANK', '0')}"})
    policy = load_policy(ref, loading, config, seed=derive(config.seed, "adapter"))
    if config.gradient_checkpointing:
        compute_layers_twice(policy)
    return policy
