"""What a person does to a run: stop, kill, go on, run again, wait elsewhere in the queue."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from halo_forge.core.errors import ConfigError, ModelError, RunConflictError
from halo_forge.runs.housekeeping import CHECKPOINT
from halo_forge.runs.prepare import prepare_run
from halo_forge.runs.relaunch import plan_rerun, plan_resume
from halo_forge.runs.run_dir import read_checkpoint
from halo_forge.web.board import CAN_GO_ON, Entry, Standing
from halo_forge.web.forms import equivalent_command
from halo_forge.web.queue import Queue
from halo_forge.web.site import form_of, site_of

CYCLE_BASED = frozenset({"raft", "vlm", "audio", "reasoning", "agentic"})
MOVES = {"up": -1, "down": 1}


def queue_of(request: Request) -> Queue:
    """The queue of the site."""
    queue: Queue = request.app.state.queue
    return queue


def why_not_resume(entry: Entry) -> str:
    """Why a run cannot be resumed from the page, or "" if it can."""
    kind = entry.run.kind
    if kind not in CYCLE_BASED:
        return (
            f"Only runs with cycles go on from a checkpoint; {_a(kind)} run is run again, or cloned to the form. "
            f"In a terminal, halo-forge runs resume continues an interrupted one."
        )
    if entry.standing in CAN_GO_ON:
        return ""
    if entry.standing is Standing.SUCCEEDED:
        return "It has finished. halo-forge runs resume --set cycles=N adds cycles; Clone to form starts anew."
    return f"It is {entry.standing}."


def resumed_from(folder: Path) -> str:
    """Where a run would go on, by the newest checkpoint that it finished."""
    found = [(int(name[1]), path) for path in folder.iterdir() if (name := CHECKPOINT.fullmatch(path.name))]
    for _, path in sorted(found, reverse=True):
        try:
            checkpoint = read_checkpoint(path)
        except ModelError:
            continue
        if checkpoint is not None:
            return f"It goes on after cycle {checkpoint.cycle}, optimiser step {checkpoint.step:,}."
    return "No cycle is finished yet: it goes on within the first."


def stop(request: Request) -> Response:
    """Ask a run to stop at its next safe point; one that waits leaves the queue."""
    return _end(request, kill=False)


def kill(request: Request) -> Response:
    """End a run at once."""
    return _end(request, kill=True)


def resume(request: Request) -> Response:
    """Queue a run to go on from its latest checkpoint."""
    site, run_id = site_of(request), request.path_params["run_id"]
    entry = site.board.entry(run_id)
    if reason := why_not_resume(entry):
        raise RunConflictError(f"this run is not resumed: {reason}")
    plan_resume(entry.run.path, {})  # refuses what could not go on
    queue_of(request).submit(entry.run.path)
    return _to(run_id)


def rerun(request: Request) -> Response:
    """Queue a new run with the settings of this one."""
    site = site_of(request)
    folder = site.board.find(request.path_params["run_id"])
    plan = plan_rerun(folder, None, {})
    output = Path(plan.loaded.config.model_dump()["output"])
    if not output.is_relative_to(site.settings.runs_root):
        raise RunConflictError(f"{output} is not below {site.settings.runs_root}; clone the run to the form instead")
    line = equivalent_command(plan.command, plan.loaded.config)
    run_id = prepare_run(plan.command, plan.loaded, output, (line,), cwd=plan.cwd)
    queue_of(request).submit(output)
    site.board.forget()
    return _to(run_id)


def move(request: Request) -> Response:
    """Let a run that waits change places."""
    where = form_of(request).get("where", "")
    if where not in MOVES:
        raise ConfigError(f"a run moves up or down the queue, not '{where}'")
    queue_of(request).move(site_of(request).board.find(request.path_params["run_id"]), MOVES[where])
    return RedirectResponse("/", 303)


def _end(request: Request, *, kill: bool) -> Response:
    site, run_id = site_of(request), request.path_params["run_id"]
    folder = site.board.find(run_id)
    queue = queue_of(request)
    if folder in queue.waiting:
        queue.withdraw(folder)
    else:
        queue.stop(folder, kill=kill)
    return _to(run_id)


def _to(run_id: str) -> Response:
    return RedirectResponse(f"/runs/{run_id}", 303)


def _a(kind: str) -> str:
    return f"an {kind}" if kind[:1] in "aeio" or kind == "sft" else f"a {kind}"


ROUTES = [
    Route("/runs/{run_id}/stop", stop, methods=["POST"]),
    Route("/runs/{run_id}/kill", kill, methods=["POST"]),
    Route("/runs/{run_id}/resume", resume, methods=["POST"]),
    Route("/runs/{run_id}/rerun", rerun, methods=["POST"]),
    Route("/runs/{run_id}/move", move, methods=["POST"]),
]
