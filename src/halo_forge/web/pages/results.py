"""Results: every run in a table, filtered, sorted, and exported."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from halo_forge.core.errors import ConfigError
from halo_forge.web.board import Entry, Standing
from halo_forge.web.responses import attachment
from halo_forge.web.site import site_of

PAGE = 50
SORTS: dict[str, Callable[[Entry], tuple[int, float | str]]] = {
    "started": lambda e: (0, e.run.created_at),
    "name": lambda e: (0, e.run.name),
    "kind": lambda e: (0, e.run.kind),
    "state": lambda e: (0, str(e.standing)),
    "model": lambda e: (0, e.run.model),
    "figure": lambda e: (0, "") if e.run.headline is None else (1, e.run.headline.value),
}
COLUMNS = {"name": "Run", "kind": "Kind", "state": "State", "model": "Model", "figure": "Figure", "started": "Started"}


@dataclass(frozen=True)
class Question:
    """What of the table is asked for."""

    kind: str
    state: str
    text: str
    sort: str
    down: bool
    page: int

    def address(self, **changes: object) -> str:
        """The query that asks the same with some changes."""
        values = {
            "kind": self.kind,
            "state": self.state,
            "q": self.text,
            "sort": self.sort,
            "down": "1" if self.down else "0",
            "page": self.page,
            **changes,
        }
        return "?" + urlencode({key: value for key, value in values.items() if value not in ("", None)})


def show(request: Request) -> Response:
    """Draw the table."""
    site = site_of(request)
    glance = site.board.glance(fresh=True)
    question = _question(request)
    found = _chosen(glance.entries, question)
    begin = (question.page - 1) * PAGE
    return site.page(
        request,
        "results.html",
        title="Results",
        entries=found[begin : begin + PAGE],
        found=len(found),
        total=len(glance.entries),
        pages=max(1, -(-len(found) // PAGE)),
        question=question,
        kinds=sorted({entry.run.kind for entry in glance.entries}),
        states=[str(state) for state in Standing],
        columns=COLUMNS,
        unreadable=glance.unreadable,
    )


def as_csv(request: Request) -> Response:
    """The table as it is filtered, for a spreadsheet."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_FIELDS), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _unformulaic(value) for key, value in row.items()} for row in _rows(request))
    return attachment(text.getvalue(), "results.csv", "text/csv")


def as_json(request: Request) -> Response:
    """The table as it is filtered, for a program."""
    return JSONResponse(_rows(request))


def _rows(request: Request) -> list[dict[str, JsonValue]]:
    entries = site_of(request).board.glance(fresh=True).entries
    return [_row(entry) for entry in _chosen(entries, _question(request))]


_FIELDS = ("run_id", "name", "kind", "state", "model", "figure", "value", "created_at", "parent", "path")


def _row(entry: Entry) -> dict[str, JsonValue]:
    run = entry.run
    return {
        "run_id": run.run_id,
        "name": run.name,
        "kind": run.kind,
        "state": str(entry.standing),
        "model": run.model,
        "figure": run.headline.name if run.headline else None,
        "value": run.headline.value if run.headline else None,
        "created_at": run.created_at,
        "parent": run.parent,
        "path": str(run.path),
    }


def _unformulaic(value: JsonValue) -> JsonValue:
    """A cell that no spreadsheet takes for a formula, since a run folder's words may come from anybody."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _chosen(entries: tuple[Entry, ...], question: Question) -> list[Entry]:
    words = question.text.lower().split()
    found = [
        entry
        for entry in entries
        if question.kind in ("", entry.run.kind)
        and question.state in ("", entry.standing)
        and all(word in f"{entry.run.name} {entry.run.run_id} {entry.run.model}".lower() for word in words)
    ]
    return sorted(found, key=SORTS[question.sort], reverse=question.down)


def _question(request: Request) -> Question:
    given = request.query_params
    sort, page = given.get("sort", "started"), given.get("page", "1")
    if sort not in SORTS:
        raise ConfigError(f"sort={sort[:40]}: there is {', '.join(SORTS)}")
    if not (page.isascii() and page.isdecimal() and 0 < len(page) < 8):
        raise ConfigError(f"page={page[:20]} is no number of a page")
    return Question(
        kind=given.get("kind", ""),
        state=given.get("state", ""),
        text=given.get("q", "")[:200],
        sort=sort,
        down=given.get("down", "1" if sort == "started" else "0") == "1",
        page=max(1, int(page)),
    )


ROUTES = [
    Route("/results", show),
    Route("/results.csv", as_csv),
    Route("/api/results", as_json),
]
