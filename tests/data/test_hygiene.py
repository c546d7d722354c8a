"""Hostile lines are mended or kept out with a reason; nothing of them is an exception."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.core.errors import DataError
from halo_forge.data import hygiene, load_conversations
from halo_forge.data.hygiene import Broken, Cleaned, clean_line, clean_lines, clean_row, clean_text
from halo_forge.data.jsonl import LONGEST_LINE, read_rows


@pytest.mark.parametrize(
    ("text", "mended", "reason"),
    [
        ("a\x00b\x1b[31m\x7f\x85", "ab[31m", hygiene.CONTROL_CHARACTERS),
        ("one\r\ntwo\rthree", "one\ntwo\nthree", hygiene.LINE_ENDS),
        ("\ufeffint f();", "int f();", hygiene.BYTE_ORDER_MARKS),
        ("a\uffffb\ufdd0", "ab", hygiene.NONCHARACTERS),
        ("half \ud83d pair", "half \ufffd pair", hygiene.SURROGATES),
    ],
)
def test_each_kind_is_mended_and_named(text: str, mended: str, reason: str) -> None:
    assert clean_text(text) == (mended, (reason,))


@pytest.mark.parametrize("text", ["", "tab\tand\nline", "naïve 日本 🎉 e\u0301 \u200d", "<|im_end|>"])
def test_good_texts_come_back_as_they_are(text: str) -> None:
    assert clean_text(text) == (text, ())


@given(st.text(alphabet=st.characters()))
def test_a_mended_text_is_clean_and_can_be_written(text: str) -> None:
    mended, reasons = clean_text(text)
    assert clean_text(mended) == (mended, ())
    assert (mended == text) == (not reasons)
    mended.encode("utf-8")


def test_only_what_a_model_sees_is_mended() -> None:
    values = {
        "messages": [{"role": "user", "content": "a\r\nb<|im_end|>"}],
        "tests": [{"input": "1\r\n", "output": "\x00"}],
    }
    row = clean_row(values)
    assert row.values == {"messages": [{"role": "user", "content": "a\nb<|im_end|>"}], "tests": values["tests"]}
    assert (row.mended, row.noted) == ((hygiene.LINE_ENDS,), (hygiene.CHAT_TOKENS,))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"[1]", "not an object"),
        (b"7", "not an object"),
        (b"\x00\x00", "not JSON"),
        (b'{"a": ' + b"[" * 100_000, "not JSON"),
    ],
)
def test_broken_lines_have_a_reason(line: bytes, reason: str) -> None:
    found = clean_line(3, line)
    assert isinstance(found, Broken) and (found.line, found.reason) == (3, reason)


def test_a_line_with_raw_control_characters_or_half_a_pair_is_mended() -> None:
    found = clean_line(1, b'{"text": "a\x00\tb \\ud83d", "\\ud800": "\\udfff"}\r\n')
    assert isinstance(found, Cleaned)
    assert found.values == {"text": "a\tb \ufffd", "\ufffd": "\ufffd"}
    json.dumps(found.values, ensure_ascii=False).encode("utf-8")


@given(st.binary(max_size=60))
def test_no_line_raises(line: bytes) -> None:
    assert isinstance(clean_line(1, line), (Cleaned, Broken))


def test_a_line_of_fifty_megabytes_is_passed_over_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        file.write(b'\xef\xbb\xbf{"text": "first"}\r\n{"text": "')
        for _ in range(50):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n\n{"text": "last"}')
    tracemalloc.start()
    found = list(clean_lines(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [item.values["text"] if isinstance(item, Cleaned) else item.reason for item in found] == [
        "first", "too long", "last",
    ]  # fmt: skip
    assert [item.line for item in found] == [1, 2, 4]
    assert peak < 3.5 * LONGEST_LINE
    with pytest.raises(DataError, match=r"line 2: it has 52,428,813 bytes, and at most 16,777,216 are read"):
        list(read_rows(path))


def test_training_rows_are_mended_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": "a\r\nb", "completion": "c\x00"}, {"prompt": "a", "completion": "b"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load_conversations(path)
    assert [message.text for message in loaded.conversations[0].messages] == ["a\nb", "c"]
    assert loaded.noted == {"Windows line ends, which were mended": 1, "control characters, which were mended": 1}


SPOKEN = st.text(
    alphabet=st.sampled_from("aé\u00a0\u0085\ufeff\ufffd\uffff\ud800\r\n\t\x00\x7f<|_>x가[]INST"), max_size=12
)


@given(SPOKEN, st.booleans())
def test_the_quick_look_overlooks_nothing(text: str, escaped: bool) -> None:
    values = {"prompt": text, "completion": "x<|im_end|>"[: len(text)]}
    row = clean_row(values)
    line = json.dumps(values, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    if hygiene.is_harmless(line):
        assert row == clean_row(values) and not row.mended and not row.noted
    found = clean_line(1, line)
    if isinstance(found, Cleaned):
        assert (found.values, found.mended, found.noted) == (row.values, row.mended, row.noted)
    else:
        assert "\ud800" in text
