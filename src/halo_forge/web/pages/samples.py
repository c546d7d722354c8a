"""The sample browser: every completion of a run, filtered, searched, sorted and paged where the files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.types import Rollout, Stage
from halo_forge.rollout.decision import Decision
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch
from halo_forge.web.media import Turn, folders_of, turns
from halo_forge.web.shelf import SHELF, read_prompts, search
from halo_forge.web.site import site_of
from halo_forge.web.words import difference

PAGE = 25
SORTS = {
    "drawn": lambda s: s.offset,
    "reward": lambda s: -2.0 if s.reward is None else s.reward,
    "tokens": lambda s: s.tokens,
    "prompt": lambda s: (s.prompt_id, s.number),
}
OUTCOMES = ("", "passed", "failed", "unverified")
KEPT = ("", "kept", "dropped")


@dataclass(frozen=True)
class Question:
    """What of the samples is asked for."""

    file: str
    outcome: str = ""
    stage: str = ""
    kept: str = ""
    text: str = ""
    sort: str = "drawn"
    down: bool = False
    page: int = 1

    def address(self, **changes: object) -> str:
        """The query that asks the same with some changes."""
        values = {
            "file": self.file,
            "outcome": self.outcome,
            "stage": self.stage,
            "kept": self.kept,
            "q": self.text,
            "sort": self.sort,
            "down": "1" if self.down else "",
            "page": self.page,
            **changes,
        }
        return "?" + urlencode({key: value for key, value in values.items() if value not in ("", None)})


def cycles_with_rollouts(folder: Path) -> list[str]:
    """Names of the files of rollouts that a run has, in the order of cycles."""
    found = (folder / "rollouts").glob("*.jsonl")
    return sorted((path.stem for path in found if path.is_file() and not path.is_symlink()), key=_in_order)


def _in_order(name: str) -> tuple[int, str]:
    number = name.rpartition("_")[2]
    return (int(number) if number.isascii() and number.isdecimal() else -1, name)


def show(request: Request) -> Response:
    """A page of samples."""
    site = site_of(request)
    entry = site.board.entry(request.path_params["run_id"])
    folder = entry.run.path
    files = cycles_with_rollouts(folder)
    question = _question(request, files)
    found: list[Sketch] = []
    chosen: list[tuple[Sketch, Rollout]] = []
    total, histogram = 0, [0] * 10
    decisions: dict[tuple[str, int], Decision] = {}
    if question.file:
        path = folder / "rollouts" / f"{question.file}.jsonl"
        sketches = SHELF.sketches(path)
        decisions = SHELF.decisions(folder / "kept" / f"{question.file}.jsonl")
        total = len(sketches)
        for one in sketches:
            if one.reward is not None:
                histogram[min(9, int(one.reward * 10))] += 1
        found = _filtered(path, sketches, decisions, question)
        begin = (question.page - 1) * PAGE
        shown = found[begin : begin + PAGE]
        chosen = list(zip(shown, RolloutFile(path).read(shown), strict=True))
    return site.page(
        request,
        "samples.html",
        title=f"Samples of {entry.run.name}",
        entry=entry,
        files=files,
        question=question,
        samples=chosen,
        decisions=decisions,
        found=len(found),
        total=total,
        pages=max(1, -(-len(found) // PAGE)),
        first=(question.page - 1) * PAGE + 1,
        histogram=histogram,
        most=max(histogram) or 1,
        prompts=_prompts(folder, {rollout.prompt_id for _, rollout in chosen}),
        stages=[str(stage) for stage in Stage],
        outcomes=OUTCOMES,
        sorts=list(SORTS),
    )


def compare_two(request: Request) -> Response:
    """Two completions side by side."""
    site = site_of(request)
    entry = site.board.entry(request.path_params["run_id"])
    keys = request.query_params.getlist("sample")
    if len(keys) != 2:
        raise ConfigError(f"a comparison takes two samples; {len(keys)} were chosen")
    left, right = (_one(entry.run.path, key) for key in keys)
    return site.page(
        request,
        "difference.html",
        title="Two completions",
        entry=entry,
        left=left,
        right=right,
        prompts=_prompts(entry.run.path, {left.prompt_id, right.prompt_id}),
        rows=difference(left.completion.text, right.completion.text),
    )


def page_as_json(request: Request) -> Response:
    """One page of samples for a program; the same parameters as the page."""
    site = site_of(request)
    folder = site.board.find(request.path_params["run_id"])
    question = _question(request, cycles_with_rollouts(folder))
    if not question.file:
        return JSONResponse({"total": 0, "samples": []})
    path = folder / "rollouts" / f"{question.file}.jsonl"
    decisions = SHELF.decisions(folder / "kept" / f"{question.file}.jsonl")
    found = _filtered(path, SHELF.sketches(path), decisions, question)
    begin = (question.page - 1) * PAGE
    rollouts = [rollout.model_dump(mode="json") for rollout in RolloutFile(path).read(found[begin : begin + PAGE])]
    return JSONResponse({"total": len(found), "samples": rollouts})


def _question(request: Request, files: list[str]) -> Question:
    given = request.query_params
    newest = [name for name in files if name.startswith("cycle_")] or files
    file = given.get("file", newest[-1] if newest else "")
    if file and file not in files:
        raise ConfigError(f"this run has no rollouts '{file[:80]}'; it has {', '.join(files) or 'none'}")
    page = given.get("page", "1")
    if not (page.isascii() and page.isdecimal() and 0 < len(page) < 8):
        raise ConfigError(f"page={page[:20]} is no number of a page")
    question = Question(
        file=file,
        outcome=given.get("outcome", ""),
        stage=given.get("stage", ""),
        kept=given.get("kept", ""),
        text=given.get("q", "")[:500],
        sort=given.get("sort", "drawn"),
        down=given.get("down", "") == "1",
        page=max(1, int(page)),
    )
    for value, allowed in (
        (question.outcome, OUTCOMES),
        (question.stage, ("", *Stage)),
        (question.kept, KEPT),
        (question.sort, tuple(SORTS)),
    ):
        if value not in allowed:
            raise ConfigError(f"'{value[:40]}' is none of {', '.join(filter(None, allowed))}")
    return question


def _filtered(
    path: Path, sketches: list[Sketch], decisions: dict[tuple[str, int], Decision], question: Question
) -> list[Sketch]:
    found = [one for one in sketches if _fits(one, decisions, question)]
    if question.text:
        found = search(path, found, question.text)
    if question.sort != "drawn":
        found.sort(key=SORTS[question.sort])
    if question.down:
        found.reverse()
    return found


def _fits(one: Sketch, decisions: dict[tuple[str, int], Decision], question: Question) -> bool:
    if question.outcome:
        outcome = "unverified" if one.reward is None else "passed" if one.passed else "failed"
        if outcome != question.outcome:
            return False
    if question.stage and one.stage != question.stage:
        return False
    if question.kept:
        decision = decisions.get((one.prompt_id, one.number))
        return decision is not None and decision.kept == (question.kept == "kept")
    return True


def _one(folder: Path, key: str) -> Rollout:
    """Find a sample by `FILE:OFFSET`."""
    file, _, place = key.rpartition(":")
    if file not in cycles_with_rollouts(folder) or not (place.isascii() and place.isdecimal() and len(place) < 19):
        raise ConfigError(f"there is no sample '{key[:80]}'")
    path = folder / "rollouts" / f"{file}.jsonl"
    sketch = next((one for one in SHELF.sketches(path) if one.offset == int(place)), None)
    if sketch is None:
        raise DataError(f"there is no sample '{key[:80]}'")
    return next(RolloutFile(path).read([sketch]))


def _prompts(folder: Path, wanted: set[str]) -> dict[str, tuple[Turn, ...]]:
    found, folders = read_prompts(SHELF, folder / "prompts.jsonl", wanted), folders_of(folder)
    return {name: turns(prompt, folders) for name, prompt in found.items()}


ROUTES = [
    Route("/runs/{run_id}/samples", show),
    Route("/runs/{run_id}/difference", compare_two),
    Route("/api/runs/{run_id}/samples", page_as_json),
]
