"""Events and log as the page of a run asks for them: in pieces, whole lines, whatever the folder holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from halo_forge.web.pages import log, monitor
from halo_forge.web.pages.log import read_piece
from halo_forge.web.pages.monitor import read_events_from


def test_events_come_in_pieces_and_only_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "MOST_BYTES", 100)
    lines = [f'{{"seq":{number},"type":"step"}}\n' for number in range(9)]
    (tmp_path / "events.jsonl").write_text("".join(lines) + '{"seq":9,"ty')
    found, at, more = [], 0, True
    while more:
        events, at, more = read_events_from(tmp_path, at)
        found += events
    assert [event["seq"] for event in found] == list(range(9))
    assert at == sum(map(len, lines))
    assert read_events_from(tmp_path, at) == ([], at, False)
    (tmp_path / "events.jsonl").write_text(lines[0])
    assert read_events_from(tmp_path, at) == ([{"seq": 0, "type": "step"}], len(lines[0]), False)


def test_what_is_no_event_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b'{"a":1}\nnot json\n[1,2]\n\n"text"\n\xff\xfe\n{"b":NaN}\n{"c":2}\n')
    events, _, _ = read_events_from(tmp_path, 0)
    assert [next(iter(event)) for event in events] == ["a", "b", "c"]


def test_the_log_is_read_from_its_end_backwards_and_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "PIECE", 50)
    path = tmp_path / "console.log"
    text = "".join(f"line {number}\n" for number in range(30))
    path.write_text(text)
    last = read_piece(path)
    assert text.endswith(last.text) and last.text.startswith("line") and last.end == last.size == len(text)
    whole, begin = last.text, last.begin
    while begin:
        piece = read_piece(path, before=begin)
        whole, begin = piece.text + whole, piece.begin
    assert whole == text
    with path.open("a") as file:
        file.write("more\nnot yet whol")
    assert read_piece(path, after=last.end).text == "more\n"
    assert read_piece(None).text == ""
