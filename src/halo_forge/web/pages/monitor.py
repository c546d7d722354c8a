"""Monitor: one run, live. The page polls with the place up to which it has read the run's events."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.runs.detail import Detail, read_detail
from halo_forge.runs.housekeeping import size_of
from halo_forge.runs.relaunch import COMMANDS
from halo_forge.runs.summary import CycleSummary
from halo_forge.web.board import ACTIVE, CAN_GO_ON, Entry, Standing
from halo_forge.web.figures import figures_of
from halo_forge.web.meters import read_run_meters
from halo_forge.web.pages.actions import CYCLE_BASED, resumed_from, why_not_resume
from halo_forge.web.pages.log import FILES, read_piece
from halo_forge.web.pages.samples import cycles_with_rollouts
from halo_forge.web.responses import download, existing, inert_page, inside
from halo_forge.web.site import site_of

MOST_BYTES = 1 << 20
# Drawing and verifying overlap, so that only their sum follows on from the others.
PHASES = {"collect": "draw and verify", "train": "train", "evaluate": "evaluate"}
DOWNLOADS = {
    "summary.json": "application/json",
    "config.yaml": "application/yaml",
    "launch_context.json": "application/json",
    "events.jsonl": "application/x-ndjson",
    "cycles.jsonl": "application/x-ndjson",
    "prompts.jsonl": "application/x-ndjson",
    "console.log": "text/plain",
    "process.log": "text/plain",
    "report.html": "text/html",
}


def show(request: Request) -> Response:
    """Draw the page of a run."""
    site = site_of(request)
    entry = site.board.entry(request.path_params["run_id"])
    folder = entry.run.path
    detail, problem = _detail(folder)
    command = COMMANDS.get(entry.run.kind)
    return site.page(
        request,
        "monitor.html",
        title=entry.run.name,
        entry=entry,
        detail=detail,
        figures=figures_of(folder),
        problem=problem,
        log=read_piece(existing(folder, FILES["console"])),
        resume_refused=(refused := why_not_resume(entry)),
        resume_said=_about_resuming(entry, refused),
        active=entry.standing in ACTIVE,
        slug=command.replace(" ", "-") if command else "",
        cycles=cycles_with_rollouts(folder),
        cycles_asked=detail.settings.get("cycles", 5) if detail and entry.run.kind == "raft" else 0,
        files=[name for name in DOWNLOADS if existing(folder, name)],
        rows=_rows_of(folder),
        has_report=existing(folder, "report.html") is not None,
        disk=size_of(folder),
        siblings=_lineage(request, entry.run.run_id, entry.run.parent),
    )


def live(request: Request) -> Response:
    """How the run stands, and its events from a place on."""
    site = site_of(request)
    entry = site.board.entry(request.path_params["run_id"])
    at = _whole_number(request.query_params.get("at", "0"))
    events, reached, more = read_events_from(entry.run.path, at)
    run = entry.run
    said = {
        "standing": entry.standing,
        "ended": run.ended,
        "progress": None if run.progress is None else run.progress.model_dump(mode="json"),
        "events": events,
        "at": reached,
        "more": more,
    }
    return Response(to_json(said, inf_nan_mode="null"), media_type="application/json")


def meters(request: Request) -> Response:
    """What the run takes of the machine."""
    return JSONResponse(read_run_meters(site_of(request).board.find(request.path_params["run_id"])))


def cycles(request: Request) -> Response:
    """The figures of each cycle, for charts."""
    folder = site_of(request).board.find(request.path_params["run_id"])
    detail, problem = _detail(folder)
    if detail is None:
        raise DataError(problem)
    return JSONResponse([_figures(cycle) for cycle in detail.cycles])


def file(request: Request) -> Response:
    """Give one of the run's files to be saved."""
    folder = site_of(request).board.find(request.path_params["run_id"])
    name = request.path_params["name"]
    if name not in DOWNLOADS and name not in _rows_of(folder):
        raise ConfigError(f"there is no download '{name[:80]}'; there are: {', '.join(DOWNLOADS)}")
    kind = DOWNLOADS.get(name, "application/x-ndjson")
    return download(inside(folder, name), f"{folder.name}-{name.replace('/', '-')}", kind)


def report(request: Request) -> Response:
    """Show the run's report; what it says is the run folder's, so nothing in it may act."""
    return inert_page(inside(site_of(request).board.find(request.path_params["run_id"]), "report.html"))


def _rows_of(folder: Path) -> list[str]:
    """The files of rollouts and of what was kept of them, as paths within the run."""
    found = [f"rollouts/{name}.jsonl" for name in cycles_with_rollouts(folder)]
    found += [name.replace("rollouts/", "kept/", 1) for name in found]
    return [name for name in found if existing(folder, name)]


def read_events_from(folder: Path, at: int) -> tuple[list[JsonValue], int, bool]:
    """Read the whole lines of a run's events from a place on.

    Returns:
        The events, the place reached, and whether there is more.
    """
    path = existing(folder, "events.jsonl")
    if path is None:
        return [], 0, False
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        at = at if at <= size else 0  # the file was begun anew
        stream.seek(at)
        block = stream.read(MOST_BYTES)
    cut = block.rfind(b"\n") + 1
    return _parsed(block[:cut].removesuffix(b"\n").split(b"\n")), at + cut, bool(cut) and at + cut < size


def _parsed(lines: list[bytes]) -> list[JsonValue]:
    """Read lines of JSON as one list, which takes a third of the time; what is no object is left out."""
    try:
        found = from_json(b"[" + b",".join(lines) + b"]")
    except ValueError:
        found = []
        for line in lines:
            with suppress(ValueError):
                found.append(from_json(line))
    return [event for event in found if isinstance(event, dict)]


def _about_resuming(entry: Entry, refused: str) -> str:
    """What the page says of going on: from where, or why not where one might look for it."""
    if not refused:
        return resumed_from(entry.run.path)
    looked_for = entry.standing in CAN_GO_ON or (entry.run.kind in CYCLE_BASED and entry.standing is Standing.SUCCEEDED)
    return f"Resume latest is off. {refused}" if looked_for else ""


def _detail(folder: Path) -> tuple[Detail | None, str]:
    try:
        return read_detail(folder), ""
    except (DataError, ValidationError) as error:
        return None, str(error)


def _figures(cycle: CycleSummary) -> dict[str, JsonValue]:
    drawn, held = cycle.rollouts, cycle.holdout
    first = held.pass_at.get("1") if held else None
    sampled = drawn.pass_at.get("1") if drawn else None
    return {
        "cycle": cycle.cycle,
        "kept": cycle.kept,
        "drawn": drawn.completions if drawn else None,
        "pass_rate": sampled.value if sampled else None,
        "held_out": first.value if first else None,
        "held_out_low": first.ci95[0] if first and first.ci95 else None,
        "held_out_high": first.ci95[1] if first and first.ci95 else None,
        "loss": cycle.training.mean_loss if cycle.training else None,
        "phases": {said: cycle.seconds[name] for name, said in PHASES.items() if name in cycle.seconds},
        "rewards": list(drawn.rewards) if drawn else None,
    }


def _lineage(request: Request, run_id: str, parent: str | None) -> list[tuple[str, str, str]]:
    """Runs that this one repeats, and that repeat it: (relation, name, id)."""
    found = []
    for entry in site_of(request).board.glance().entries:
        if parent is not None and entry.run.run_id == parent:
            found.append(("repeats", entry.run.name, entry.run.run_id))
        if entry.run.parent == run_id:
            found.append(("repeated by", entry.run.name, entry.run.run_id))
    return found


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ConfigError(f"at={text} is no place in a file: give a number from 0 on")
    return int(text)


ROUTES = [
    Route("/runs/{run_id}", show),
    Route("/runs/{run_id}/report", report),
    Route("/runs/{run_id}/files/{name:path}", file),
    Route("/api/runs/{run_id}/live", live),
    Route("/api/runs/{run_id}/cycles", cycles),
    Route("/api/runs/{run_id}/meters", meters),
]
