"""The first page: the machine, the queue, what runs and what ran last."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from halo_forge.web.board import ACTIVE
from halo_forge.web.meters import read_meters
from halo_forge.web.pages.actions import queue_of, why_not_resume
from halo_forge.web.site import site_of

RECENT = 8


def show(request: Request) -> Response:
    """Draw the dashboard."""
    site = site_of(request)
    return site.page(request, "dashboard.html", title="Dashboard", **_content(request))


def live(request: Request) -> Response:
    """Draw the part of the dashboard that changes."""
    return site_of(request).page(request, "dashboard_live.html", **_content(request))


def meters(request: Request) -> Response:
    """What the machine is doing."""
    return JSONResponse(read_meters(site_of(request).settings.runs_root))


def _content(request: Request) -> dict[str, Any]:
    site = site_of(request)
    glance = site.board.glance()
    by_path = {entry.run.path: entry for entry in glance.entries}
    return {
        "active": [entry for entry in glance.entries if entry.standing in ACTIVE],
        "waiting": [by_path[folder] for folder in queue_of(request).waiting if folder in by_path],
        "recent": [entry for entry in glance.entries if entry.standing not in ACTIVE and entry.standing != "queued"][
            :RECENT
        ],
        "total": len(glance.entries),
        "unreadable": glance.unreadable,
        "slots": queue_of(request).slots,
        "why_not_resume": why_not_resume,
    }


ROUTES = [Route("/", show), Route("/live", live), Route("/api/meters", meters)]
