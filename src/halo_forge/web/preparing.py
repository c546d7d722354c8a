"""Datasets that the page prepares: `halo-forge data prepare` in a process of its own, found again after a restart."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

from pydantic import ValidationError

from halo_forge.config.load import Loaded
from halo_forge.config.prepare import PrepareConfig
from halo_forge.core.errors import RunConflictError
from halo_forge.core.files import write_atomically
from halo_forge.core.types import Record
from halo_forge.data.sidecar import Sidecar
from halo_forge.runs.attempt import read_note
from halo_forge.runs.process import ProcessMark, mark_of
from halo_forge.web.responses import tail_of

JOB_FILE, SETTINGS_FILE, LOG_FILE, RESULT_FILE = "job.json", "config.yaml", "log", "result.json"
SHOWN = 10
TAIL = 4_000


class Job(Record):
    """`job.json`: what was asked for, and the process that does it.

    Args:
        output: the file of rows, absolute.
        started: seconds since 1970.
    """

    dataset: str
    output: str
    started: float
    process: ProcessMark
    settings: PrepareConfig


class Preparation(NamedTuple):
    """How a job stands.

    Args:
        said: its last words: progress, what came of it, or what went wrong.
        rows: those of the file, once it is there.
    """

    id: str
    job: Job
    state: Literal["running", "succeeded", "failed"]
    said: str
    rows: int | None


class Preparations:
    """The jobs of a folder; several threads may ask."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder, self._home = folder, home
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = Lock()

    def start(self, loaded: Loaded[PrepareConfig]) -> None:
        """Begin, or go on where a stopped job of the same file left off.

        Raises:
            RunConflictError: the file is being made already.
        """
        config = loaded.config
        with self._lock:
            if any(one.state == "running" and one.job.output == str(config.output) for one in self._look()):
                raise RunConflictError(f"{config.output} is being made already")
            # Names sort by time, two in one second as well: the newest job of a file is the one that counts.
            folder = self._folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
            folder.mkdir(parents=True)
            (folder / SETTINGS_FILE).write_text(loaded.to_yaml(), encoding="utf-8")
            with (folder / LOG_FILE).open("wb") as log, (folder / RESULT_FILE).open("wb") as result:
                settings = str(folder / SETTINGS_FILE)
                child = subprocess.Popen(
                    [sys.executable, "-m", "halo_forge", "data", "prepare", "--json", "--config", settings],
                    stdin=subprocess.DEVNULL,
                    stdout=result,
                    stderr=log,
                    start_new_session=True,
                    cwd=self._home,
                )
            self._children.append(child)
            mark = mark_of(child.pid)
            job = Job(
                dataset=config.dataset, output=str(config.output), started=time.time(), process=mark, settings=config
            )
            write_atomically(folder / JOB_FILE, job.model_dump_json())

    def stop(self, id: str) -> None:
        """Ask a job to stop where it can go on from.

        Raises:
            RunConflictError: there is none that runs.
        """
        for one in self.latest():
            if one.id == id and one.job.process.signal(signal.SIGTERM):
                return
        raise RunConflictError(f"no preparation '{id[:40]}' is running")

    def go_on(self, id: str) -> None:
        """Start a job again; it goes on behind the rows that are settled.

        Raises:
            RunConflictError: there is none of that number.
        """
        for one in self.latest():
            if one.id == id:
                settings = one.job.settings
                self.start(Loaded(settings, dict.fromkeys(type(settings).model_fields, "form")))
                return
        raise RunConflictError(f"there is no preparation '{id[:40]}'")

    def latest(self) -> list[Preparation]:
        """The latest jobs, the newest first; of those for one file the newest only."""
        with self._lock:
            return self._look()

    def _look(self) -> list[Preparation]:
        self._children = [child for child in self._children if child.poll() is None]
        found: dict[str, Preparation] = {}
        folders = sorted(self._folder.iterdir(), reverse=True) if self._folder.is_dir() else []
        for folder in folders:
            job = read_note(folder / JOB_FILE, Job)
            if job is not None and job.output not in found:
                found[job.output] = _standing(folder, job)
            if len(found) == SHOWN:
                break
        return list(found.values())


def _standing(folder: Path, job: Job) -> Preparation:
    words = tail_of(folder / LOG_FILE, TAIL)[0].decode(errors="replace").split("\n")
    said = next((line.strip() for line in reversed(words) if line.strip()), "").removeprefix("halo-forge: ")
    if job.process.is_alive:
        return Preparation(folder.name, job, "running", said or "looking for the dataset", None)
    try:
        made = Sidecar.model_validate_json((folder / RESULT_FILE).read_bytes())
    except (OSError, ValidationError):
        return Preparation(folder.name, job, "failed", said or "its process is gone", None)
    left_out = sum(made.counts.dropped.values())
    return Preparation(
        folder.name, job, "succeeded", f"{left_out:,} left out" if left_out else "none left out", made.counts.kept
    )
