"""What is left out has an equal or similar row that is kept before it, and nothing similar stays."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.config.curate import DedupConfig
from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.events import EventLog
from halo_forge.data.curate.dedup import DedupSummary, dedup_file
from halo_forge.data.curate.grams import words_of

WriteRows = Callable[..., Path]


def dedup(path: Path, **settings: Any) -> DedupSummary:
    return dedup_file(path, DedupConfig(output=path.with_name("out.jsonl"), **settings), EventLog())


def kept(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_name("out.jsonl").read_text().splitlines()]


def shingles(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[i : i + 5]) for i in range(max(len(words) - 4, 1))}


def similarity(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def edited_texts(count: int, seed: int) -> list[str]:
    """Texts of 60 words, some of them earlier ones with up to four words changed."""
    rng = random.Random(seed)
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < 0.5:
            words = list(rng.choice(texts))
            for _ in range(rng.randint(0, 4)):
                words[rng.randrange(len(words))] = f"new{rng.randrange(10**6)}"
        else:
            words = [f"w{rng.randrange(500)}" for _ in range(60)]
        texts.append(words)
    return [" ".join(words) for words in texts]


def test_equal_rows_are_left_out_but_for_the_first(write_jsonl: WriteRows) -> None:
    rows = [
        {"id": 1, "prompt": "a", "completion": "if x:\n    y"},
        {"id": 2, "prompt": "b", "completion": "c"},
        {"id": 3, "prompt": "a  \n", "completion": "if x:\r\n    y\n\n"},
        {"id": 4, "prompt": "a", "completion": "if x:\n  y"},
        {"id": 5, "messages": [{"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]},
    ]
    path = write_jsonl("rows.jsonl", *rows)
    summary = dedup(path, exact=True)
    assert [row["id"] for row in kept(path)] == [1, 2, 4]
    assert (summary.rows, summary.kept, summary.exact, summary.near, summary.groups) == (5, 3, 2, 0, 2)


def test_what_is_kept_is_copied_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"prompt" :  "\\u00e9 a", "more": 1.50}\r\n\n{"prompt": "b"}')
    dedup(path)
    assert path.with_name("out.jsonl").read_bytes() == b'{"prompt" :  "\\u00e9 a", "more": 1.50}\n{"prompt": "b"}\n'


@pytest.mark.parametrize("threshold", [0.6, 0.7, 0.8])
def test_near_duplicates_are_those_that_comparing_every_pair_finds(write_jsonl: WriteRows, threshold: float) -> None:
    texts = edited_texts(300, seed=1)
    path = write_jsonl("rows.jsonl", *({"prompt": text} for text in texts))
    expected: list[str] = []
    for text in texts:
        if not any(similarity(text, other) >= threshold for other in expected):
            expected.append(text)
    summary = dedup(path, threshold=threshold, report=path.with_name("groups.jsonl"))
    assert [row["prompt"] for row in kept(path)] == expected
    assert 50 < len(expected) < 250 and summary.near > 10 and summary.exact > 10
    groups = [json.loads(line) for line in path.with_name("groups.jsonl").read_text().splitlines()]
    assert summary.groups == len(groups)
    assert sum(len(group["left_out"]) for group in groups) == summary.exact + summary.near
    for group in groups:
        for duplicate in group["left_out"]:
            found = similarity(texts[group["kept_line"] - 1], texts[duplicate["line"] - 1])
            assert duplicate["line"] > group["kept_line"]
            assert found >= threshold and duplicate["similarity"] == pytest.approx(found, abs=1e-3)


def test_processes_and_a_second_time_change_nothing(write_jsonl: WriteRows) -> None:
    path = write_jsonl("rows.jsonl", *({"prompt": text} for text in edited_texts(200, seed=2)))
    one = dedup(path, processes=1)
    first = path.with_name("out.jsonl").read_bytes()
    assert dedup(path, processes=2) == one and path.with_name("out.jsonl").read_bytes() == first


def test_a_shared_system_turn_makes_no_duplicates_and_tools_and_media_tell_rows_apart(write_jsonl: WriteRows) -> None:
    system = {"role": "system", "content": "one two three four five six seven eight nine ten " * 10}
    asked = "what is the weather like in the town where i live today"
    image = [{"type": "image", "path": "a.png", "sha256": "1"}, {"type": "text", "text": asked}]
    rows = [
        {"messages": [system, {"role": "user", "content": "add two numbers"}]},
        {"messages": [system, {"role": "user", "content": "sort a list"}]},
        {"prompt": asked, "tools": [{"name": "f"}]},
        {"prompt": asked, "tools": [{"name": "g"}]},
        {"messages": [{"role": "user", "content": image}]},
        {"messages": [{"role": "user", "content": [{**image[0], "sha256": "2"}, image[1]]}]},
        {"messages": [{"role": "user", "content": image}]},
    ]
    path = write_jsonl("rows.jsonl", *rows)
    assert dedup(path).exact == 1 and kept(path) == rows[:-1]


def test_questions_alone_can_be_compared(write_jsonl: WriteRows) -> None:
    path = write_jsonl("rows.jsonl", {"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": "c"})
    assert dedup(path).kept == 2
    assert dedup(path, compare="question").kept == 1


def test_a_broken_line_is_an_error_that_says_what_to_do_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a"}\n{"prompt"\n')
    with pytest.raises(DataError, match=r"rows.jsonl, line 2: not JSON.*data validate .* --fix"):
        dedup(path)
    assert sorted(tmp_path.iterdir()) == [path]
    with pytest.raises(ConfigError, match="is the file that is read"):
        dedup_file(path, DedupConfig(output=path), EventLog())
