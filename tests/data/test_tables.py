"""Tables are read row by row, whatever their format, and what is wrong with them is named."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_forge.core.errors import DataError
from halo_forge.data.source import open_rows, read_rows
from halo_forge.data.tables import read_table, table_format

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab]}[{,"', max_size=3), inner, max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2), max_size=6),
    size=st.integers(1, 40),
    indent=st.none() | st.just(2),
)
def test_an_array_reads_as_json_reads_it(rows: list[Any], size: int, indent: int | None) -> None:
    from halo_forge.data import tables

    before, tables.READ_BYTES = tables.READ_BYTES, size
    try:
        file = io.BytesIO(json.dumps(rows, indent=indent, ensure_ascii=False).encode())
        assert [row for _, row in read_table(file, "a.json")] == rows
    finally:
        tables.READ_BYTES = before


def test_a_long_array_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for number in range(40_000):
            file.write(f'{"," if number else ""}{{"text": "{"x" * 500}", "n": {number}}}\n')
        file.write("]")
    tracemalloc.start()
    try:
        assert sum(1 for _ in open_rows(path)) == 40_000
        assert tracemalloc.get_traced_memory()[1] < 12 << 20 < path.stat().st_size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.json", b'[{"a": 1}, 3]', "row 2 of the array must be an object, not a number"),
        ("a.json", b'[{"a": 1}', "the file is cut: its array is not closed after 1 rows"),
        ("a.json", b'[{"a": 1}, {"b":', "row 2 of the array is not JSON, or the file is cut"),
        ("a.json", b"[]", "holds no rows"),
        ("a.json", b"[\xff", "byte 0xff is not UTF-8"),
        ("a.csv", b"a,b\n1,2,3\n", "row 1 has more fields than the header has columns"),
        ("a.csv", b'a,b\n1,"2\n', "is not CSV"),
        ("a.parquet", b"PAR1", "not a Parquet file, or a cut one"),
    ],
)
def test_what_is_wrong_is_named(name: str, content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert text in str(caught.value) and str(caught.value).startswith(str(path))


def test_json_that_is_lines_is_read_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    assert list(open_rows(path)) == [{"a": 1}, {"a": 2}]


def test_names_and_skipping() -> None:
    assert table_format("a/b.JSONL.gz") == "jsonl" and table_format("a.txt") is None
    with pytest.raises(DataError, match=r"a\.txt is no table"):
        list(read_table(io.BytesIO(), "a.txt"))
    rows = list(read_table(io.BytesIO(b"a\n1\n2\n3\n"), "a.csv", skip=2))
    assert rows == [(3, {"a": "3"})]
