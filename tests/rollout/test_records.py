from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from halo_forge.core.types import Rollout
from halo_forge.rollout.records import append_records, read_rollouts, whole_chunks, write_atomically


def test_records_come_back_as_they_were(tmp_path: Path, make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [make_rollout(index=i, reward=r) for i, r in enumerate((0.0, None, 1.0))]
    append_records(tmp_path / "r.jsonl", rollouts)
    assert read_rollouts(tmp_path / "r.jsonl") == rollouts


@pytest.mark.parametrize("cut", range(0, 700, 41))
def test_a_file_cut_anywhere_keeps_its_whole_chunks_only(
    tmp_path: Path, make_rollout: Callable[..., Rollout], cut: int
) -> None:
    path = tmp_path / "r.jsonl"
    append_records(path, [make_rollout(index=i, chunk=i // 2) for i in range(5)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(path.read_bytes()[:cut])
    whole = whole_chunks(path, [2, 2, 2])
    assert path.read_bytes() == b"".join(lines[: 2 * whole])
    kept = sum(len(b"".join(lines[: 2 * n])) <= cut for n in (1, 2))
    assert whole == kept


def test_an_atomic_write_leaves_no_partial_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.json", "one")
    write_atomically(tmp_path / "a.json", "two")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "two")]
