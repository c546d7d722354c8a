"""What all pages share: settings, the queue, the index of runs, and how a page is drawn."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from halo_forge import __version__
from halo_forge.core.words import count, duration, percent
from halo_forge.report.wording import visible
from halo_forge.web import assets
from halo_forge.web.board import Board
from halo_forge.web.forms import label_of
from halo_forge.web.preparing import Preparations
from halo_forge.web.security import new_secret
from halo_forge.web.settings import Settings
from halo_forge.web.wording import age, clock, pretty, short, size

NAVIGATION = (
    ("/", "Dashboard"),
    ("/train", "Training"),
    ("/benchmark", "Benchmark"),
    ("/results", "Results"),
    ("/datasets", "Datasets"),
    ("/verifiers", "Verifiers"),
    ("/config", "Config"),
)


@dataclass
class Site:
    """The one server of a folder of runs.

    Args:
        home: the folder it was started in, which relative paths of settings count from.
    """

    settings: Settings
    board: Board
    secret: bytes
    home: Path = field(default_factory=Path.cwd)
    preparations: Preparations = field(init=False)
    templates: Environment = field(init=False)

    def __post_init__(self) -> None:
        self.preparations = Preparations(self.settings.state_folder / "preparations", self.home)
        self.templates = Environment(
            loader=PackageLoader("halo_forge.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters |= {
            "age": age,
            "clock": clock,
            "label": label_of,
            "duration": duration,
            "percent": percent,
            "pretty": pretty,
            "short": short,
            "size": size,
            "visible": visible,
            "quote": lambda text: quote(str(text), safe=""),
        }
        self.templates.globals |= {
            "count": count,
            "here": here,
            "navigation": NAVIGATION,
            "static": assets.address(),
            "version": __version__,
        }

    def page(self, request: Request, template: str, status: int = 200, **context: object) -> HTMLResponse:
        """Draw a page."""
        text = self.templates.get_template(template).render(
            csrf=request.scope["csrf"], path=request.url.path, root=self.settings.runs_root, **context
        )
        return HTMLResponse(text, status)


def here(path: str) -> str:
    """The page of the navigation that an address belongs to, or ""."""
    first = "/" + path.split("/")[1]
    if first == "/new":
        if path.startswith("/new/data-"):
            return "/datasets"
        measuring = path.startswith(("/new/benchmark", "/new/verify")) or path.endswith("-benchmark")
        return "/benchmark" if measuring else "/train"
    return "/results" if first in ("/runs", "/compare") else first


def site_of(request: Request) -> Site:
    """The site a request is for."""
    site: Site = request.app.state.site
    return site


def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; of one that is given several times, the last."""
    return dict(fields_of(request))


def fields_of(request: Request) -> list[tuple[str, str]]:
    """The fields of a form, in order; the guard has read them."""
    fields: list[tuple[str, str]] = request.scope["form"]
    return fields


def read_secret(folder: Path) -> bytes:
    """Return the key that signs forms, so that pages which are open live through a restart; made at the first."""
    file = folder / "secret"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        found = file.read_bytes()
        if len(found) == 32:
            return found
        file.unlink()
        return read_secret(folder)
    secret = new_secret()
    try:
        os.write(descriptor, secret)
    finally:
        os.close(descriptor)
    return secret
