"""Starting a run again from its validated settings, never from the command line that is stored for people to read."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.config.load import Loaded, known_key, load, read_yaml
from halo_forge.config.options import CommandConfig, presentation
from halo_forge.config.schemas import SCHEMAS
from halo_forge.core.errors import ConfigError, RunConflictError
from halo_forge.runs.launch import ENVIRONMENT, LAUNCH_FILE, LaunchContext
from halo_forge.runs.run_dir import is_complete, read_launch
from halo_forge.runs.state import RunState, read_status

COMMANDS = {
    "sft": "sft train",
    "raft": "raft train",
    "benchmark": "benchmark run",
    "full": "benchmark full",
    "demo": "demo",
}
"""Kind of run -> the command that makes it, and with the same settings goes on with it."""


class Relaunch(NamedTuple):
    """A run about to be started again.

    Args:
        command: such as `raft train`.
        cwd: the folder that relative paths of the settings count from.
        changed_environment: name -> value then and now, of the variables kept with the run that differ.
    """

    command: str
    loaded: Loaded[CommandConfig]
    cwd: Path
    changed_environment: dict[str, tuple[str | None, str | None]]


def plan_resume(folder: Path, changes: Mapping[str, object]) -> Relaunch:
    """Make ready to go on with a run where it is, also after its folder was moved.

    Args:
        changes: settings to change; only those that a run may be continued with.

    Raises:
        RunConflictError: the run has finished, is running, or is of a kind that cannot go on.
        ConfigError: a setting is unknown or may not change.
    """
    context = _context(folder)
    command = _command(context)
    schema = SCHEMAS[command]
    status = read_status(folder)
    if status.holder is not None and status.state is RunState.RUNNING:
        raise RunConflictError(f"{folder} is running ({status.holder.description}); there is nothing to resume")
    changed = _known(schema, changes)
    fixed = [key for key in changed if not presentation(schema.model_fields[key]).resumable]
    if fixed:
        raise ConfigError(
            f"{', '.join(fixed)} cannot change in a run that goes on; may change: {', '.join(_resumable(schema))}. "
            "halo-forge runs rerun starts a new run with other settings"
        )
    if is_complete(folder) and not changed:
        more = "--set cycles=N for more cycles, or " if "cycles" in _resumable(schema) else ""
        raise RunConflictError(f"{folder} has finished: give {more}halo-forge runs rerun to run it anew")
    values = {**context.params, **_last_resumable(folder, schema), **changed, "output": str(folder.absolute())}
    return _relaunch(command, context, values, folder, parent=None)


def plan_rerun(folder: Path, output: Path | None, changes: Mapping[str, object]) -> Relaunch:
    """Make ready to run again from the start, in a folder of its own; the new run names the old one as its parent.

    Args:
        output: the new folder; by default the old one's name with a number behind it.

    Raises:
        RunConflictError: the run is of a kind that cannot be started again.
        ConfigError: a setting is unknown or out of range.
    """
    context = _context(folder)
    command = _command(context)
    schema = SCHEMAS[command]
    if "output" in _known(schema, changes):
        raise ConfigError("name the new folder with --output")
    target = output if output is not None else _next_free(folder)
    values = {**context.params, **_known(schema, changes), "output": str(target.absolute())}
    return _relaunch(command, context, values, folder, parent=context.run_id)


def kind_made_by(command: str) -> str | None:
    """Return the kind of run that a command makes, or None; those of the domains make runs of the general kinds."""
    schema = SCHEMAS[command]
    return next((kind for kind, name in COMMANDS.items() if issubclass(schema, SCHEMAS[name])), None)


def resume_command(folder: Path) -> str | None:
    """The command that goes on with a run, or None if there is nothing to go on with."""
    context = read_launch(folder)
    if context is None or context.kind not in COMMANDS or is_complete(folder):
        return None
    return f"halo-forge runs resume {shlex.quote(str(folder))}"


def changed_settings(context: LaunchContext) -> dict[str, JsonValue]:
    """The settings of a run that are not the defaults of its command; all of them for a kind that is not known."""
    command = COMMANDS.get(context.kind)
    if command is None:
        return dict(context.params)
    schema = SCHEMAS[command]
    return {
        key: value
        for key, value in context.params.items()
        if key not in schema.model_fields or not _is_default(schema, key, value)
    }


def _relaunch(
    command: str, context: LaunchContext, values: dict[str, object], folder: Path, parent: str | None
) -> Relaunch:
    schema = SCHEMAS[command]
    config = load(schema, values).config
    source = f"file {folder / LAUNCH_FILE}"
    settings = config.model_dump(mode="json")
    origins = {
        key: "default" if _is_default(schema, key, settings[key]) else source
        for key, field in schema.model_fields.items()
    }
    environment = {
        name: (context.environment.get(name), os.environ.get(name))
        for name in ENVIRONMENT
        if context.environment.get(name) != os.environ.get(name)
    }
    return Relaunch(command, Loaded(config, origins, parent), Path(context.cwd), environment)


def _context(folder: Path) -> LaunchContext:
    context = read_launch(folder)
    if context is None:
        raise RunConflictError(f"{folder} holds no run (there is no {LAUNCH_FILE})")
    return context


def _command(context: LaunchContext) -> str:
    if context.kind not in COMMANDS:
        raise RunConflictError(
            f"{context.run_id} is a {context.kind} run, which cannot be started from its folder; "
            f"these can: {', '.join(COMMANDS)}"
        )
    return COMMANDS[context.kind]


def _known(schema: type[CommandConfig], changes: Mapping[str, object]) -> dict[str, object]:
    return {known_key(schema, name, "--set: "): value for name, value in changes.items()}


def _resumable(schema: type[CommandConfig]) -> list[str]:
    return [key for key, field in schema.model_fields.items() if presentation(field).resumable]


def _last_resumable(folder: Path, schema: type[CommandConfig]) -> dict[str, object]:
    """What the last attempt was given of the settings that may change, such as more cycles than at first."""
    file = folder / "config.yaml"
    values = read_yaml(file) if file.is_file() else {}
    return {key: values[key] for key in _resumable(schema) if key in values}


def _is_default(schema: type[CommandConfig], key: str, value: JsonValue) -> bool:
    default = schema.model_fields[key].default
    return bool(value == (list(default) if isinstance(default, tuple) else default))


def _next_free(folder: Path) -> Path:
    """`run` -> `run-2`, `run-2` -> `run-3`, …, the first that does not exist."""
    whole = folder.resolve()
    stem, dash, number = whole.name.rpartition("-")
    if not (dash and number.isdecimal() and len(number) < 3):
        stem = whole.name
    free = (whole.with_name(f"{stem}-{n}") for n in count(2))
    return next(path for path in free if not path.exists())
