"""From a dataset to a file of rows: streamed, resumable, whole or not there at all.

While it is made, the rows lie in `FILE.partial`, and `FILE.ledger` says how far they are settled: up to which row of
which source file, and how many bytes that came to. After a kill the rest of the partial file is cut off and made again,
so that no row is lost or there twice. Media lie in `FILE.media` under the hash of their bytes.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

from halo_forge.config.prepare import PrepareConfig
from halo_forge.core.errors import DataError, HaloError
from halo_forge.core.events import EventLog, EventType, Listener
from halo_forge.core.files import write_atomically
from halo_forge.core.stop import StopRequest, stop_on_signals
from halo_forge.data.catalog import Dataset, find_dataset
from halo_forge.data.catalog.custom import ENDINGS, own_table, read_own
from halo_forge.data.draw_stream import SeededDraw
from halo_forge.data.hub_files import HubError
from halo_forge.data.ledger import Ledger, forget, ledger_path, locked, partial_path, read_ledger
from halo_forge.data.origin import open_origin
from halo_forge.data.prepare_job import Job, check_columns, check_disk, made_before
from halo_forge.data.row_maker import RowMaker
from halo_forge.data.sidecar import Counts, Sidecar, hash_content, write_sidecar
from halo_forge.data.tables import RawRow, read_table, require_name_of_lines, table_format

SAVE_PACE_S = 1.0
ROWS_A_SAVE = 2_000
TELL_PACE_S = 0.2


def open_dataset(name: str) -> Dataset:
    """Return a dataset of the catalogue by its name, or a user's own by its YAML file or by the table itself.

    Raises:
        ConfigError: there is none.
        DataError: the table cannot be read.
    """
    if name.endswith(ENDINGS):
        return read_own(Path(name))
    return own_table(Path(name)) if table_format(name) and Path(name).is_file() else find_dataset(name)


def prepare(config: PrepareConfig, listeners: tuple[Listener, ...] = ()) -> Sidecar:
    """Make the file, or go on making it.

    Raises:
        ConfigError, DataError: the dataset, split, filter or a column does not exist, or it cannot be fetched.
        RunConflictError, RunLockedError: the output is of something else, or another process writes it.
        EnvironmentFault: the disk is too small, or a library is missing.
        Interrupted: a stop was asked for.
    """
    require_name_of_lines(config.output)
    dataset = open_dataset(config.dataset)
    split, part = dataset.part(config.split)
    use, convert = dataset.conversion(config.use)
    stop = StopRequest()
    with EventLog() as events, locked(config.output), stop_on_signals(stop):
        for listener in listeners:
            events.listen(listener)
        ledger = read_ledger(config.output)
        revision = config.revision or (ledger.revision if ledger is not None and dataset.hub_id is not None else None)
        origin = open_origin(dataset, split, part, revision, config.media_root)
        job = Job(config, dataset, split, part, use, convert, origin)
        done = made_before(job)
        if done is not None:
            return done
        if ledger is None or ledger.fingerprint != job.fingerprint:
            check_columns(job)
            check_disk(job)
            ledger = Ledger(fingerprint=job.fingerprint, revision=origin.revision)
        making = _Making(job, ledger, events, stop)
        try:
            return making.finish()
        except HaloError:
            if making.is_vain:
                forget(config.output)
            raise


class _Making:
    """One attempt at a file."""

    def __init__(self, job: Job, ledger: Ledger, events: EventLog, stop: StopRequest) -> None:
        config = job.config
        self._job, self._ledger, self._events, self._stop = job, ledger, events, stop
        self._maker = RowMaker(job.dataset, job.origin.named, job.part, job.use, job.convert, config)
        self._read, self._kept = ledger.counts.read, ledger.counts.kept
        self._dropped, self._mended = Counter(ledger.counts.dropped), Counter(ledger.counts.mended)
        self._noted = Counter(ledger.counts.noted)
        self._example = ledger.example
        self._draw = (
            SeededDraw(config.max_samples, config.seed) if config.max_samples and config.seed is not None else None
        )
        self._saved_at = self._told_at = time.monotonic()
        self._unsaved = 0

    @property
    def is_vain(self) -> bool:
        """Whether nothing that is there is worth going on with."""
        return not self._kept

    def finish(self) -> Sidecar:
        """Read what is left, and put the file into its place."""
        job, output = self._job, self._job.config.output
        total = job.config.max_samples if self._draw is None else None
        total = total or job.dataset.rows_of(job.split) or None
        begun = time.perf_counter()
        self._events.emit(EventType.PHASE_STARTED, phase="prepare", unit="rows", total=total, done=self._progress)
        partial = partial_path(output)
        with partial.open("r+b" if partial.exists() else "w+b") as file:
            file.truncate(self._ledger.bytes)
            if self._draw is not None:
                self._draw.read_again(file)
            file.seek(0, os.SEEK_END)
            if not self._ledger.complete:
                self._read_all(file)
            self._tell()
        if not self._kept:
            raise DataError(self._nothing())
        sidecar = self._settle(partial)
        self._events.emit(EventType.PHASE_FINISHED, phase="prepare", wall_s=time.perf_counter() - begun)
        for reason, count in sidecar.counts.dropped.items():
            self._events.notice(f"{count} rows left out: {reason}")
        for reason, count in sidecar.counts.mended.items():
            self._events.notice(f"{count} rows with {reason}, which were mended")
        for reason, count in sidecar.counts.noted.items():
            self._events.notice(f"{count} rows with {reason}, which are encoded as ordinary text")
        if self._example:
            self._events.notice(f"the first row that cannot be read: {self._example}")
        return sidecar

    def _read_all(self, file: IO[bytes]) -> None:
        wanted = self._job.config.max_samples if self._draw is None else None
        try:
            for index, row, values in self._rows():
                if self._stop.requested or (wanted is not None and self._kept >= wanted):
                    break
                self._take(file, values)
                self._ledger = self._ledger.model_copy(update={"file": index, "row": row})
                self._pause(file)
        finally:
            self._save(file)
        self._stop.check()
        self._save(file, complete=True)

    def _rows(self) -> Iterator[tuple[int, int, RawRow]]:
        """Yield file, row in it from 1, and values, from where the ledger stands."""
        columns = self._maker.columns
        for index, source in enumerate(self._job.origin.files):
            if index < self._ledger.file:
                continue
            skip = self._ledger.row if index == self._ledger.file else 0
            try:
                with closing(source.opened()) as file:
                    rows = read_table(file, source.name, columns=columns, skip=skip, lenient=True)
                    for place, (_, values) in enumerate(rows, start=skip + 1):
                        yield index, place, values
            except DataError as error:
                if isinstance(error, HubError):
                    raise
                raise DataError(f"{self._job.origin.source}, {source.name}: {error}") from error

    def _take(self, file: IO[bytes], values: RawRow) -> None:
        made = self._maker.make(values, self._read)
        self._read += 1
        self._unsaved += 1
        if made.reason is not None:
            self._dropped[made.reason] += 1
            self._example = self._example or made.example
        elif made.line is not None and (self._draw is None or self._draw.take(made.id)):
            file.write(made.line)
            self._kept += 1
            if made.mended or made.noted:
                self._mended.update(made.mended)
                self._noted.update(made.noted)

    def _pause(self, file: IO[bytes]) -> None:
        now = time.monotonic()
        if now - self._saved_at >= SAVE_PACE_S or self._unsaved >= ROWS_A_SAVE:
            self._save(file)
        if now - self._told_at >= TELL_PACE_S:
            self._tell()

    def _save(self, file: IO[bytes], *, complete: bool = False) -> None:
        file.flush()
        os.fsync(file.fileno())
        update = {
            "bytes": file.tell(),
            "counts": self._counts(self._kept),
            "example": self._example,
            "complete": complete,
        }
        self._ledger = self._ledger.model_copy(update=update)
        write_atomically(ledger_path(self._job.config.output), self._ledger.model_dump_json() + "\n")
        self._saved_at, self._unsaved = time.monotonic(), 0

    def _tell(self) -> None:
        self._events.emit(EventType.PROGRESS, phase="prepare", step=self._progress)
        self._told_at = time.monotonic()

    @property
    def _progress(self) -> int:
        """Rows kept where so many are wanted, else rows read."""
        return self._kept if self._job.config.max_samples and self._draw is None else self._read

    def _settle(self, partial: Path) -> Sidecar:
        """Write the sidecar, then put the file into its place: a file without a sidecar was never finished."""
        config = self._job.config
        whole, kept = partial, self._kept
        if self._draw is not None:
            whole, kept = self._draw.write(partial), len(self._draw)
            self._dropped["not drawn"] += self._read - kept - sum(self._dropped.values())
            self._maker.media.keep_only(whole)
        sidecar = Sidecar(
            made_by="data prepare",
            source=self._job.origin.source,
            dataset=self._job.dataset.name,
            config=self._job.dataset.config,
            revision=self._job.origin.revision,
            split=self._job.split,
            use=self._job.use,
            licence=self._job.dataset.licence,
            counts=self._counts(kept),
            sha256=hash_content(whole),
            settings=config.model_dump(mode="json", exclude={"output"}, exclude_defaults=True),
            fingerprint=self._job.fingerprint,
            media=self._maker.media.count(),
        )
        write_sidecar(config.output, sidecar)
        whole.replace(config.output)
        forget(config.output)
        return sidecar

    def _counts(self, kept: int) -> Counts:
        return Counts(
            read=self._read,
            kept=kept,
            dropped=dict(+self._dropped),
            mended=dict(self._mended),
            noted=dict(self._noted),
        )

    def _nothing(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self._dropped.items()) or "it is empty"
        first = f"; the first row that cannot be read: {self._example}" if self._example else ""
        return f"{self._job.origin.source} (split '{self._job.split}') gave no row to keep: {reasons}{first}"
