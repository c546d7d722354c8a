"""The ledger counts rightly, and survives a write that was torn anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from halo_forge.core.errors import DataError, RunConflictError, RunLockedError
from halo_forge.datagen.ledger import SUFFIX, Answer, Failed, Use, open_ledger

SETTINGS = {"model": "m", "seed": 0}


def answer(item: int, attempt: int = 1, *, told: bool = True) -> Answer:
    return Answer(
        item=item, attempt=attempt, text="ä", finish="stop", model="m", tokens_in=10, tokens_out=20, told=told
    )


def fill(output: Path) -> None:
    with open_ledger(output, {**SETTINGS}) as ledger:
        for item in range(3):
            ledger.ask(item, 100, 500)
        ledger.end(answer(1))
        ledger.end(Failed(item=0, attempt=1, reason="500", maybe_paid=True))
        ledger.end(Failed(item=2, attempt=1, reason="429", maybe_paid=False))
        ledger.ask(0, 100, 500)
        ledger.end(answer(0, 2, told=False))
        ledger.ask(2, 100, 500)


def test_it_counts(tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    fill(output)
    with open_ledger(output, {**SETTINGS}) as ledger:
        assert ledger.answered == {0, 1}
        # Two answers, one failure that may have been paid, and one request that nobody knows the end of.
        assert ledger.use == Use(tokens_in=220, tokens_out=1040, requests=5, maybe_paid=2, untold=1)
        assert ledger.read(1) == answer(1)
        assert ledger.ask(2, 1, 1).attempt == 3


def test_torn_at_every_byte(tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    fill(output)
    path = tmp_path / ("rows.jsonl" + SUFFIX)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        lines = whole[:length].count(b"\n")
        with open_ledger(output, {**SETTINGS}) as ledger:
            assert ledger.use.requests == whole[:length].rpartition(b"\n")[0].count(b'"asked"')
            assert path.read_bytes().count(b"\n") == max(lines, 1)
            if 1 in ledger.answered:
                assert ledger.read(1) == answer(1)


def test_a_write_that_fails_leaves_no_part_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "rows.jsonl"
    path = tmp_path / ("rows.jsonl" + SUFFIX)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with open_ledger(output, {**SETTINGS}) as ledger:
        ledger.ask(0, 1, 1)
        before = path.read_bytes()
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            patch.setattr(os, "fsync", full)
            ledger.ask(1, 1, 1)
        assert path.read_bytes() == before
        assert ledger.use.requests == 1


def test_other_settings_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    fill(output)
    with pytest.raises(RunConflictError, match="seed was 0, now 1"), open_ledger(output, {**SETTINGS, "seed": 1}):
        pass


def test_a_file_that_is_not_ours_is_left(tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    output.write_text("precious")
    with pytest.raises(RunConflictError, match="not written by this command"), open_ledger(output, {**SETTINGS}):
        pass
    assert output.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        '{"kind": "ledger"}',
        '{"kind": "failed", "item": 9, "attempt": 1, "reason": "", "maybe_paid": false}',
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    output = tmp_path / "rows.jsonl"
    fill(output)
    path = tmp_path / ("rows.jsonl" + SUFFIX)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], line, *lines[3:]]) + "\n")
    with pytest.raises(RunConflictError, match="line 4, is no entry"), open_ledger(output, {**SETTINGS}):
        pass


def test_resume_wants_one_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no ledger"), open_ledger(tmp_path / "a", {**SETTINGS}, resume=True):
        pass


def test_one_process_at_a_time(tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    with (
        open_ledger(output, {**SETTINGS}),
        pytest.raises(RunLockedError, match="being written"),
        open_ledger(output, {**SETTINGS}),
    ):
        pass
