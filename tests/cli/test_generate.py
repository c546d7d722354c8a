"""`halo-forge data generate` as a person uses it, against a real server."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer, serve_chat
from writing_desk import Desk

from halo_forge.cli.app import run


@pytest.fixture
def server() -> Iterator[ChatServer]:
    pytest.importorskip("openai")
    with serve_chat() as running:
        yield running


@pytest.fixture
def words(server: ChatServer, tmp_path: Path) -> list[str]:
    desk = Desk(tmp_path, server.url)
    given = ["--topic", desk.topic, "--base-url", desk.url, "--model", "writer", "--output", desk.output]
    return ["data", "generate", *(str(word) for word in given), "--count", "6", "--max-new-tokens", "500"]


def test_a_table_of_what_became_of_the_answers(
    words: list[str], server: ChatServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server.script = deque(["length", "500"])
    assert run([*words, "--price-per-million", "1,2", "--concurrency", "1"]) == 0
    said = capsys.readouterr()
    for line in (
        ["answered", "6"],
        ["kept", "5"],
        ["dropped: cut at the most tokens", "1"],
        ["7 requests in all", "tokens in", "about $0.00", "an estimate and no bill"],
        ["1 of them brought nothing and may have been paid"],
        [str(tmp_path / "out" / "rows.jsonl")],
    ):
        assert any(all(part in shown for part in line) for shown in said.out.splitlines()), line
    assert "6 answers of writer cost about $0.01 at the very most" in said.err
    assert "ask: done in" in said.err


def test_as_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--verify", "--sandbox", "limits", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kept"], told["verifier"], told["spending"]["cost_usd"]) == (6, "python", None)


def test_as_prompts_and_resumed(words: list[str], tmp_path: Path) -> None:
    assert run([*words, "--resume"]) == 2
    assert run(words) == 0
    assert run([*words, "--resume", "--as", "prompts"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert all("prompt" in row and "tests" in row and "messages" not in row for row in rows)


def test_items_without_an_answer_are_an_error_at_the_end(
    words: list[str], server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = deque(["400"])
    assert run([*words, "--concurrency", "1"]) == 3
    said = capsys.readouterr()
    assert "1 of 6 items stayed without an answer (1 by 400: no (400)" in said.err
    assert "kept" in said.out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--price-per-million", "1"], "takes two prices"),
        (["--price-per-million", "1,x"], "is not a valid float"),
        (["--backend", "grok"], "is not one of"),
        (["--topic", "rust_asinc"], "did you mean 'rust_async'"),
        (["--budget", "1"], "--budget needs a price"),
    ],
)
def test_what_is_wrong_is_said(
    words: list[str], more: list[str], said: str, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, *more]) == 2
    assert said in capsys.readouterr().err
    assert not server.asked


def test_nobody_to_write(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["data", "generate", "--topic", "rust_async", "--output", str(tmp_path / "x.jsonl")]) == 2
    assert "who writes? Give --backend" in capsys.readouterr().err


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "generate", "--list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("rust_async", "go_concurrency", "deepseek-flash 0.3/1.2 (2026-11-15)"))
    assert "DEEPSEEK_API_KEY" in said


def test_settings_from_a_file(words: list[str], tmp_path: Path, server: ChatServer) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("price_per_million: [1, 2]\nas: prompts\ntemperature: 0.5\n")
    assert run([*words, "--config", str(file)]) == 0
    assert server.asked[0]["temperature"] == 0.5
