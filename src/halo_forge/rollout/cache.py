"""Verdicts of earlier runs, by content: one SQLite file that all runs of a user share.

Entries live in two generations. Fresh and reused verdicts go into the recent one; when that is full it becomes the
older one, and the older one before it is dropped as a whole. What was used among the last half of the file's capacity
therefore stays, and removing the rest costs one statement instead of a write for each use.

Whatever is wrong with the file, no run stops or changes for it: the cache then answers nothing, and says so once.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from halo_forge.core.folders import cache_folder
from halo_forge.core.types import Verdict

FORMAT = 1
MOST_VERDICTS = 500_000
LONGEST_VERDICT_BYTES = 4_096
BUSY_TIMEOUT_S = 5.0
GENERATION = """
CREATE TABLE IF NOT EXISTS {name} (number INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, verdict BLOB NOT NULL)
"""
FIND = "SELECT verdict FROM {name} WHERE key = ?"
STORE = """
INSERT INTO recent (key, verdict) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET verdict = excluded.verdict
"""


def cache_file() -> Path:
    """Where the verdicts of this user are kept."""
    return cache_folder() / "verdicts.sqlite"


class VerdictCache:
    """Verdicts by key; several processes and threads may use the file at the same time.

    Args:
        path: the file, made when it is not there.
        most_verdicts: entries that it holds at most; each is at most `LONGEST_VERDICT_BYTES` long.
    """

    def __init__(self, path: Path, most_verdicts: int = MOST_VERDICTS) -> None:
        self._path = path
        self._generation_size = max(1, most_verdicts // 2)
        self._lock = threading.Lock()
        self._reused: dict[bytes, bytes] = {}
        self._notice: str | None = None
        self._connection: sqlite3.Connection | None = None
        with self._guarded():
            self._connection = self._open()

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Verdict]:
        """Return the verdicts that are stored under these keys; an entry that is no verdict counts as absent."""
        found: dict[bytes, Verdict] = {}
        with self._guarded() as connection:
            if connection is None:
                return found
            connection.execute("BEGIN")
            for key in keys:
                content = self._look_up(connection, key)
                verdict = None if content is None else _parsed(content)
                if verdict is not None:
                    found[key] = verdict
            connection.execute("COMMIT")
        return found

    def store(self, verdicts: Mapping[bytes, Verdict]) -> None:
        """Keep verdicts, except faults and those that the clock decided."""
        contents = {key: verdict.model_dump_json(exclude_defaults=True).encode() for key, verdict in verdicts.items()
                    if is_lasting(verdict)}  # fmt: skip
        rows = [(key, content) for key, content in contents.items() if len(content) <= LONGEST_VERDICT_BYTES]
        with self._guarded() as connection:
            rows += self._reused.items()
            self._reused.clear()
            if connection is None or not rows:
                return
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(STORE, rows)
            (last,) = connection.execute("SELECT max(number) FROM recent").fetchone()
            if last >= self._generation_size:
                connection.execute("DROP TABLE older")
                connection.execute("ALTER TABLE recent RENAME TO older")
                connection.execute(GENERATION.format(name="recent"))
            connection.execute("COMMIT")

    def take_notice(self) -> str | None:
        """Return, once, why the cache is not used; None while it is."""
        with self._lock:
            notice, self._notice = self._notice, None
        return notice

    def close(self) -> None:
        """Close the file."""
        self.store({})
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection | None]:
        """Hold the connection; the first error of the file or of its folder ends its use."""
        with self._lock:
            try:
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                self._notice = (
                    f"the verdict cache {self._path} cannot be used ({error}), so every program is judged anew; "
                    "remove the file to begin a new one, or give --no-cache"
                )
                if self._connection is not None:
                    with suppress(sqlite3.Error):
                        self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in (self._path.parent, self._path):
            if place.exists() and not _is_ours_alone(place):
                raise PermissionError(f"{place} can be written by somebody else, who could put wrong verdicts there")
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT):
            raise sqlite3.DatabaseError(f"it has format {version}, and this version of halo-forge reads {FORMAT}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if version == 0:
            connection.execute("BEGIN IMMEDIATE")
            for name in ("recent", "older"):
                connection.execute(GENERATION.format(name=name))
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")

    def _look_up(self, connection: sqlite3.Connection, key: bytes) -> bytes | None:
        row = connection.execute(FIND.format(name="recent"), (key,)).fetchone()
        if row is None:
            row = connection.execute(FIND.format(name="older"), (key,)).fetchone()
            if row is not None:
                self._reused[key] = row[0]
        return None if row is None else row[0]


def _parsed(content: bytes) -> Verdict | None:
    try:
        verdict = Verdict.model_validate_json(content)
    except ValueError:
        return None
    return verdict if is_lasting(verdict) else None


def is_lasting(verdict: Verdict) -> bool:
    """Whether judging again would give the same verdict."""
    return verdict.reward is not None and verdict.fault is None and verdict.repeatable


def _is_ours_alone(place: Path) -> bool:
    status = place.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
