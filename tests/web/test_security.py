"""What a hostile site, visitor or run folder must not get."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_server import Page, Server, serving
from sample_runs import finished_run

from halo_forge.cli.app import run
from halo_forge.core.errors import ConfigError
from halo_forge.core.types import MediaPart, Message, Prompt, TextPart
from halo_forge.rollout.records import append_records
from halo_forge.web.app import PAGES
from halo_forge.web.security import CSRF_HEADER, HEADERS
from halo_forge.web.settings import Settings

ROUTES = [(route.path, tuple(sorted(route.methods or ()))) for page in PAGES for route in page.ROUTES]
CHANGES = [path for path, methods in ROUTES if "POST" in methods]
SHOWS = [path for path, methods in ROUTES if "GET" in methods]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SCRIPT = "<script>alert(1)</script>"
HOSTILE_ID = '"><img src=x onerror=alert(1)>'
PARAMETERS = [
    "run",
    "file",
    "q",
    "page",
    "sort",
    "at",
    "after",
    "before",
    "sample",
    "yaml",
    "command",
    "cycles",
    "model",
    "where",
    "path",
    "from",
    "preset",
    "kind",
    "state",
    "down",
    "output",
    "verifier_options",
    "prompt",
    "part",
    "large",
]
TOKEN = "a-token-of-good-length"


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    file.write_text("the crown jewels")
    return file


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, secret: Path, make_hostile) -> Path:
    root = tmp_path_factory.mktemp("security") / "runs"
    root.mkdir()
    finished_run(root / "good")
    make_hostile(root / "hostile", secret)
    return root


@pytest.fixture(scope="module")
def make_hostile(make_rollout):
    def make(folder: Path, secret: Path) -> None:
        """A run folder as somebody else could have sent it."""
        finished_run(folder)
        context = json.loads((folder / "launch_context.json").read_text())
        context |= {
            "run_id": HOSTILE_ID,
            "argv": ["sh", "-c", f"touch {secret}.touched"],
            "cwd": str(secret.parent),
            "environment": {"LD_PRELOAD": "/tmp/evil.so"},
            "parent": SCRIPT,
        }
        context["inputs"]["prompts"]["path"] = "/rows.jsonl"
        context["params"] |= {"model": SCRIPT, "system_prompt": SCRIPT, "verifier": SCRIPT, SCRIPT: SCRIPT}
        (folder / "launch_context.json").write_text(json.dumps(context))
        rollouts = [make_rollout(prompt_id=SCRIPT, index=i, text=SCRIPT + "\u202e\x1b[2J") for i in range(3)]
        append_records(folder / "rollouts" / "cycle_1.jsonl", rollouts)
        (folder / "rollouts" / "cycle_9.jsonl").symlink_to(secret)
        (folder / "seen.png").symlink_to(secret)
        places = (str(secret), "seen.png", SCRIPT)
        media = [MediaPart(kind=kind, path=path) for kind in ("image", "audio") for path in places]
        message = Message(role="user", content=(*media, TextPart(text=SCRIPT)))
        append_records(folder / "prompts.jsonl", [Prompt(id=SCRIPT, messages=(message,))])
        with (folder / "events.jsonl").open("a") as events:
            events.write('{"type": "notice", "m": {"message": "' + SCRIPT + '"}}\n[1, 2]\nnot json\n')
        (folder / "console.log").symlink_to(secret)
        os.mkfifo(folder / "process.log")
        (folder / "report.html").write_text(SCRIPT)
        (folder / "summary.json").unlink()
        (folder / "summary.json").symlink_to(secret)

    return make


@pytest.fixture(scope="module")
def make_rollout():
    from halo_forge.core.types import Completion, Rollout, Stage, Verdict

    def make(prompt_id: str, index: int, text: str) -> Rollout:
        verdict = Verdict(reward=0.0, passed=False, stage=Stage.COMPILE, detail=SCRIPT)
        return Rollout(
            cycle=1, chunk=0, completion=Completion(prompt_id=prompt_id, index=index, text=text), verdict=verdict
        )

    return make


@pytest.fixture(scope="module")
def server(folders: Path) -> Iterator[Server]:
    with serving(folders, cwd=folders.parent) as server:
        yield server


@pytest.fixture(scope="module")
def page(server: Server) -> Page:
    return server.page


def filled(path: str, value: str = "x") -> str:
    return re.sub(r"{\w+(:path)?}", lambda _: quote(value, safe=""), path)


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.:{port}", ""]
)
def test_foreign_names_are_refused_on_every_route_and_method(server: Server, name: str) -> None:
    host = name.format(port=server.port)
    for path in [*(path for path, _ in ROUTES), "/static/app.css", "/nowhere"]:
        for method in METHODS if name.startswith("evil") else ("GET", "POST"):
            answer = server.page.client.request(method, filled(path), headers={"Host": host})
            assert answer.status_code in (400, 421), (method, path)  # 400: the HTTP layer wants a Host at all
            assert "halo-forge" not in answer.text


def test_only_get_head_and_post_are_answered(page: Page) -> None:
    for path, _ in ROUTES:
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            assert page.client.request(method, filled(path)).status_code == 405


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_changes_from_elsewhere_are_refused(page: Page, foreign: dict[str, str]) -> None:
    token = page.csrf()
    for path in CHANGES:
        answer = page.client.post(filled(path), data={}, headers={CSRF_HEADER: token, **foreign})
        assert answer.status_code == 403, path


def test_changes_need_the_token_of_this_visitor(page: Page, server: Server) -> None:
    other = Page(server.page.address)
    stolen = other.csrf()
    for path in CHANGES:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert page.client.post(filled(path), headers=form).status_code == 403, path
        assert page.client.post(filled(path), data={"csrf": stolen}).status_code == 403, path
        assert page.client.post(filled(path), json={}, headers={CSRF_HEADER: page.csrf()}).status_code == 415, path
    other.client.close()


def test_a_form_that_is_too_long_is_refused(page: Page) -> None:
    assert page.post("/config/check", yaml="x" * (5 << 20), command="raft-train").status_code == 413


def test_every_answer_has_the_headers(page: Page) -> None:
    for path in [*map(filled, SHOWS), "/static/app.js", "/nowhere"]:
        answer = page.get(path)
        for name, value in HEADERS.items():
            if not (name == "content-security-policy" and ("sandbox" in answer.headers[name])):
                assert answer.headers[name] == value, (path, name)
    fresh = Page(page.address)
    cookie = fresh.get("/").headers["set-cookie"]
    fresh.client.close()
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie


@pytest.mark.parametrize(
    "payload", ["../../secret.txt", "..%2f..%2fsecret.txt", "/etc/passwd", "....//secret.txt", "\0", "a" * 5_000]
)
def test_no_parameter_leads_out_of_the_folders(page: Page, folders: Path, secret: Path, payload: str) -> None:
    good = page.get("/api/results").json()[-1]["run_id"]
    at = quote(payload, safe="")
    relative = quote(os.path.relpath(secret, folders.parent), safe="")
    addresses = [filled(path, payload) for path in SHOWS]
    addresses += [f"/runs/{good}/files/{at}", f"/static/{at}", f"/static/../../{at}", f"/datasets?file={at}"]
    addresses += [f"/datasets?file={relative}", f"/datasets?file={quote(str(secret), safe='')}"]
    for name in ("file", "q", "stage", "kept", "sort", "page", "sample", "outcome"):
        addresses += [f"/runs/{good}/samples?{name}={at}", f"/api/runs/{good}/log?{name}={at}"]
        addresses += [f"/runs/{good}/difference?sample={at}&sample={at}"]
    addresses += [f"/new/raft-train?preset={at}", f"/new/raft-train?from={at}", f"/compare?run={at}&run={good}"]
    addresses += [f"/api/runs/{good}/log?after={at}", f"/api/runs/{good}/live?at={at}"]
    for address in addresses:
        answer = page.get(address)
        assert answer.status_code < 500, address
        assert "crown jewels" not in answer.text and "root:" not in answer.text, address


@pytest.mark.parametrize("output", ["../out", "/tmp/halo-out", ".", ".halo-forge/x", "a/../../out", "a/.hidden", "\0"])
def test_a_run_stays_below_the_root(page: Page, folders: Path, output: str) -> None:
    answer = page.post("/new/raft-train", model="m", prompts="p.jsonl", output=output)
    assert answer.status_code == 422
    assert ('data-field="output"' in answer.text and "Choose a place" in answer.text) or "no name" in answer.text
    assert not (folders.parent / "out").exists() and not Path("/tmp/halo-out").exists()


def test_a_hostile_run_folder_is_inert(page: Page, folders: Path, secret: Path) -> None:
    runs = {row["name"]: row["run_id"] for row in page.get("/api/results").json()}
    assert runs["hostile"] == HOSTILE_ID
    at = quote(runs["hostile"], safe="")
    paths = [filled(path, "console.log").replace("console.log", at, 1) for path in SHOWS if "{run_id}" in path]
    paths += [
        "/",
        "/live",
        "/results",
        "/results.csv",
        f"/compare?run={at}&run={runs['good']}",
        f"/new/raft-train?from={at}",
    ]
    paths += [f"/runs/{at}/media?prompt={quote(SCRIPT, safe='')}&part={part}" for part in range(7)]
    paths += [f"/api/runs/{at}/log?file=process", f"/runs/{at}/samples?file=cycle_1&q=alert", f"/api/compare?run={at}"]
    for path in paths:
        answer = page.get(path)
        assert answer.status_code < 500, path
        assert "crown jewels" not in answer.text, path
        if "html" in answer.headers["content-type"] and not path.endswith("/report"):
            assert SCRIPT not in answer.text and HOSTILE_ID not in answer.text and "\u202e" not in answer.text, path
        assert (
            "unsafe" not in answer.headers["content-security-policy"]
            or "sandbox" in answer.headers["content-security-policy"]
        )
    for action in ("rerun", "resume", "stop", "kill"):
        assert page.post(f"/runs/{at}/{action}").status_code < 500
    assert not Path(f"{secret}.touched").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_makes_the_server_fail(page: Page, data: st.DataObject) -> None:
    known = [row["run_id"] for row in page.get("/api/results").json()]
    given_words = st.sampled_from([*known, "cycle_1", "1", "-1", "raft-train", "console", "yes"])
    word = st.one_of(given_words, st.text(max_size=40))
    path, methods = data.draw(st.sampled_from(ROUTES))
    address = re.sub(r"{\w+(:path)?}", lambda _: quote(data.draw(word), safe=""), path)
    names = st.sampled_from(PARAMETERS)
    fields = data.draw(st.dictionaries(names, word, max_size=4))
    if "POST" in methods:
        if not path.startswith("/verifiers"):
            fields.pop("output", None)
            assert page.post(address, **fields).status_code < 500
    else:
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
        assert page.get(f"{address}?{query}").status_code < 500


def test_other_machines_need_a_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for host in ("0.0.0.0", "192.0.2.7", "::", "some.name"):
        with pytest.raises(ConfigError, match="--token"):
            Settings(runs_root=tmp_path, host=host)
    with pytest.raises(ConfigError, match="at least 16"):
        Settings(runs_root=tmp_path, token="short")
    Settings(runs_root=tmp_path, host="::1")
    assert run(["ui", "--host", "0.0.0.0", "--runs-root", str(tmp_path)]) == 2
    assert "SSH tunnel" in capsys.readouterr().err


def test_the_token_lets_in(tmp_path: Path) -> None:
    with serving(tmp_path / "runs", "--token", TOKEN) as server:
        page = server.page
        for path in SHOWS:
            if path != "/login":
                assert page.get(filled(path)).status_code == (401 if path.startswith("/api/") else 303), path
        token = re.search(r'name="csrf" content="(\w+)"', page.get("/login").text)
        assert token is not None
        for given, status in (("wrong", 403), (TOKEN, 303)):
            answer = page.client.post("/login", data={"token": given, "csrf": token[1]})
            assert answer.status_code == status
        assert page.get("/").status_code == 200


def test_one_page_serves_a_folder(server: Server, folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ui", "--runs-root", str(folders), "--port", "1"]) == 75
    assert "another page serves" in capsys.readouterr().err
