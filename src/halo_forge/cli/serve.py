"""`halo-forge serve`."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import click
import psutil

from halo_forge.cli.errors import debug_option
from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.cli.machine import GIB, nvidia_devices
from halo_forge.config.load import load
from halo_forge.config.serve import ServeConfig
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.stop import StopRequest, stop_on_signals
from halo_forge.generation.serving import (
    SERVED_NAME,
    Hardware,
    ServeCommand,
    Served,
    place_command,
    serve_command,
)

LOOK_PACE_S = 2.0


def command_for(config: ServeConfig) -> ServeCommand:
    """Look at the model and this machine, and put the command together."""
    memory = psutil.virtual_memory().available / GIB
    return serve_command(config, served_by(config), Hardware(len(nvidia_devices()), memory))


def served_by(config: ServeConfig) -> Served:
    """Look at the model."""
    from halo_forge.models.preview import read_context_length, read_head_size
    from halo_forge.models.resolve import ModelRef, resolve_model

    base = ModelRef(resolve_model(config.model).base)
    return Served(base.base, base.is_local, read_context_length(base), read_head_size(base))


def _serve(config_file: Path | None) -> None:
    config = load(ServeConfig, given_settings(click.get_current_context()), config_file).config
    if config.executor == "ray":
        _serve_on_ray(config)
        return
    command = command_for(config)
    click.echo(command.line)
    for remark in command.remarks:
        click.echo(f"note: {remark}", err=True)


def _serve_on_ray(config: ServeConfig) -> None:
    """Start servers on a cluster, print their addresses, and keep them until a signal comes."""
    from halo_forge.rollout.ray_cluster import check_address, connected
    from halo_forge.rollout.ray_servers import Engine, RayServers

    check_address(config.ray_address)
    model, memory, stop = served_by(config), psutil.virtual_memory().available / GIB, StopRequest()
    with connected(config.ray_address) as cluster, stop_on_signals(stop):
        on_gpu = config.device != "cpu" and any(node.gpus for node in cluster.nodes())
        if config.device == "cuda" and not on_gpu:
            raise EnvironmentFault("--device cuda: no node of the Ray cluster lends a GPU")
        command = place_command(config, model, memory, on_gpu=on_gpu)
        click.echo("starting servers, which takes as long as loading the model does", err=True)
        engine = Engine(command.words, {**command.environment, **_key()}, on_gpu)
        with closing(RayServers(cluster, engine)) as servers:
            click.echo(",".join(servers.addresses))
            click.echo(f"note: then --generator server --base-url with these, --server-model {SERVED_NAME}", err=True)
            while not stop.requested and servers.actors:
                time.sleep(LOOK_PACE_S)
                for notice in servers.look():
                    click.echo(f"note: {notice}", err=True)
            if not servers.actors:
                raise EnvironmentFault("every server was lost with its node: start nodes, then the same command again")


def _key() -> dict[str, str]:
    """The key that servers are to ask for, by the variable that runs send it from."""
    key = os.environ.get("HALO_FORGE_SERVER_KEY")
    return {} if key is None else {"VLLM_API_KEY": key}


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
