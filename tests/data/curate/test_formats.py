"""A file of any format is checked, cleaned and split as the same rows in JSON Lines are."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halo_forge.config.curate import DecontaminateConfig, DedupConfig, SplitConfig, ValidateConfig
from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.events import EventLog
from halo_forge.data.curate.contamination import read_checks
from halo_forge.data.curate.decontaminate import decontaminate_file
from halo_forge.data.curate.dedup import dedup_file
from halo_forge.data.curate.split import split_file
from halo_forge.data.curate.validate import validate_file
from halo_forge.data.sidecar import hash_content

WriteRows = Callable[..., Path]
PROBLEM = "find the perimeter of a square with side a"
LONG = " ".join(f"word{n}" for n in range(60))
ROWS = [
    *({"prompt": f'task "{n}", größer', "completion": f"line\n{n}"} for n in range(20)),
    {"prompt": 'task "3", größer', "completion": "line\n3"},
    {"prompt": PROBLEM, "completion": "4 * a"},
    {"prompt": "long", "completion": LONG},
    {"prompt": "long", "completion": LONG.replace("word30", "changed")},
]
FORMATS = ["jsonl", "jsonl.gz", "json", "csv", "tsv", "parquet"]


def written(folder: Path, ending: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"rows.{ending}"
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if ending == "jsonl":
        path.write_text(lines)
    elif ending == "jsonl.gz":
        path.write_bytes(gzip.compress(lines.encode()))
    elif ending == "json":
        path.write_text(json.dumps(rows))
    elif ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            if ending == "tsv":  # knows no quotes, so that a text is one line
                file.write("prompt\tcompletion\n")
                file.writelines(f"{row['prompt']}\t{row['completion']}\n" for row in rows)
            else:
                table = csv.DictWriter(file, ["prompt", "completion"])
                table.writeheader()
                table.writerows(rows)
    return path


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def curated(folder: Path, ending: str, rows: list[dict[str, Any]], bench: Path) -> dict[str, Any]:
    """What every step says of the rows and makes of them."""
    folder.mkdir()
    path, out, log = written(folder, ending, rows), folder / "out.jsonl", EventLog()
    found: dict[str, Any] = {}
    validation = validate_file(path, ValidateConfig(fix=out), log)
    found["validate"] = [
        rows_in(out), validation.usable, validation.lengths, [(one.reason, one.lines) for one in validation.findings],
    ]  # fmt: skip
    deduplicated = dedup_file(path, DedupConfig(output=out, report=folder / "groups.jsonl"), log)
    found["dedup"] = [rows_in(out), deduplicated.exact, deduplicated.near, rows_in(folder / "groups.jsonl")]
    decontaminate_file(path, DecontaminateConfig(output=out, against=(str(bench),)), log)
    found["decontaminate"] = [rows_in(out), rows_in(folder / "out.jsonl.hits.jsonl")]
    found["checks"] = [(check.rows, check.hits) for check in read_checks(path, hash_content(path))]
    split = split_file(path, SplitConfig(output_folder=folder / "parts"), log)
    found["split"] = [rows_in(Path(part.path)) for part in split.parts]
    left = {one.name for one in folder.iterdir()} - {path.name}
    assert left == {
        "out.jsonl", "out.jsonl.changes.jsonl", "out.jsonl.hits.jsonl", "out.jsonl.meta.json", f"{path.name}.meta.json",
        "groups.jsonl", "parts",
    }  # fmt: skip
    return found


@pytest.mark.parametrize("ending", FORMATS[1:])
def test_each_format_gives_what_json_lines_give(ending: str, write_jsonl: WriteRows, tmp_path: Path) -> None:
    bench = write_jsonl("bench.jsonl", {"prompt": PROBLEM})
    rows = ROWS if ending != "tsv" else [{key: text.replace("\n", " ") for key, text in row.items()} for row in ROWS]
    expected = curated(tmp_path / "lines", "jsonl", rows, bench)
    assert curated(tmp_path / "other", ending, rows, bench) == expected
    assert expected["validate"][1] == 23 and expected["dedup"][1:3] == [1, 1]
    assert len(expected["decontaminate"][0]) == 23 and expected["checks"] == [(24, 1)]


def test_errors_count_rows_where_there_are_no_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "parquet", [{"prompt": "a"}, {"prompt": None}])
    with pytest.raises(DataError, match=r"rows\.parquet, row 2: no prompt to group it by"):
        split_file(path, SplitConfig(output_folder=tmp_path / "parts", by="prompt"), EventLog())
    (tmp_path / "rows.csv").write_text("prompt,completion\na,b\nc,d,e\n")
    with pytest.raises(DataError, match="row 2 has more fields than the header has columns"):
        validate_file(tmp_path / "rows.csv", ValidateConfig(), EventLog())
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "a"}\n' * 100)[:-9])
    with pytest.raises(DataError, match="is cut, or damaged where it is packed"):
        dedup_file(tmp_path / "cut.jsonl.gz", DedupConfig(output=tmp_path / "out.jsonl"), EventLog())
    assert not list(tmp_path.glob("out*")) and not list(tmp_path.glob(".rows*"))


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.jsonl.gz"])
def test_rows_are_not_written_under_a_name_that_says_something_else(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, "jsonl", ROWS)
    with pytest.raises(ConfigError, match=r"give a name that ends with \.jsonl"):
        dedup_file(path, DedupConfig(output=tmp_path / name), EventLog())
    assert [one.name for one in tmp_path.iterdir()] == ["rows.jsonl"]


def test_numbers_that_json_has_not_become_null(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "completion": "b", "score": float("nan")}, {"prompt": "c", "completion": "d", "score": 1.5}]
    path = written(tmp_path, "parquet", rows)
    dedup_file(path, DedupConfig(output=tmp_path / "out.jsonl"), EventLog())
    assert [row["score"] for row in rows_in(tmp_path / "out.jsonl")] == [None, 1.5]


def test_pictures_in_a_table_are_for_prepare(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist([{"prompt": "a", "image": {"bytes": b"\x89PNG", "path": None}}]), path)
    with pytest.raises(DataError, match=r"row 1: column 'image' holds bytes, .*halo-forge data prepare"):
        validate_file(path, ValidateConfig(), EventLog())


def test_media_are_found_from_the_folder_of_the_copy(write_jsonl: WriteRows, tmp_path: Path) -> None:
    from halo_forge.data import load_prompts

    shown = [{"kind": "image", "path": "rows.jsonl.media/a.png"}, {"text": "What?"}]
    there = [{"kind": "image", "path": "/data/b.png"}, {"text": "Where?"}]
    path = write_jsonl("rows.jsonl", *({"messages": [{"role": "user", "content": one}]} for one in (shown, there)))
    split = split_file(path, SplitConfig(output_folder=tmp_path / "a" / "b", by="none"), EventLog())
    named = {
        part.path for one in split.parts for prompt in load_prompts(Path(one.path)) for part in prompt.messages[0].media
    }
    assert named == {str(tmp_path / "rows.jsonl.media" / "a.png"), "/data/b.png"}
    dedup_file(path, DedupConfig(output=tmp_path / "single.jsonl"), EventLog())
    assert (tmp_path / "single.jsonl").read_bytes() == path.read_bytes()
