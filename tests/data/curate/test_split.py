"""No group is in two parts, every row is in one, and neither order nor other rows move a row."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_forge.config.curate import SplitConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventLog
from halo_forge.data.curate.split import SplitSummary, group_key, split_file

WriteRows = Callable[..., Path]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "prompt": st.sampled_from([f"Add {i} and {j}." for i in range(6) for j in range(6)]),
            "completion": st.sampled_from("abc"),
            "speaker_id": st.integers(0, 9),
            "tools": st.lists(st.sampled_from([{"name": "f"}, {"name": "g"}, {"name": "h"}]), max_size=3),
        }
    ),
    min_size=1,
    max_size=60,
)


def split(path: Path, folder: Path, **given: Any) -> SplitSummary:
    return split_file(path, SplitConfig(output_folder=folder, **given), EventLog())


def parts(summary: SplitSummary) -> list[list[dict[str, Any]]]:
    return [[json.loads(line) for line in Path(part.path).read_text().splitlines()] for part in summary.parts]


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["problem", "tools", "speaker", "completion", "none"]), st.integers(0, 3), st.randoms())
def test_nothing_leaks_nothing_is_lost_and_order_does_not_matter(
    rows: list[dict[str, Any]], by: str, seed: int, rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        path, other = folder / "rows.jsonl", folder / "shuffled.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        shuffled = rng.sample(rows, len(rows))
        other.write_text("".join(json.dumps(row) + "\n" for row in shuffled))
        if len({group_key(row, by) for row in rows}) < 3:
            with pytest.raises(DataError, match="too few for 3 parts"):
                split(path, folder / "a", by=by, seed=seed, fractions=(0.6, 0.2, 0.2))
            return
        summary = split(path, folder / "a", by=by, seed=seed, fractions=(0.6, 0.2, 0.2))
        found = parts(summary)
        keys = [{group_key(row, by) for row in part} for part in found]
        assert all(keys) and not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])
        assert [part.groups for part in summary.parts] == [len(part) for part in keys]
        as_text = sorted(json.dumps(row) for part in found for row in part)
        assert as_text == sorted(json.dumps(row) for row in rows)
        again = parts(split(other, folder / "b", by=by, seed=seed, fractions=(0.6, 0.2, 0.2)))
        assert [{group_key(row, by) for row in part} for part in again] == keys


def test_shares_are_met_and_the_seed_decides(write_jsonl: WriteRows, tmp_path: Path) -> None:
    path = write_jsonl("rows.jsonl", *({"prompt": f"task {i}", "completion": "x"} for i in range(1000)))
    summary = split(path, tmp_path / "a")
    assert [(part.name, part.rows) for part in summary.parts] == [("train", 900), ("test", 100)]
    assert parts(split(path, tmp_path / "b", processes=2)) == parts(summary)
    other = split(path, tmp_path / "c", seed=1)
    assert [part.rows for part in other.parts] == [900, 100] and parts(other) != parts(summary)


def test_more_rows_move_only_groups_at_the_edge(write_jsonl: WriteRows, tmp_path: Path) -> None:
    rows = [{"prompt": f"task {i}", "completion": "x"} for i in range(1000)]
    before = parts(split(write_jsonl("rows.jsonl", *rows[:950]), tmp_path / "a"))[1]
    after = parts(split(write_jsonl("more.jsonl", *rows), tmp_path / "b"))[1]
    assert len([row for row in before if row not in after]) <= 10


def test_a_problem_is_one_whatever_its_case_and_system_turn(write_jsonl: WriteRows) -> None:
    plain = {"prompt": "Add two numbers.", "completion": "x"}
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "add  two numbers"}]
    assert group_key(plain, "problem") == group_key({"messages": turns}, "problem")
    assert group_key(plain, "problem") != group_key({"prompt": "Add three numbers."}, "problem")
    assert group_key({"prompt": "?"}, "problem") != group_key({"prompt": "!"}, "problem")


def test_tools_are_a_set_given_as_a_list_or_as_text(write_jsonl: WriteRows) -> None:
    one, other = {"name": "f", "parameters": {}}, {"name": "g"}
    assert group_key({"tools": [one, other]}, "tools") == group_key({"tools": json.dumps([other, one])}, "tools")
    assert group_key({"tools": [one]}, "tools") != group_key({"tools": []}, "tools")


def test_a_row_without_the_column_is_named(write_jsonl: WriteRows, tmp_path: Path) -> None:
    path = write_jsonl("rows.jsonl", {"prompt": "a", "speaker": "x"}, {"prompt": "b"})
    with pytest.raises(DataError, match=r"rows.jsonl, line 2: no speaker_id or speaker or client_id to group it by"):
        split(path, tmp_path / "a", by="speaker")
    assert not (tmp_path / "a").exists()
