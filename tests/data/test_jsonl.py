"""Every way a JSONL file can be wrong is a DataError of one line; what editors do to a right one is tolerated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_forge.core.errors import DataError
from halo_forge.data.jsonl import Row, parse_object, parse_rows, read_rows

TEXTS = st.text(max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(TEXTS, SCALARS, max_size=3)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=3)
PIECES = [b"{", b"}", b"[", b'"', b"\\u", b"d8", b"00", b":", b",", b"1", b"\n", b"\xef\xbb\xbf", b"\x00"]


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    return path


def test_rows_come_in_order_with_their_line_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, b'{"a": 1}\n\n  \n{"a": "\xc3\xa9\xe2\x80\xa8"}')
    assert list(read_rows(path)) == [Row(1, {"a": 1}), Row(4, {"a": "é\u2028"})]


def test_byte_order_mark_and_windows_line_ends_are_tolerated(tmp_path: Path) -> None:
    path = write(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}\r\n')
    assert [row.values["a"] for row in read_rows(path)] == [1, 2]


def test_rows_are_read_one_by_one(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, b'{"a": 1}\nbroken\n'))
    assert next(rows) == Row(1, {"a": 1})
    with pytest.raises(DataError):
        next(rows)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no rows; expected one JSON object a line"),
        (b"\n \r\n\t\n", "holds no rows"),
        (b'{"a": 1}\n{"a": \n', "line 2: not JSON: Expecting value at column"),
        (b'{"a": 1} {"b": 2}\n', "line 1: not JSON: Extra data at column 10"),
        (b'[\n{"a": 1}\n]\n', "line 1: not JSON"),
        (b'[{"a": 1}]\n', "line 1: expected a JSON object, got an array; the file looks like one JSON array"),
        (b'"a"\n', "line 1: expected a JSON object, got a text"),
        (b"7\n", "got a number"),
        (b"null\n", "got null"),
        (b'{"a": 1}\n{"a": "\xff"}\n', "line 2: byte 8 (0xff) is not UTF-8"),
        ('{"a": 1}\n'.encode("utf-16"), "line 1: byte 1 (0xff) is not UTF-8"),
        (b'{"a": "\\ud83d"}\n', "half of a surrogate pair"),
        (b'{"\\uDC00": 1}\n', "half of a surrogate pair"),
        (b'{"a": ' + b"[" * 100_000 + b"\n", "line 1: not usable JSON"),
        (b'{"a": ' + b"1" * 5_000 + b"}\n", "line 1: not usable JSON"),
    ],
)
def test_each_fault_is_one_line_that_names_the_place(tmp_path: Path, content: bytes, said: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_escaped_surrogate_pairs_are_characters(tmp_path: Path) -> None:
    assert next(read_rows(write(tmp_path, b'{"a": "\\ud83d\\ude00"}'))).values == {"a": "😀"}


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*nowhere\.jsonl"):
        list(read_rows(tmp_path / "nowhere.jsonl"))


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; name the JSONL file in it"):
        list(read_rows(tmp_path))


def test_path_through_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*Not a directory"):
        list(read_rows(write(tmp_path, b"{}") / "rows.jsonl"))


def test_parsing_puts_the_place_before_the_fault(tmp_path: Path) -> None:
    def refuse_second(row: Row) -> int:
        if row.values["a"] == 2:
            raise DataError("not this one")
        return row.line

    path = write(tmp_path, b'{"a": 1}\n{"a": 2}\n')
    items = parse_rows(path, refuse_second)
    assert next(items) == (1, 1)
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2: not this one$"):
        next(items)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(OBJECTS, min_size=1, max_size=4), ascii=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_whatever_json_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], ascii: bool, end: str
) -> None:
    text = end.join(json.dumps(row, ensure_ascii=ascii) for row in rows)
    path = write(tmp_path_factory.getbasetemp(), text.encode())
    assert [row.values for row in read_rows(path)] == rows


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_arbitrary_bytes_are_rows_or_one_line_of_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = write(tmp_path_factory.getbasetemp(), content)
    try:
        for row in read_rows(path):
            json.dumps(row.values, ensure_ascii=False).encode()
    except DataError as error:
        assert len(str(error).splitlines()) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(alphabet=st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.booleans())
def test_rows_are_read_as_pythons_own_parser_reads_them(values: dict[str, object], escaped: bool) -> None:
    line = json.dumps(values, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    try:
        expected = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        with pytest.raises(DataError, match="not UTF-8"):
            parse_object(line)
    else:
        assert json.dumps(parse_object(line)) == json.dumps(expected)


@pytest.mark.parametrize(
    "line",
    [b'{"a": NaN, "b": -Infinity}', b'{"a": 1, "a": 2}', b'{"a": 123456789012345678901234567890}', b' {"a": -0.0}\t'],
)
def test_what_python_takes_for_json_is_taken(line: bytes) -> None:
    assert repr(parse_object(line)) == repr(json.loads(line))
