"""A key is in no file and in no output, whatever a server does with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest
from chat_server import ChatServer
from writing_desk import Desk

from halo_forge.core.errors import ConfigError

KEY = "sk-7f3a9c0d-never-to-be-seen"


def holding(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("backend", "debug"), [("compatible", True), ("deepseek", False), ("openai", True), ("anthropic", True)]
)
def test_it_is_nowhere(desk: Desk, server: ChatServer, backend: str, debug: bool) -> None:
    pytest.importorskip("anthropic")
    # The server repeats the key in errors and in answers, and at last refuses it.
    server.script = deque(["500", "429", "echo", "400", "echo", "", "bad", "401"])
    variable = {"compatible": "HALO_FORGE_SERVER", "deepseek": "DEEPSEEK", "openai": "OPENAI", "anthropic": "ANTHROPIC"}
    words = ["data", "generate", "--topic", str(desk.topic), "--output", str(desk.output), "--model", "m"]
    words += [
        "--backend",
        backend,
        "--base-url",
        server.url.removesuffix("/v1") if backend == "anthropic" else server.url,
    ]
    words += ["--concurrency", "1", "--count", "20", *(["--debug"] if debug else [])]
    environment = {**os.environ, f"{variable[backend]}{'_KEY' if backend == 'compatible' else '_API_KEY'}": KEY}
    environment |= {"XDG_CACHE_HOME": str(desk.folder / "cache"), "HOME": str(desk.folder), "OPENAI_LOG": "debug"}
    environment |= {"ANTHROPIC_LOG": "debug"} if debug else {}
    done = subprocess.run(
        [sys.executable, "-m", "halo_forge", *words],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=desk.folder,
        env=environment,
        check=False,
    )
    assert any(KEY in (headers.get("authorization") or headers.get("x-api-key") or "") for headers in server.headers)
    assert done.returncode == 2, done.stderr
    assert "the server refuses: 401" in done.stderr
    assert "[key]" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert holding(desk.folder, KEY) == []
    assert holding(desk.folder, "[key]") == [desk.ledger]


@pytest.mark.parametrize(
    "url", [f"http://user:{KEY}@127.0.0.1:1/v1", f"http://127.0.0.1:1/v1?key={KEY}", f"http://127.0.0.1:1/v1#{KEY}"]
)
def test_an_address_that_holds_one_is_refused_without_showing_it(desk: Desk, url: str) -> None:
    with pytest.raises(ConfigError) as error:
        desk.generate(base_url=url)
    assert KEY not in str(error.value)
    assert "HALO_FORGE_SERVER_KEY" in str(error.value)
    assert not desk.output.parent.exists()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://a/b", "http://"])
def test_what_is_no_address(desk: Desk, url: str) -> None:
    with pytest.raises(ConfigError, match="give an address such as"):
        desk.generate(base_url=url)
