"""`halo-forge serve`."""

from __future__ import annotations

from pathlib import Path

import click
import psutil

from halo_forge.cli.errors import debug_option
from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.cli.machine import GIB, nvidia_devices
from halo_forge.config.load import load
from halo_forge.config.serve import ServeConfig
from halo_forge.generation.serving import Hardware, ServeCommand, Served, serve_command


def command_for(config: ServeConfig) -> ServeCommand:
    """Look at the model and this machine, and put the command together."""
    from halo_forge.models.load import read_context_length, read_head_size
    from halo_forge.models.resolve import ModelRef, resolve_model

    base = ModelRef(resolve_model(config.model).base)
    served = Served(base.base, base.is_local, read_context_length(base), read_head_size(base))
    memory = psutil.virtual_memory().available / GIB
    return serve_command(config, served, Hardware(len(nvidia_devices()), memory))


def _serve(config_file: Path | None) -> None:
    command = command_for(load(ServeConfig, given_settings(click.get_current_context()), config_file).config)
    click.echo(command.line)
    for remark in command.remarks:
        click.echo(f"note: {remark}", err=True)


serve = SettingsCommand(
    "serve",
    params=[
        *settings(ServeConfig),
        click.Option(
            ["--config", "config_file"],
            type=click.Path(path_type=Path),
            help="YAML file of settings; flags override it.",
        ),
        debug_option(),
    ],
    callback=lambda config_file, **_: _serve(config_file),
    help=ServeConfig.__doc__,
    short_help="The command that starts a server for --generator server.",
)
