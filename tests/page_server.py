"""A real server of the page on a free port, and a visitor of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from httpx2 import Client, Response

from halo_forge.runs.attempt import Supervision, read_note
from halo_forge.web.security import CSRF_HEADER

START_S = 60


class Page:
    """A visitor of a server, who has its cookie and its token."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client = Client(base_url=address, timeout=60, trust_env=False)

    def get(self, path: str) -> Response:
        return self.client.get(path)

    def post(self, path: str, /, **fields: str) -> Response:
        return self.client.post(path, data=fields, headers={CSRF_HEADER: self.csrf()})

    def csrf(self) -> str:
        found = re.search(r'name="csrf" content="(\w+)"', self.get("/").text)
        assert found is not None
        return found[1]

    def standing(self, run_id: str) -> str:
        return str(self.get(f"/api/runs/{run_id}/live").json()["standing"])

    def wait(self, run_id: str, *wanted: str, for_s: float = 120) -> str:
        deadline = time.monotonic() + for_s
        while (now := self.standing(run_id)) not in wanted:
            assert time.monotonic() < deadline, f"{run_id} is {now}, not {wanted}"
            time.sleep(0.1)
        return now


class Server:
    """The process of `halo-forge ui`."""

    def __init__(self, root: Path, port: int, *extra: str, cwd: Path | None = None) -> None:
        self.root, self.port = root, port
        self.process = subprocess.Popen(
            [sys.executable, "-m", "halo_forge", "ui", "--port", str(port), "--runs-root", str(root), *extra],
            stderr=subprocess.PIPE,
            cwd=cwd,
        )
        self.page = Page(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.page.get("/static/app.css")
                return
            except httpx2.TransportError:
                assert self.process.poll() is None, self.process.stderr and self.process.stderr.read().decode()
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=30)
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.page.client.close()


def end_runs(root: Path) -> None:
    """End every run below a folder at once, and what waits for its turn."""
    for file in root.glob("**/queued.json"):
        file.unlink()
    for file in root.glob("**/pid.json"):
        attempt = read_note(file, Supervision)
        for process in (attempt.supervisor, attempt.trainer) if attempt else ():
            if process is not None:
                process.signal(signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(root: Path, *extra: str, cwd: Path | None = None) -> Iterator[Server]:
    server = Server(root, free_port(), *extra, cwd=cwd)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
