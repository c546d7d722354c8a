"""The commands that check and clean a file: what they print, write and return."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from halo_forge.cli.app import run

WriteRows = Callable[..., Path]


def test_validate_returns_whether_there_is_something_to_mend(
    write_jsonl: WriteRows, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_jsonl("rows.jsonl", {"prompt": "a [b]", "completion": "c"}, {"prompt": "a [b]", "completion": "c"})
    fixed = path.with_name("fixed.jsonl")
    assert run(["data", "validate", str(path), "--preview", "1"]) == 1
    out = capsys.readouterr().out
    assert "user\na [b]" in out and "1 row: duplicate (left out by --fix), line 2" in out
    assert f"halo-forge data validate {path} --fix OUT" in out
    assert run(["data", "validate", str(path), "--fix", str(fixed), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["lines"] == [2]
    assert run(["data", "validate", str(fixed)]) == 0
    assert "nothing to mend" in capsys.readouterr().out
    assert run(["data", "validate", str(path.with_name("none.jsonl"))]) == 2
    assert run(["data", "validate", str(path), "--max-length", "5"]) == 2
    assert "needs --model" in capsys.readouterr().err


def test_dedup_decontaminate_and_split_in_a_row(
    write_jsonl: WriteRows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = "find the perimeter of a square with side a"
    rows = [{"prompt": f"task {i}", "completion": "x"} for i in range(20)]
    path = write_jsonl("rows.jsonl", *rows, rows[0], {"prompt": problem, "completion": "4 * a"})
    bench = write_jsonl("bench.jsonl", {"prompt": problem})
    single, clean, parts = tmp_path / "single.jsonl", tmp_path / "clean.jsonl", tmp_path / "parts"
    assert run(["data", "dedup", str(path), "--output", str(single), "--report", str(tmp_path / "groups.jsonl")]) == 0
    assert "equal rows left out: 1" in capsys.readouterr().out
    assert json.loads((tmp_path / "groups.jsonl").read_text())["kept_line"] == 1
    assert run(["data", "decontaminate", str(single), "--against", str(bench), "--output", str(clean)]) == 0
    assert "1 of 21" in capsys.readouterr().out
    assert len(clean.read_text().splitlines()) == 20
    assert run(["data", "split", str(clean), "--output-folder", str(parts), "--json"]) == 0
    assert [part["rows"] for part in json.loads(capsys.readouterr().out)["parts"]] == [18, 2]
    assert run(["data", "split", str(clean), "--output-folder", str(parts), "--fractions", "0.9,0.3"]) == 2
    assert "add up to 1" in capsys.readouterr().err
