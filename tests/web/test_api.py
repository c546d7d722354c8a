"""Every address with whatever a program may send: no answer is an error of the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from page_server import Server, serving
from sample_runs import finished_run, with_samples

from halo_forge.config.schemas import SCHEMAS
from halo_forge.core.types import Completion, Rollout, Stage, Verdict
from halo_forge.rollout.records import append_records
from halo_forge.web.app import PAGES
from halo_forge.web.security import CSRF_HEADER, SESSION

# Judging a program takes a second each; starting runs has tests of its own.
LEFT_OUT = {("/verifiers", "POST"), ("/runs/{run_id}/rerun", "POST"), ("/runs/{run_id}/resume", "POST")}
QUERIES = {
    "/results": ("kind", "state", "q", "sort", "down", "page"),
    "/results.csv": ("kind", "state", "q", "sort", "down", "page"),
    "/api/results": ("kind", "state", "q", "sort", "down", "page"),
    "/compare": ("run",),
    "/api/compare": ("run",),
    "/datasets": ("file",),
    "/new/{slug}": ("from", "preset", "model", "prompts", "cycles"),
    "/runs/{run_id}/samples": ("file", "outcome", "stage", "kept", "q", "sort", "down", "page"),
    "/api/runs/{run_id}/samples": ("file", "outcome", "stage", "kept", "q", "sort", "down", "page"),
    "/runs/{run_id}/difference": ("sample",),
    "/runs/{run_id}/media": ("prompt", "part", "large"),
    "/api/runs/{run_id}/live": ("at",),
    "/api/runs/{run_id}/log": ("file", "after", "before"),
    "/api/runs/{run_id}/log/search": ("file", "q"),
}
# None names a run's or file's place, so that nothing is started.
FORMS = {
    "/new/{slug}": ("model", "prompts", "cycles", "temperature", "verifier_options", "lora_targets", "dataset"),
    "/new/{slug}/check": ("model", "prompts", "cycles", "output", "cycle_settings", "k", "filters"),
    "/new/{slug}/export": ("model", "prompts", "cycles", "output", "report_to"),
    "/new/{slug}/fill": ("yaml",),
    "/config/check": ("yaml", "command"),
    "/config/save": ("yaml", "command"),
    "/runs/{run_id}/move": ("where",),
    "/runs/{run_id}/space": ("path",),
    "/datasets/stop": ("id",),
    "/datasets/go-on": ("id",),
    "/login": ("token",),
}
WORDS = [
    *("0", "1", "-1", "5", "99999999999999999999", "x", "yes", "console", "process", "cycle_1", "cycle_1:0", "failed"),
    *("tests", "kept", "reward", "tokens", "up", "raft", "succeeded", "raft-train", "summary.json", "key=value"),
    *("seen", "heard", "../..", "rollouts/cycle_1.jsonl", "a: [1", "cycles: 3", "{1: 2}", "!!python/none x", "- a"),
    *("\x00", "", "\U0001f600"),
]

EXAMPLES = 10  # of each address and method


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("api") / "runs"
    for name in ("one", "two"):
        run = finished_run(root / name)
        completions = [Completion(prompt_id=f"p{i}", index=0, text=f"int f{i};\n") for i in range(40)]
        verdict = Verdict(reward=0.5, passed=False, stage=Stage.TESTS, detail="expected 4, got 5")
        rollouts = [Rollout(cycle=1, chunk=0, completion=one, verdict=verdict) for one in completions]
        append_records(run / "rollouts" / "cycle_1.jsonl", rollouts)
        with_samples(run, root)
        (run / "console.log").write_text("a line\n" * 100)
    with serving(root, cwd=root.parent) as server:
        yield server


def text(*words: str) -> dict[str, Any]:
    """Anything, and what leads on to something."""
    return {"anyOf": [{"enum": [*words, *WORDS]}, {"type": "string", "maxLength": 300}]}


@pytest.fixture(scope="module")
def api(server: Server) -> Any:
    """The page's addresses in OpenAPI's words."""
    runs = [row["run_id"] for row in server.page.get("/api/results").json()]
    parts = {"run_id": text(*runs), "slug": text(*(name.replace(" ", "-") for name in SCHEMAS)), "name": text()}
    paths: dict[str, Any] = {}
    for route in (route for page in PAGES for route in page.ROUTES):
        address = route.path.replace(":path", "")
        for method in sorted({"GET", "POST"} & (route.methods or set())):
            if (address, method) in LEFT_OUT:
                continue
            named = [
                {"in": "path", "name": name, "required": True, "schema": parts[name]}
                for name in re.findall(r"{(\w+)}", address)
            ]
            asked = [
                {"in": "query", "name": name, "schema": text(*runs)}
                for name in QUERIES.get(address, ())
                if method == "GET"
            ]
            operation: dict[str, Any] = {"parameters": named + asked, "responses": {"default": {"description": "any"}}}
            if method == "POST":
                fields = {"type": "object", "properties": {name: text() for name in FORMS.get(address, ())}}
                content = {"application/x-www-form-urlencoded": {"schema": fields}}
                operation["requestBody"] = {"content": content}
            paths.setdefault(address, {})[method.lower()] = operation
    whole = {"openapi": "3.0.3", "info": {"title": "the page", "version": "1"}, "paths": paths}
    return schemathesis.openapi.from_dict(whole)


def test_all_that_may_be_asked_is_known() -> None:
    addresses = {route.path.replace(":path", "") for page in PAGES for route in page.ROUTES}
    assert QUERIES.keys() | FORMS.keys() <= addresses


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(10 * EXAMPLES, marks=pytest.mark.slow)])
def test_no_answer_is_an_error_of_the_server(api: Any, server: Server, examples: int) -> None:
    headers = {CSRF_HEADER: server.page.csrf()}
    cookies = {SESSION: server.page.client.cookies[SESSION]}
    asked = 0
    for result in api.get_all_operations():

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=result.ok().as_strategy())
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            answer = case.call(base_url=server.page.address, headers=headers, cookies=cookies)
            assert answer.status_code < 500, answer.text[:2000]
            assert answer.status_code != 403 or case.path == "/login", "the request did not get past the guard"
            asked += 1

        ask()
    assert asked > examples * 20
