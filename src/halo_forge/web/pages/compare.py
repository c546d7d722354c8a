"""Any number of runs side by side: curves, pass@k with intervals, paired tests, and which settings differ."""

from __future__ import annotations

import json
from typing import NamedTuple

from pydantic import JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from halo_forge.benchmark.compare import compare_runs
from halo_forge.core.errors import ConfigError, DataError
from halo_forge.rollout.records import read_records
from halo_forge.runs.comparison import Comparison
from halo_forge.runs.run_dir import CYCLES_FILE, read_launch
from halo_forge.runs.summary import CycleSummary
from halo_forge.web.board import Entry
from halo_forge.web.figures import figures_of
from halo_forge.web.responses import existing
from halo_forge.web.site import site_of

MOST_STEPS = 4_000


class Setting(NamedTuple):
    """A setting that is not the same in all runs, with its value in each."""

    name: str
    values: tuple[JsonValue, ...]


def show(request: Request) -> Response:
    """Draw the comparison."""
    entries = _entries(request)
    comparison, refused = _compare(entries) if len(entries) > 1 else (None, "")
    figures = {entry.run.run_id: figures_of(entry.run.path) for entry in entries}
    metrics = list(dict.fromkeys(metric for each in figures.values() for metric in each))
    return site_of(request).page(
        request,
        "compare.html",
        title="Compare runs",
        entries=entries,
        comparison=comparison,
        names={str(entry.run.path): entry.run.name for entry in entries},
        refused=refused,
        figures=figures,
        metrics=metrics,
        settings=_settings(entries),
        query="&".join(f"run={entry.run.run_id}" for entry in entries),
    )


def curves(request: Request) -> Response:
    """Loss by step and held-out pass@1 by cycle of each run."""
    return JSONResponse([_curves(entry) for entry in _entries(request)])


def _entries(request: Request) -> list[Entry]:
    wanted = list(dict.fromkeys(request.query_params.getlist("run")))
    if not wanted:
        raise ConfigError("choose runs in Results first, then compare them")
    return [site_of(request).board.entry(run_id) for run_id in wanted]


def _compare(entries: list[Entry]) -> tuple[Comparison | None, str]:
    try:
        return compare_runs([str(entry.run.path) for entry in entries]), ""
    except (DataError, ValidationError, OSError) as error:
        said = " ".join(str(error).split())
        for entry in entries:
            said = said.replace(str(entry.run.path), entry.run.name)
        return None, said[:1_500]


def _settings(entries: list[Entry]) -> list[Setting]:
    all_params = []
    for entry in entries:
        context = read_launch(entry.run.path)
        all_params.append(context.params if context is not None else {})
    names = sorted({name for params in all_params for name in params} - {"output"})
    rows = [Setting(name, tuple(params.get(name) for params in all_params)) for name in names]
    return [row for row in rows if len({json.dumps(value, sort_keys=True) for value in row.values}) > 1]


def _curves(entry: Entry) -> dict[str, JsonValue]:
    folder = entry.run.path
    losses: list[JsonValue] = []
    events = existing(folder, "events.jsonl")
    if events is not None:
        with events.open("rb") as lines:
            losses = [event for line in lines if b'"step"' in line and (event := _loss(line)) is not None]
    thin = max(1, len(losses) // MOST_STEPS)
    cycles: list[JsonValue] = []
    if existing(folder, CYCLES_FILE) is not None:
        for cycle in read_records(folder / CYCLES_FILE, CycleSummary):
            first = cycle.holdout.pass_at.get("1") if cycle.holdout else None
            cycles.append([cycle.cycle, first.value if first else None])
    pass_at: list[JsonValue] = [
        [int(k), estimate.value]
        for name, estimate in figures_of(folder).items()
        if (k := name.rpartition("pass@")[2]).isdecimal() and not name.startswith("greedy")
    ]
    curves = {"losses": losses[::thin], "cycles": cycles, "pass_at": pass_at}
    return {"run_id": entry.run.run_id, "name": entry.run.name, **curves}


def _loss(line: bytes) -> JsonValue:
    try:
        event = json.loads(line)
        found = event["m"].get("loss") if event["type"] == "step" else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if isinstance(found, (int, float)) else None


ROUTES = [Route("/compare", show), Route("/api/compare", curves)]
