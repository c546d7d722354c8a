"""Rows of files that hold speech: prompts with a transcript or an answer, and rows to learn from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from halo_forge.core.errors import DataError
from halo_forge.core.types import MediaPart
from halo_forge.data import load_conversations, load_prompts

FULL = {"path": "clips/a.flac", "sha256": "a" * 64}


def write(folder: Path, *rows: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_audio_with_a_transcript_is_a_prompt(tmp_path: Path) -> None:
    rows = write(
        tmp_path,
        {"id": "one", "audio": "clips/a.flac", "transcript": "hello there"},
        {"id": "two", "audio": FULL, "text": "hello again", "group": "unseen"},
        {"id": "three", "audio": FULL, "answer": "left", "choices": ["left", "right"]},
    )
    one, two, three = load_prompts(rows)
    assert one.messages[0].media == (MediaPart(kind="audio", path=str(tmp_path / "clips" / "a.flac")),)
    assert (one.reference.transcript, two.reference.transcript, two.group) == ("hello there", "hello again", "unseen")
    assert two.messages[0].media[0].sha256 == "a" * 64
    assert (three.reference.answer, three.reference.choices) == ("left", ("left", "right"))
    assert three.reference.transcript is None


def test_audio_with_what_is_said_is_learnt_from(tmp_path: Path) -> None:
    rows = write(
        tmp_path,
        {"audio": FULL, "transcript": "hello"},
        {"audio": FULL, "text": "hello there"},
        {"audio": FULL, "answer": "left"},
        {"audio": FULL, "transcript": "  "},
    )
    loaded = load_conversations(rows)
    assert [row.messages[-1].text for row in loaded.conversations] == ["hello", "hello there", "left"]
    assert all(row.messages[0].media[0].kind == "audio" for row in loaded.conversations)
    assert sum(loaded.dropped.values()) == 1


@pytest.mark.parametrize("audio", [3, [], {"name": "a.flac"}])
def test_audio_that_is_no_file_is_named_with_its_line(tmp_path: Path, audio: object) -> None:
    with pytest.raises(DataError, match=r"line 1.*audio"):
        load_prompts(write(tmp_path, {"audio": audio, "transcript": "hello"}))
