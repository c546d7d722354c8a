"""Looking at every row of a file: what cannot be used, what would be mended, and how the rest is made up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from halo_forge.config.curate import ValidateConfig
from halo_forge.core.events import EventLog
from halo_forge.core.types import Record
from halo_forge.data.curate.chunks import Chunk, in_order, processes_for, read_chunks
from halo_forge.data.curate.rewriting import Rewriting, Telling, count_rows, rewriting
from halo_forge.data.curate.row_check import (
    DIGEST_BYTES,
    DUPLICATE,
    ID_USED,
    TOO_LONG_LINE,
    Checked,
    CheckedChunk,
    RowCheck,
    Shape,
    check_chunk,
    kind_of,
)
from halo_forge.data.fields import id_field
from halo_forge.data.hygiene import Cleaned, clean_line
from halo_forge.data.jsonl import parse_object

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
    total = count_rows(path)
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
        with rewriting(config.fix, path) as copy, rewriting(changes) as listed:
            for chunk, found in chunks:
                for number, length in chunk.passed_over:
                    _list_left_out(listed, number, TOO_LONG_LINE, f"the line has {length:,} bytes")
                _rewrite(chunk, tally.take(chunk, found), copy, listed)
                telling.add(len(chunk.lines))
    telling.finish()
    return tally.result(path, kind)


def _set_up(kind: Literal["conversations", "prompts"], config: ValidateConfig) -> None:
    _Job.check = RowCheck(kind, config)


def _check(chunk: Chunk) -> CheckedChunk:
    return check_chunk(_Job.check, chunk)


def _rewrite(chunk: Chunk, singled_out: dict[int, Checked], copy: Rewriting, listed: Rewriting) -> None:
    """Copy the rows of a chunk, mended if need be, and list what happened to them."""
    copied = 0
    for place, checked in sorted(singled_out.items()):
        if checked.left_out is None and not checked.mended:
            continue
        number = chunk.numbers[place]
        copy.append_all(chunk.lines[copied:place])
        copied = place + 1
        if checked.left_out is not None:
            _list_left_out(listed, number, checked.left_out, checked.detail)
            continue
        row = clean_line(number, chunk.lines[place])
        assert isinstance(row, Cleaned), "a row that was mended can be cleaned"
        copy.append(json.dumps(row.values, ensure_ascii=False).encode())
        listed.append(json.dumps({"line": number, "change": "mended", "reason": list(checked.mended)}).encode())
    copy.append_all(chunk.lines[copied:])


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
        self._shapes: Counter[Shape] = Counter()
        self._lengths: dict[str, list[NDArray[np.int32]]] = {}
        self._previews: list[Preview] = []
        self._rows = self._usable = 0

    def take(self, chunk: Chunk, found: CheckedChunk) -> dict[int, Checked]:
        """Count a chunk, and return the rows that are not as the others; duplicates are known only here."""
        for number, length in chunk.passed_over:
            self._rows += 1
            self._find(TOO_LONG_LINE, number, f"the line has {length:,} bytes", mended=False)
        self._rows += len(chunk.lines)
        shape = np.frombuffer(found.columns["shape"], np.int64).copy()
        singled_out = found.singled_out | self._again(chunk, found, shape)
        for place, checked in sorted(singled_out.items()):
            self._single(chunk.numbers[place], checked)
        usable = shape >= 0
        self._usable += int(usable.sum())
        turns = np.array([len(one.roles) for one in found.shapes], np.int32)
        for one, times in zip(found.shapes, np.bincount(shape[usable], minlength=len(turns)).tolist(), strict=True):
            self._shapes[one] += times
        for name, column in found.columns.items():
            if name != "shape":
                self._measure(name, np.frombuffer(column, np.int64)[usable])
        self._measure("turns", turns[shape[usable]])
        return singled_out

    def result(self, path: Path, kind: Literal["conversations", "prompts"]) -> Validation:
        """Put it all together."""
        findings = [
            Finding(reason=reason, rows=count, lines=tuple(seen.lines), detail=seen.detail, mended=seen.mended)
            for reason, count in self._counts.most_common()
            for seen in [self._seen[reason]]
        ]
        roles: Counter[str] = Counter()
        programming: Counter[str] = Counter()
        scripts: Counter[str] = Counter()
        for shape, rows in self._shapes.items():
            scripts[shape.script] += rows
            for counts, names in ((roles, shape.roles), (programming, shape.programming)):
                for name in names:
                    counts[name] += rows
        fix = self._config.fix
        return Validation(
            path=str(path),
            kind=kind,
            rows=self._rows,
            usable=self._usable,
            findings=tuple(findings),
            notes=dict(self._notes.most_common()),
            roles=_ranked(roles),
            programming=_ranked(programming),
            scripts=_ranked(scripts),
            lengths={name: _quantiles(parts) for name, parts in self._lengths.items() if any(map(len, parts))},
            previews=tuple(self._previews),
            fixed=str(fix) if fix else None,
            changes=f"{fix}.changes.jsonl" if fix else None,
        )

    def _again(self, chunk: Chunk, found: CheckedChunk, shape: NDArray[np.int64]) -> dict[int, Checked]:
        """Find rows that are there already; their shape becomes -1."""
        again = {}
        digests, ids = found.digests, found.ids
        for place in np.flatnonzero(shape >= 0).tolist():
            digest = digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]
            key = ids[place] if ids else None
            if digest in self._digests:
                reason, detail = DUPLICATE, "an equal row comes before it"
            elif key is not None and key in self._ids:
                reason, detail = ID_USED, f"id {id_field(parse_object(chunk.lines[place], lenient=True))!r}"
            else:
                self._ids.update(() if key is None else (key,))
                self._digests.add(digest)
                continue
            self._digests.add(digest)
            again[place] = found.singled_out.get(place, Checked())._replace(left_out=reason, detail=detail)
            shape[place] = -1
        return again

    def _single(self, number: int, checked: Checked) -> None:
        """Count what a row has of its own."""
        for reason in checked.mended:
            self._find(reason, number, "", mended=True)
        self._notes.update(checked.noted)
        if checked.left_out is not None:
            self._find(checked.left_out, number, checked.detail, mended=False)
        elif checked.turns and len(self._previews) < self._config.preview:
            self._previews.append(Preview(line=number, turns=checked.turns, rendered=checked.rendered))

    def _measure(self, name: str, lengths: NDArray[np.integer[Any]]) -> None:
        self._lengths.setdefault(name, []).append(lengths.astype(np.int32))

    def _find(self, reason: str, number: int, detail: str, *, mended: bool) -> None:
        seen = self._seen.setdefault(reason, _Seen([], detail, mended))
        if len(seen.lines) < LINES_SHOWN:
            seen.lines.append(number)
        self._counts[reason] += 1


def _ranked(counts: Counter[str]) -> dict[str, int]:
    """The most frequent first; none that never came."""
    return {name: count for name, count in counts.most_common() if count}


def _quantiles(parts: list[NDArray[np.int32]]) -> dict[str, float]:
    found = np.quantile(np.concatenate(parts), QUANTILES)
    return {f"p{100 * q:g}": float(value) for q, value in zip(QUANTILES, found.tolist(), strict=True)}
