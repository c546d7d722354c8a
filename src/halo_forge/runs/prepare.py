"""Putting a run on record before any process works on it."""

from __future__ import annotations

from pathlib import Path

from halo_forge.config.load import Loaded
from halo_forge.config.options import CommandConfig
from halo_forge.core.errors import EnvironmentFault, RunConflictError
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.launch import LAUNCH_FILE, describe_launch
from halo_forge.runs.relaunch import kind_made_by


def prepare_run(
    command: str, loaded: Loaded[CommandConfig], output: Path, argv: tuple[str, ...], cwd: Path | None = None
) -> str:
    """Write `launch_context.json` and `config.yaml` of a run into a folder that does not exist yet.

    `runs resume` then starts it; the hashes of its inputs are added when it does.

    Args:
        command: such as `raft train`.
        output: the folder, absolute; also the run's own `output`.
        argv: what a person would type.
        cwd: the folder that relative paths of the settings count from; by default this process's.

    Returns:
        The run's id.

    Raises:
        RunConflictError: there is something of that name already.
        EnvironmentFault: the folder cannot be made.
    """
    kind = kind_made_by(command)
    assert kind is not None, command
    try:
        output.mkdir(parents=True)
    except FileExistsError as error:
        raise RunConflictError(f"{output} exists already; choose another folder") from error
    except OSError as error:
        raise EnvironmentFault(f"cannot create {output}: {error.strerror}") from error
    context = describe_launch(kind, loaded.config, output, {}, None, loaded.parent)
    context = context.model_copy(update={"argv": argv, "cwd": str(cwd or Path.cwd())})
    write_atomically(output / "config.yaml", loaded.to_yaml())
    write_atomically(output / LAUNCH_FILE, context.model_dump_json(indent=2) + "\n")
    return context.run_id
