"""Every run below the root and how it stands, with what the page's own processes add to what the folders say."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from halo_forge.core.errors import RunConflictError
from halo_forge.runs.attempt import ASKED_FILE, PROCESS_FILE, Asked, Supervision, read_note
from halo_forge.runs.overview import Listing, Overview, list_runs, overview
from halo_forge.runs.run_dir import read_launch
from halo_forge.runs.state import RunState, read_status

FRESH_S = 1.0


class Standing(StrEnum):
    """How a run stands, as the page says it."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


ACTIVE = frozenset({Standing.STARTING, Standing.RUNNING, Standing.STOPPING})
CAN_GO_ON = frozenset({Standing.FAILED, Standing.STOPPED, Standing.LOST})
_PLAIN = {
    RunState.QUEUED: Standing.QUEUED,
    RunState.FINISHED: Standing.SUCCEEDED,
    RunState.STOPPED: Standing.STOPPED,
    RunState.FAILED: Standing.FAILED,
    RunState.LOST: Standing.LOST,
}


class Entry(NamedTuple):
    """A run with its standing."""

    run: Overview
    standing: Standing


class Glance(NamedTuple):
    """All runs, the newest first, and what could not be read."""

    entries: tuple[Entry, ...]
    unreadable: tuple[str, ...]


class Board:
    """Looks at the folders of runs; several threads may ask at the same time.

    A list that is a second old is given again, so that several open pages cost no more than one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, Path] = {}
        self._glance = Glance((), ())
        self._seen = 0.0
        self._lock = Lock()

    def glance(self, *, fresh: bool = False) -> Glance:
        """Look at every run."""
        with self._lock:
            if fresh or time.monotonic() - self._seen > FRESH_S:
                listing = list_runs(self.root) if self.root.is_dir() else Listing(runs=())
                entries = tuple(self._judged(run) for run in listing.runs)
                self._glance = Glance(entries, listing.unreadable)
                # Of copies with one id the address leads to the first by name.
                self._folders = {run.run_id: run.path for run in sorted(listing.runs, key=_by_name, reverse=True)}
                self._seen = time.monotonic()
            return self._glance

    def forget(self) -> None:
        """Look anew at the next question, since something was just changed."""
        self._seen = 0.0

    def find(self, run_id: str) -> Path:
        """Return the folder of a run; it is never made of the id's text.

        Raises:
            RunConflictError: there is no such run below the root.
        """
        folder = self._folders.get(run_id)
        if folder is not None and _is_still(folder, run_id):
            return folder
        self.glance(fresh=True)
        if run_id not in self._folders:
            raise RunConflictError(f"there is no run '{run_id}' below {self.root}; it was moved away or removed")
        return self._folders[run_id]

    def entry(self, run_id: str) -> Entry:
        """Look at one run.

        Raises:
            RunConflictError: there is no such run, or it cannot be read.
        """
        return self._judged(overview(self.find(run_id), self.root))

    def _judged(self, run: Overview) -> Entry:
        standing = standing_of(run)
        if standing is Standing.LOST and (run.path / PROCESS_FILE).exists():
            # Its supervisor may have said how it ended between the look at the run and that at the processes.
            run = overview(run.path, self.root)
            standing = standing_of(run)
        return Entry(run, standing)


def standing_of(run: Overview) -> Standing:
    """How a run stands, the attempt in preparation and the wish to stop counted."""
    if run.state is RunState.RUNNING:
        asked = read_note(run.path / ASKED_FILE, Asked)
        holder = read_status(run.path).holder if asked is not None else None
        return Standing.STOPPING if asked and holder and asked.at >= holder.since else Standing.RUNNING
    attempt = read_note(run.path / PROCESS_FILE, Supervision)
    if attempt is not None and attempt.is_alive and not has_ended(run.path, attempt.started):
        asked = read_note(run.path / ASKED_FILE, Asked)
        return Standing.STOPPING if asked is not None and asked.at >= attempt.started else Standing.STARTING
    if attempt is not None and attempt.is_concluding and not has_ended(run.path, attempt.started):
        return Standing.STOPPING
    return _PLAIN[run.state]


def has_ended(folder: Path, since: float) -> bool:
    """Whether an attempt has said how it ended."""
    try:
        return (folder / "exit.json").stat().st_mtime >= since
    except OSError:
        return False


def _is_still(folder: Path, run_id: str) -> bool:
    try:
        context = read_launch(folder)
    except RunConflictError:
        return False
    return context is not None and context.run_id == run_id


def _by_name(run: Overview) -> str:
    return run.name
