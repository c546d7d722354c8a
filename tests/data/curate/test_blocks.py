"""Lines read many at a time are the lines of the file, wherever blocks end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halo_forge.data.curate import blocks
from halo_forge.data.curate.chunks import read_chunks
from halo_forge.data.jsonl import read_lines

LONGEST = 12
LINE = (st.binary(max_size=8) | st.binary(min_size=20, max_size=40)).map(lambda line: line.replace(b"\n", b" "))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(LINE, max_size=12), st.booleans(), st.booleans(), st.integers(1, 9))
def test_what_is_read_at_once_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], mark: bool, ended: bool, at_once: int
) -> None:
    path = tmp_path / "rows.jsonl"
    content = b"\xef\xbb\xbf" * mark + b"\n".join(lines) + b"\n" * ended
    path.write_bytes(content)
    with monkeypatch.context() as patch:
        patch.setattr("halo_forge.data.jsonl.LONGEST_LINE", LONGEST)
        patch.setattr(blocks, "LONGEST_LINE", LONGEST)
        patch.setattr(blocks, "READ_BYTES", at_once)
        expected = list(read_lines(path))
        found = list(read_chunks(path))
    marked = {1: 3} if mark else {}
    long = [(line.number, line.length - marked.get(line.number, 0)) for line in expected if line.content is None]
    assert [one for chunk in found for one in chunk.passed_over] == long
    whole = {line.number: line.content for line in expected if line.content is not None and line.content.strip()}
    rows = [row for chunk in found for row in zip(chunk.numbers, chunk.offsets, chunk.lines, strict=True)]
    assert {number: line for number, _, line in rows} == {n: line.rstrip(b"\r\n") for n, line in whole.items()}
    assert all(content[offset:].startswith(line) for _, offset, line in rows)
    assert [number for number, _, _ in rows] == sorted(whole)
