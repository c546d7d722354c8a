from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_server import Server, free_port


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


@pytest.fixture(autouse=True)
def few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that tests start share the machine with the browser."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
