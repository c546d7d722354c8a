"""Verifying a file of rows: read, judged and written at the same time, in memory that does not grow with the file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.config.verify import VerifyConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventLog, EventType, Listener
from halo_forge.core.stop import StopRequest, stop_on_signals
from halo_forge.core.types import Verdict
from halo_forge.data.curate.chunks import as_lines
from halo_forge.rollout.checking import Checker, open_checker
from halo_forge.rollout.faults import FaultCount
from halo_forge.verify.output import Output, open_output
from halo_forge.verify.rows import SourceRow, read_source
from halo_forge.verify.summary import RowVerdict, Tally, VerifySummary

ROWS_A_BATCH = 64
MOST_WAITING_ROWS = 4_096
MOST_WAITING_BYTES = 32 << 20
SAVE_PACE_S = 0.5
TELL_PACE_S = 0.2
STOP_PACE_S = 0.2
READ_BYTES = 1 << 20


class _Waiting(NamedTuple):
    """A row whose verdict is on its way."""

    row: SourceRow
    verdict: Future[Verdict]


def verify_file(
    source: Path, output: Path, config: VerifyConfig, listeners: tuple[Listener, ...] = ()
) -> VerifySummary:
    """Judge every row that `output` holds no verdict on yet.

    Args:
        source: a file of rows of any format; see `read_submission` for a row.
        output: JSONL; one `RowVerdict` a row, in the same order.

    Raises:
        DataError: a row cannot be used; the verdicts on those before it are written.
        RunConflictError, RunLockedError: the output is not ours to write.
        TooManyFaults: the share of unverifiable rows passed the limit.
        EnvironmentFault: the verifier cannot be built or kept running.
        Interrupted: a stop was asked for.
    """
    begun = time.perf_counter()
    stop = StopRequest()
    with (
        as_lines(source, output) as lines,
        EventLog() as events,
        open_checker(config) as checker,
        open_output(output, _settings(config, checker), lines) as opened,
        stop_on_signals(stop),
    ):
        for listener in listeners:
            events.listen(listener)
        total = _count_lines(lines)
        work = _Work(source, lines, checker, opened, config, events, stop)
        rows = work.finish(total)
        wall_s = time.perf_counter() - begun
        counts = opened.state.counts
    verified = counts.rows - counts.unverifiable
    return VerifySummary(
        output=str(output),
        verifier=checker.name,
        verifier_version=checker.version,
        sandbox_tier=checker.tier,
        counts=counts,
        mean_reward=counts.reward_sum / verified if verified else None,
        rows_per_s=rows / wall_s if rows else None,
        wall_s=wall_s,
    )


class _Work:
    """One attempt at a file."""

    def __init__(
        self,
        source: Path,
        lines: Path,
        checker: Checker,
        output: Output,
        config: VerifyConfig,
        events: EventLog,
        stop: StopRequest,
    ) -> None:
        self._source = source
        self._lines = lines
        self._checker = checker
        self._output = output
        self._faults = FaultCount(config.max_fault_rate)
        self._events = events
        self._stop = stop
        self._tally = Tally(output.state.counts)
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._written = 0
        self._saved_at = self._told_at = time.monotonic()
        self._untold_passed = self._untold_verified = 0

    def finish(self, total: int) -> int:
        """Judge what is left; return how many rows that was."""
        before = self._output.state
        self._events.emit(EventType.PHASE_STARTED, phase="verify", unit="rows", total=total, done=before.counts.rows)
        begun = time.perf_counter()
        with self._saved(), self._lines.open("rb") as file:
            file.seek(before.input_bytes)
            rows = read_source(file, self._source, before.lines)
            more = True
            while more and not self._stop.requested:
                more = self._submit(rows)
                self._write(all_of_them=not more)
        self._stop.check()
        if not before.counts.rows + self._written:
            raise DataError(f"{self._source} holds no rows; expected one JSON object a line")
        self._save(complete=True)
        self._tell()
        self._events.emit(EventType.PHASE_FINISHED, phase="verify", wall_s=time.perf_counter() - begun)
        return self._written

    @contextmanager
    def _saved(self) -> Iterator[None]:
        """Whatever ends the work, keep the verdicts that are written; a row that cannot be used first waits for
        those before it.
        """
        try:
            try:
                yield
            except DataError:
                self._write(all_of_them=True)
                raise
        finally:
            self._save()

    def _submit(self, rows: Iterator[SourceRow]) -> bool:
        """Put the next rows in line; return whether there may be more."""
        batch: list[SourceRow] = []
        try:
            for row in islice(rows, ROWS_A_BATCH):
                batch.append(row)  # noqa: PERF402  what was read before an error has to be there after it
        finally:
            # A row that cannot be used ends the reading, but those before it in the batch are judged.
            futures = self._checker.submit([row.submission for row in batch])
            for row, future in zip(batch, futures, strict=True):
                self._waiting.append(_Waiting(row, future))
                self._waiting_bytes += len(row.raw)
        return len(batch) == ROWS_A_BATCH

    def _write(self, *, all_of_them: bool) -> None:
        """Write the verdicts that are there, in order; wait for the first ones while too many rows are waiting."""
        while self._waiting and not self._stop.requested:
            full = len(self._waiting) >= MOST_WAITING_ROWS or self._waiting_bytes >= MOST_WAITING_BYTES
            row, future = self._waiting[0]
            if not future.done() and not (full or all_of_them):
                break
            self._pause()
            try:
                verdict = future.result(STOP_PACE_S)
            except TimeoutError:
                continue
            self._faults.count([verdict])
            self._waiting.popleft()
            self._waiting_bytes -= len(row.raw)
            self._append(row, verdict)

    def _append(self, row: SourceRow, verdict: Verdict) -> None:
        named = RowVerdict.model_construct(id=row.submission.prompt.id, **dict(verdict))
        self._output.append(row, named.model_dump_json().encode() + b"\n")
        self._tally.count(verdict)
        self._written += 1
        self._untold_passed += verdict.passed
        self._untold_verified += verdict.reward is not None

    def _pause(self) -> None:
        """Save and tell, when it is time to."""
        now = time.monotonic()
        if now - self._saved_at >= SAVE_PACE_S:
            self._save()
        if now - self._told_at >= TELL_PACE_S:
            self._tell()

    def _save(self, *, complete: bool = False) -> None:
        self._output.save(self._tally.counts(self._checker.reuse), complete=complete)
        self._saved_at = time.monotonic()

    def _tell(self) -> None:
        for notice in self._checker.take_notices():
            self._events.notice(notice)
        self._events.emit(
            EventType.PROGRESS,
            phase="verify",
            step=self._tally.rows,
            passed=self._untold_passed,
            verified=self._untold_verified,
        )
        self._untold_passed = self._untold_verified = 0
        self._told_at = time.monotonic()


def _settings(config: VerifyConfig, checker: Checker) -> dict[str, JsonValue]:
    return {
        "verifier": config.verifier,
        "verifier_options": config.verifier_options,
        "sandbox": checker.tier,
        "the verifier's version": checker.version,
    }


def _count_lines(source: Path) -> int:
    """Count the lines, for the progress."""
    with source.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(READ_BYTES), b""))
