"""Freeing space: what of a run can go is set aside first, so that it can be undone."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from halo_forge.runs.aside import erase, list_set_aside, put_back, set_aside
from halo_forge.runs.housekeeping import plan_cleaning
from halo_forge.web.site import fields_of, site_of


def show(request: Request) -> Response:
    """Show what of a run can go without changing what it could become, and what lies aside."""
    site = site_of(request)
    entry = site.board.entry(request.path_params["run_id"])
    plan = plan_cleaning(entry.run.path, checkpoints=True, root=site.settings.runs_root)
    aside = list_set_aside(entry.run.path)
    return site.page(request, "space.html", title="Free space", entry=entry, plan=plan, aside=aside)


def free(request: Request) -> Response:
    """Set aside what was ticked."""
    site, run_id = site_of(request), request.path_params["run_id"]
    folder = site.board.find(run_id)
    plan = plan_cleaning(folder, checkpoints=True, root=site.settings.runs_root)
    wanted = {value for name, value in fields_of(request) if name == "path"}
    chosen = tuple(item for item in plan.leftovers if str(item.path.relative_to(folder)) in wanted)
    set_aside(plan._replace(leftovers=chosen))
    return _to(run_id)


def undo(request: Request) -> Response:
    """Put back what lies aside."""
    run_id = request.path_params["run_id"]
    put_back(site_of(request).board.find(run_id))
    return _to(run_id)


def forget(request: Request) -> Response:
    """Remove what lies aside for good."""
    run_id = request.path_params["run_id"]
    erase(site_of(request).board.find(run_id))
    return _to(run_id)


def _to(run_id: str) -> Response:
    return RedirectResponse(f"/runs/{run_id}/space", 303)


ROUTES = [
    Route("/runs/{run_id}/space", show),
    Route("/runs/{run_id}/space", free, methods=["POST"]),
    Route("/runs/{run_id}/space/undo", undo, methods=["POST"]),
    Route("/runs/{run_id}/space/erase", forget, methods=["POST"]),
]
