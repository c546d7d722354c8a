from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_browser import Visit, open_browser
from page_server import Server, end_runs, free_port, serving
from playwright.sync_api import Browser
from sample_runs import finished_run, with_samples


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def serve(root: Path) -> Iterator[Callable[..., Server]]:
    """Start servers for the folder of runs; those still alive are ended."""
    servers: list[Server] = []

    def start(*extra: str, cwd: Path | None = None) -> Server:
        servers.append(Server(root, free_port(), *extra, cwd=cwd))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.end()
    end_runs(root)


@pytest.fixture(autouse=True)
def few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that tests start share the machine with the browser."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in: presets, rows, prompts, and two runs of earlier."""
    folder = tmp_path_factory.mktemp("journey")
    shutil.copytree(Path(__file__).parents[2] / "configs", folder / "configs")
    rows = [{"prompt": f"double {i % 6}", "completion": "int f;"} for i in range(24)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prompts = [{"id": f"p{i}", "prompt": f"double {i}"} for i in range(6)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts))
    with_samples(finished_run(folder / "runs" / "early"), folder)
    finished_run(folder / "runs" / "later", right=(1, 3, 5, 6))
    return folder


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[Server]:
    """The server of that folder, for all tests of a module."""
    with serving(home / "runs", cwd=home) as server:
        yield server
    end_runs(home / "runs")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, site: Server) -> Iterator[Visit]:
    visit = Visit(browser, site.page.address)
    yield visit
    visit.close()
