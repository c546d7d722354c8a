"""`halo-forge ui`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from halo_forge.cli.errors import debug_option
from halo_forge.core.errors import EnvironmentFault

PORT = 8899
GRACE_S = 2


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; another needs a --token.")
@click.option("--port", type=click.IntRange(1, 65_535), default=PORT, show_default=True, help="Port to listen at.")
@click.option(
    "--runs-root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of the runs; what is launched stays below it.",
)
@click.option(
    "--token",
    envvar="HALO_FORGE_UI_TOKEN",
    help="What a visitor must know, at least 16 characters; better in the variable HALO_FORGE_UI_TOKEN.",
)
@click.option(
    "--slots",
    type=click.IntRange(min=1),
    help="Runs the queue has going at a time; by default one an accelerator, or one if there is none.",
)
def ui(host: str, port: int, runs_root: Path, token: str | None, slots: int | None) -> None:
    """Open the web page: launch runs, watch them, look at samples, compare results.

    It listens on this machine only. Runs go on when it ends, and are found again when it starts.
    """
    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise EnvironmentFault(f"the page needs {' and '.join(missing)}: pip install 'halo-forge[web]'")
    import uvicorn

    from halo_forge.web.app import open_site
    from halo_forge.web.settings import Settings

    settings = Settings(runs_root=runs_root.absolute(), host=host, port=port, token=token, slots=slots)
    with open_site(settings) as app:
        click.echo(f"halo-forge page at http://{host}:{port}/ for the runs in {settings.runs_root}", err=True)
        uvicorn.run(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )


ui.params.append(debug_option())
