"""Datasets: the catalogue, what is being prepared from it, and the first rows of a file on this machine."""

from __future__ import annotations

import json
import os
from importlib.metadata import entry_points
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.plugins import DATASETS
from halo_forge.data.catalog import Dataset, find_dataset
from halo_forge.web.preparing import Preparation
from halo_forge.web.responses import inside
from halo_forge.web.site import Site, form_of, site_of

ROWS, LONGEST = 20, 1 << 20
DEPTH, MOST_FILES = 3, 200
SKIPPED = frozenset({"rollouts", "kept", "node_modules", "__pycache__"})


def show(request: Request) -> Response:
    """Draw the catalogue, the files there are, and the rows of one."""
    site = site_of(request)
    home = site.home
    name = request.query_params.get("file", "")
    rows, said = _rows(home, name) if name else ([], "")
    return site.page(
        request,
        "datasets.html",
        title="Datasets",
        datasets=_catalogue(),
        preparations=_shown(site),
        files=_files(home),
        home=home,
        file=name,
        rows=rows,
        said=said,
    )


def live(request: Request) -> Response:
    """Draw the part of the page that changes."""
    site = site_of(request)
    return site.page(request, "preparations.html", preparations=_shown(site))


def stop(request: Request) -> Response:
    """Ask a preparation to stop."""
    site_of(request).preparations.stop(form_of(request).get("id", ""))
    return RedirectResponse("/datasets", 303)


def go_on(request: Request) -> Response:
    """Go on with a preparation."""
    site_of(request).preparations.go_on(form_of(request).get("id", ""))
    return RedirectResponse("/datasets", 303)


def _shown(site: Site) -> list[tuple[Preparation, str]]:
    """Preparations, each with the name of its file as seen from the page's folder."""
    return [(one, os.path.relpath(one.job.output, site.home)) for one in site.preparations.latest()]


def _catalogue() -> list[Dataset]:
    found = []
    for entry in sorted(entry_points(group=DATASETS), key=lambda entry: entry.name):
        try:
            found.append(find_dataset(entry.name))
        except (ConfigError, ImportError, AttributeError):
            continue
    return sorted(found, key=lambda dataset: (dataset.domain, dataset.name))


def _files(home: Path) -> list[tuple[str, int]]:
    """Files of rows below the folder the server was started in, not those inside runs."""
    found: list[tuple[str, int]] = []
    folders = [(home, 0)]
    while folders and len(found) < MOST_FILES:
        folder, depth = folders.pop()
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        if any(entry.name == "launch_context.json" for entry in entries):
            continue
        for entry in entries:
            if entry.is_symlink() or entry.name.startswith("."):
                continue
            if entry.is_dir() and depth < DEPTH and entry.name not in SKIPPED:
                folders.append((entry, depth + 1))
            elif entry.suffix == ".jsonl" and entry.is_file():
                found.append((str(entry.relative_to(home)), entry.stat().st_size))
    return sorted(found)[:MOST_FILES]


def _rows(home: Path, name: str) -> tuple[list[list[tuple[str, str]]], str]:
    """The first rows of a file, each as its columns; and what is wrong with it, if anything is."""
    if not name.endswith(".jsonl"):
        raise ConfigError(f"only files of rows (.jsonl) are shown, not {name[:80]}")
    rows: list[list[tuple[str, str]]] = []
    with inside(home, name).open("rb") as file:
        for number in range(1, ROWS + 1):
            line = file.readline(LONGEST)
            if not line:
                break
            try:
                row = json.loads(line)
            except ValueError as error:
                return rows, f"line {number} is not JSON: {error}"
            if not isinstance(row, dict):
                return rows, f"line {number} is not an object with columns"
            rows.append([(key, _cell(value)) for key, value in row.items()])
    if not rows:
        raise DataError(f"{name} has no rows")
    return rows, ""


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


ROUTES = [
    Route("/datasets", show),
    Route("/datasets/live", live),
    Route("/datasets/stop", stop, methods=["POST"]),
    Route("/datasets/go-on", go_on, methods=["POST"]),
]
