"""Against `transformers serve`, OpenAI's protocol as somebody else has written it, with a tiny model behind."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest
from writing_desk import Desk

from halo_forge.datagen import sections


@pytest.fixture
def serving(nano_model: Path, tmp_path: Path) -> Iterator[str]:
    """Serve the tiny model from random weights."""
    for name in ("openai", "fastapi", "uvicorn"):
        pytest.importorskip(name)
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(nano_model)]
    log = (tmp_path / "serve.log").open("w")
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with log, subprocess.Popen([*command, *options], stdout=log, stderr=log) as process:
        try:
            for _ in range(600):
                if process.poll() is not None:
                    break
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                    break
                except OSError:
                    time.sleep(0.2)
            assert process.poll() is None, (tmp_path / "serve.log").read_text()
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


@pytest.mark.slow
def test_its_answers_are_stored_counted_and_judged_useless(serving: str, nano_model: Path, tmp_path: Path) -> None:
    desk = Desk(tmp_path, serving)
    changes: dict[str, object] = {"model": str(nano_model), "max_new_tokens": 24, "count": 4, "temperature": 1.0}
    changes |= {"price_per_million": (1.0, 1.0), "budget": 1.0, "concurrency": 2}
    summary = desk.generate(**changes)
    assert (summary.answers, summary.kept, summary.left_out) == (4, 0, {})
    assert set(summary.dropped) <= {sections.TRUNCATED, sections.NO_SECTIONS, sections.EMPTY}
    spending = summary.spending
    assert (spending.requests, spending.maybe_paid, spending.untold) == (4, 0, 0)
    assert 0 < spending.tokens_out <= 4 * 24
    assert spending.tokens_in < sum(entry["most_in"] for entry in desk.entries("asked"))
    assert desk.output.read_bytes() == b""
    desk.generate(**changes)
    assert len(desk.entries("asked")) == 4
