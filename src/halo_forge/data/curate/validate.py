"""Looking at every row of a file: what cannot be used, what would be mended, and how the rest is made up."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from halo_forge.config.curate import ValidateConfig
from halo_forge.core.events import EventLog
from halo_forge.core.types import Record
from halo_forge.data.curate.chunks import Chunk, RawLine, in_order, processes_for, read_chunks
from halo_forge.data.curate.rewriting import Rewriting, Telling, count_lines, rewriting
from halo_forge.data.curate.row_check import DUPLICATE, TOO_LONG_LINE, Checked, RowCheck, kind_of
from halo_forge.data.hygiene import Cleaned, clean_line

LINES_SHOWN = 10
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Finding(Record):
    """Something to mend.

    Args:
        reason: what it is.
        rows: how many have it.
        lines: the first of them, counted from 1.
        detail: the first one's fault in full.
        mended: whether the row itself can be mended; otherwise `--fix` leaves it out.
    """

    reason: str
    rows: int
    lines: tuple[int, ...]
    detail: str
    mended: bool


class Preview(Record):
    """A row as the model reads it: its turns, and with a model the rendered text."""

    line: int
    turns: tuple[tuple[str, str], ...]
    rendered: str | None


class Validation(Record):
    """Result of `data validate`.

    Args:
        kind: what the rows are.
        rows: lines that are not blank.
        usable: rows without a finding that leaves them out.
        findings: what is to mend; nothing if the file is clean.
        notes: what deserves a word and is no fault, with a count.
        roles: role -> turns.
        programming: language of fences -> rows that have one.
        scripts: script of most letters -> rows.
        lengths: `characters`, `words`, `turns` and with a model `tokens` -> quantile -> value.
        fixed: the cleaned copy, if one was asked for.
        changes: the file that lists what it changed.
    """

    path: str
    kind: Literal["conversations", "prompts"]
    rows: int
    usable: int
    findings: tuple[Finding, ...]
    notes: dict[str, int]
    roles: dict[str, int]
    programming: dict[str, int]
    scripts: dict[str, int]
    lengths: dict[str, dict[str, float]]
    previews: tuple[Preview, ...] = ()
    fixed: str | None = None
    changes: str | None = None

    @property
    def clean(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.findings


class _Job:
    """What a process was set up with."""

    check: RowCheck


def validate_file(path: Path, config: ValidateConfig, events: EventLog) -> Validation:
    """Look at every row, and write a cleaned copy if one is asked for.

    Raises:
        DataError: the file cannot be read, or holds no rows.
        ModelError: the model's tokenizer cannot be used.
        ConfigError, EnvironmentFault: the copy cannot be written.
    """
    total = count_lines(path)
    kind = kind_of(path) if config.kind == "auto" else config.kind
    tally = _Tally(config)
    telling = Telling(events, "validate", total)
    chunks = in_order(_check, read_chunks(path), processes_for(path, config.processes), _set_up, kind, config)
    if config.fix is None:
        for chunk, found in chunks:
            tally.take(chunk, found)
            telling.add(len(chunk.lines))
    else:
        changes = config.fix.with_name(config.fix.name + ".changes.jsonl")
        with rewriting(config.fix, path) as copy, rewriting(changes, path) as listed:
            for chunk, found in chunks:
                for number, length in chunk.passed_over:
                    _list_left_out(listed, number, TOO_LONG_LINE, f"the line has {length:,} bytes")
                for line, checked in tally.take(chunk, found):
                    _rewrite(line, checked, copy, listed)
                telling.add(len(chunk.lines))
    telling.finish()
    return tally.result(path, kind)


def _set_up(kind: Literal["conversations", "prompts"], config: ValidateConfig) -> None:
    _Job.check = RowCheck(kind, config)


def _check(chunk: Chunk) -> list[Checked]:
    return [_Job.check(line.number, line.content) for line in chunk.lines]


def _rewrite(line: RawLine, checked: Checked, copy: Rewriting, listed: Rewriting) -> None:
    """Copy a row, mended if need be, and list what happened to it."""
    if checked.left_out is not None:
        _list_left_out(listed, line.number, checked.left_out, checked.detail)
    elif checked.mended:
        row = clean_line(line.number, line.content)
        assert isinstance(row, Cleaned), "a row that was mended can be cleaned"
        copy.append(json.dumps(row.values, ensure_ascii=False).encode())
        listed.append(json.dumps({"line": line.number, "change": "mended", "reason": list(checked.mended)}).encode())
    else:
        copy.append(line.content)


def _list_left_out(listed: Rewriting, number: int, reason: str, detail: str) -> None:
    change = {"line": number, "change": "left out", "reason": reason, "detail": detail}
    listed.append(json.dumps(change, ensure_ascii=False).encode("utf-8", "replace"))


class _Seen(NamedTuple):
    """The lines of a finding so far."""

    lines: list[int]
    detail: str
    mended: bool


class _Tally:
    """Counts over the whole file; a few bytes a row."""

    def __init__(self, config: ValidateConfig) -> None:
        self._config = config
        self._digests: set[bytes] = set()
        self._ids: set[bytes] = set()
        self._counts: Counter[str] = Counter()
        self._seen: dict[str, _Seen] = {}
        self._notes: Counter[str] = Counter()
        self._roles: Counter[str] = Counter()
        self._programming: Counter[str] = Counter()
        self._scripts: Counter[str] = Counter()
        self._lengths: dict[str, array[int]] = {}
        self._previews: list[Preview] = []
        self._rows = self._usable = 0

    def take(self, chunk: Chunk, found: list[Checked]) -> Iterator[tuple[RawLine, Checked]]:
        """Count a chunk, and return its rows with what becomes of each; duplicates are known only here."""
        for number, length in chunk.passed_over:
            self._rows += 1
            self._find(TOO_LONG_LINE, number, f"the line has {length:,} bytes", mended=False)
        rows = [self._again(checked) for checked in found]
        for line, checked in zip(chunk.lines, rows, strict=True):
            self._count(line.number, checked)
        return zip(chunk.lines, rows, strict=True)

    def result(self, path: Path, kind: Literal["conversations", "prompts"]) -> Validation:
        """Put it all together."""
        findings = [
            Finding(reason=reason, rows=count, lines=tuple(seen.lines), detail=seen.detail, mended=seen.mended)
            for reason, count in self._counts.most_common()
            for seen in [self._seen[reason]]
        ]
        fix = self._config.fix
        return Validation(
            path=str(path),
            kind=kind,
            rows=self._rows,
            usable=self._usable,
            findings=tuple(findings),
            notes=dict(self._notes.most_common()),
            roles=dict(self._roles.most_common()),
            programming=dict(self._programming.most_common()),
            scripts=dict(self._scripts.most_common()),
            lengths={name: _quantiles(values) for name, values in self._lengths.items()},
            previews=tuple(self._previews),
            fixed=str(fix) if fix else None,
            changes=f"{fix}.changes.jsonl" if fix else None,
        )

    def _again(self, checked: Checked) -> Checked:
        """Leave out a row that is there already."""
        if checked.left_out is not None:
            return checked
        if checked.digest in self._digests:
            return checked._replace(left_out=DUPLICATE, detail="an equal row comes before it")
        self._digests.add(checked.digest)
        if checked.id is not None:
            key = blake2b(checked.id.encode("utf-8", "replace"), digest_size=8).digest()
            if key in self._ids:
                return checked._replace(left_out="id used before", detail=f"id {checked.id!r}")
            self._ids.add(key)
        return checked

    def _count(self, number: int, checked: Checked) -> None:
        self._rows += 1
        for reason in checked.mended:
            self._find(reason, number, "", mended=True)
        self._notes.update(checked.noted)
        if checked.left_out is not None:
            self._find(checked.left_out, number, checked.detail, mended=False)
            return
        self._usable += 1
        self._roles.update(checked.roles)
        self._programming.update(checked.programming)
        self._scripts[checked.script] += 1
        lengths = {"characters": checked.characters, "words": checked.words, "turns": len(checked.roles)}
        if checked.tokens is not None:
            lengths["tokens"] = checked.tokens
        for name, length in lengths.items():
            self._lengths.setdefault(name, array("q")).append(length)
        if len(self._previews) < self._config.preview:
            self._previews.append(Preview(line=number, turns=checked.turns, rendered=checked.rendered))

    def _find(self, reason: str, number: int, detail: str, *, mended: bool) -> None:
        seen = self._seen.setdefault(reason, _Seen([], detail, mended))
        if len(seen.lines) < LINES_SHOWN:
            seen.lines.append(number)
        self._counts[reason] += 1


def _quantiles(values: array[int]) -> dict[str, float]:
    found = np.quantile(np.frombuffer(values, np.int64), QUANTILES)
    return {f"p{100 * q:g}": float(value) for q, value in zip(QUANTILES, found.tolist(), strict=True)}
