"""The server: routes, errors, start and end."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from halo_forge.core.errors import EnvironmentFault, HaloError, RunConflictError, RunLockedError
from halo_forge.web import assets
from halo_forge.web.board import Board
from halo_forge.web.meters import visible_accelerators
from halo_forge.web.pages import (
    actions,
    choose,
    compare,
    config,
    dashboard,
    datasets,
    launch,
    log,
    login,
    media,
    monitor,
    results,
    samples,
    space,
    verifiers,
)
from halo_forge.web.queue import Queue
from halo_forge.web.security import Guard
from halo_forge.web.settings import Settings
from halo_forge.web.site import Site, read_secret, site_of

OF_A_RUN = (monitor, actions, samples, media, log, space)
PAGES = (dashboard, choose, launch, *OF_A_RUN, results, compare, verifiers, datasets, config, login)


@contextmanager
def open_site(settings: Settings) -> Iterator[Starlette]:
    """Take the folder of runs, and give its server.

    Raises:
        RunLockedError: another server has that folder.
        EnvironmentFault: the folder cannot be written.
    """
    with _hold_folder(settings):
        board = Board(settings.runs_root)
        site = Site(settings, board, read_secret(settings.state_folder))
        accelerators = visible_accelerators()
        queue = Queue(board, settings.slots or max(1, len(accelerators)), accelerators)
        app = make_app(site, queue)
        yield app


def make_app(site: Site, queue: Queue) -> Starlette:
    """Put the pages together."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        queue.start()
        yield
        queue.close()

    routes = [route for page in PAGES for route in page.ROUTES]
    app = Starlette(
        routes=[*routes, *assets.mounts()],
        middleware=[Middleware(Guard, settings=site.settings, secret=site.secret)],
        exception_handlers={
            HaloError: _known,
            ValidationError: _unreadable,
            OSError: _gone,
            404: _absent,
            405: _absent,
        },
        lifespan=lifespan,
    )
    app.state.site = site
    app.state.queue = queue
    return app


@contextmanager
def _hold_folder(settings: Settings) -> Iterator[None]:
    folder = settings.state_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EnvironmentFault(f"cannot write below --runs-root {settings.runs_root}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunLockedError(
                f"another page serves {settings.runs_root} already (process {os.pread(descriptor, 32, 0).decode()}); "
                "use that one, stop it, or give another --runs-root"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _known(request: Request, error: Exception) -> Response:
    missing = isinstance(error, RunConflictError) and str(error).startswith("there is no run")
    return _problem(request, 404 if missing else 409 if isinstance(error, RunConflictError) else 400, str(error))


def _unreadable(request: Request, error: Exception) -> Response:
    first = " ".join(str(error).split())[:400]
    return _problem(request, 422, f"a file of this run cannot be read: {first}")


def _gone(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return _problem(request, 404, f"a file cannot be read: {error.strerror}")


def _absent(request: Request, error: Exception) -> Response:
    return _problem(request, 404, "There is no such page.")


def _problem(request: Request, status: int, message: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": message}, status)
    return site_of(request).page(request, "problem.html", status, title="Not so fast", message=message)
