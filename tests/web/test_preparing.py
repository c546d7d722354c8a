"""Datasets prepared from the page: a real process, rows of this machine."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from page_server import Page, Server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    rows = [{"question": f"What is {i} and {i}?", "solution": str(2 * i)} for i in range(30)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.yaml").write_text(
        "path: mine.jsonl\ndomain: reasoning\nuse: rlvr\nlicence: mit\ncolumns: {prompt: question, answer: solution}\n"
    )
    (tmp_path / "gone.yaml").write_text(
        "path: nowhere.jsonl\ndomain: reasoning\nuse: rlvr\nlicence: mit\ncolumns: {prompt: question}\n"
    )
    return tmp_path


def prepare(page: Page, dataset: str, output: str) -> int:
    return page.post("/new/data-prepare", dataset=dataset, output=output, max_samples="20").status_code


def wait_for(page: Page, words: str) -> str:
    deadline = time.monotonic() + 60
    while words not in (shown := page.get("/datasets/live").text):
        assert time.monotonic() < deadline, shown
        time.sleep(0.1)
    return shown


def test_a_dataset_is_prepared_and_found_after_a_restart(serve: Callable[..., Server], home: Path) -> None:
    server = serve(cwd=home)
    assert prepare(server.page, "mine.yaml", "rows/out.jsonl") == 303
    server.end(signal.SIGKILL)
    page = serve(cwd=home).page
    assert "20</span> rows" in wait_for(page, "succeeded")
    assert len((home / "rows" / "out.jsonl").read_text().splitlines()) == 20
    assert "What is 0 and 0?" in page.get("/datasets?file=rows/out.jsonl").text


def test_what_went_wrong_is_told_and_tried_again(serve: Callable[..., Server], home: Path) -> None:
    page = serve(cwd=home).page
    assert prepare(page, "gone.yaml", "out.jsonl") == 303
    shown = wait_for(page, "failed")
    assert "nowhere.jsonl" in shown
    number = shown.partition('name="id" value="')[2].partition('"')[0]
    (home / "nowhere.jsonl").write_text((home / "mine.jsonl").read_text())
    (home / "gone.yaml").write_text((home / "mine.yaml").read_text())
    assert page.post("/datasets/go-on", id=number).status_code == 303
    wait_for(page, "succeeded")
    assert page.post("/datasets/stop", id=number).status_code == 409
    assert page.post("/datasets/go-on", id="../x").status_code == 409


@pytest.mark.parametrize("output", ["../out.jsonl", "/tmp/halo-out.jsonl", ".hidden.jsonl", "out.txt", "", "\0.jsonl"])
def test_rows_stay_below_the_folder_of_the_page(serve: Callable[..., Server], home: Path, output: str) -> None:
    assert prepare(serve(cwd=home).page, "mine.yaml", output) == 422
    assert not Path("/tmp/halo-out.jsonl").exists() and not (home.parent / "out.jsonl").exists()
