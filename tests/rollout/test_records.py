from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from halo_forge.core.types import Rollout
from halo_forge.rollout.records import append_records, read_rollouts, write_atomically


def test_records_come_back_as_they_were(tmp_path: Path, make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [make_rollout(index=i, reward=r) for i, r in enumerate((0.0, None, 1.0))]
    append_records(tmp_path / "r.jsonl", rollouts)
    assert read_rollouts(tmp_path / "r.jsonl") == rollouts


def test_an_atomic_write_leaves_no_partial_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.json", "one")
    write_atomically(tmp_path / "a.json", "two")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "two")]
