"""Runs that wait for their turn: each is a `queued.json` in its folder, so nothing is lost when the server goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, RLock, Thread

from pydantic import JsonValue

from halo_forge.core.errors import HaloError, RunConflictError
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.attempt import (
    ASKED_FILE,
    PROCESS_FILE,
    QUEUED_FILE,
    Asked,
    Queued,
    Supervision,
    read_note,
)
from halo_forge.runs.control import kill_run, stop_run
from halo_forge.runs.lock import read_holder
from halo_forge.runs.run_dir import Exit, read_launch
from halo_forge.runs.state import RunState, read_status
from halo_forge.web.board import ACTIVE, Board, has_ended

PACE_S = 0.5
TAKING_S = 60.0
NEVER_BEGAN = "it was taken out of the queue before it began"


class Queue:
    """Starts waiting runs in their order, at most so many at the same time.

    Args:
        slots: how many that is.
        accelerators: devices as CUDA names them, one of which each run is given; none where runs use the processor.
    """

    def __init__(self, board: Board, slots: int, accelerators: Sequence[str] = ()) -> None:
        self._board = board
        self._slots = slots
        self._accelerators = tuple(accelerators)
        self._given: dict[Path, str] = {}
        self._change = RLock()
        self._awake, self._over = Event(), Event()
        self._children: list[subprocess.Popen[bytes]] = []
        self._handed: dict[Path, float] = {}
        self._waiting: dict[Path, Queued] = {}
        self._active: set[Path] = set()
        self._thread = Thread(target=self._serve, name="queue", daemon=True)

    def start(self) -> None:
        """Find what waits and what runs on the disk, and begin."""
        for entry in self._board.glance(fresh=True).entries:
            queued = read_note(entry.run.path / QUEUED_FILE, Queued)
            if queued is not None:
                self._waiting[entry.run.path] = queued
            if entry.standing in ACTIVE and (entry.run.path / PROCESS_FILE).exists():
                self._active.add(entry.run.path)
                attempt = read_note(entry.run.path / PROCESS_FILE, Supervision)
                if attempt is not None and attempt.accelerator is not None:
                    self._given[entry.run.path] = attempt.accelerator
        self._thread.start()

    def close(self) -> None:
        """Start nothing more; what runs goes on."""
        self._over.set()
        self._awake.set()
        self._thread.join()

    @property
    def slots(self) -> int:
        """Runs going at the same time at most."""
        return self._slots

    @property
    def waiting(self) -> list[Path]:
        """Folders of the runs that wait, the next one first."""
        with self._change:
            return sorted(self._waiting, key=lambda folder: (self._waiting[folder].order, str(folder)))

    def submit(self, folder: Path, changes: Mapping[str, JsonValue] | None = None) -> None:
        """Put a run at the end of the queue.

        Raises:
            RunConflictError: it runs or waits already.
        """
        with self._change:
            if folder in self._waiting or folder in self._handed:
                raise RunConflictError(f"{folder} is in the queue already")
            if read_status(folder).state is RunState.RUNNING:
                raise RunConflictError(f"{folder} is running")
            last = max((queued.order for queued in self._waiting.values()), default=0.0)
            queued = Queued(order=last + 1, since=round(time.time(), 3), changes=dict(changes or {}))
            self._put(folder, queued)
        self._awake.set()

    def withdraw(self, folder: Path) -> None:
        """Take a run that waits out of the queue.

        Raises:
            RunConflictError: it does not wait.
        """
        with self._change:
            if folder not in self._waiting:
                raise RunConflictError(f"{folder} does not wait in the queue; it may just have been started")
            del self._waiting[folder]
            (folder / QUEUED_FILE).unlink(missing_ok=True)
            if not (folder / "exit.json").exists() and not (folder / "events.jsonl").exists():
                never = Exit(status="stopped", exit_code=130, message=NEVER_BEGAN, ended_at=time.time())
                write_atomically(folder / "exit.json", never.model_dump_json(indent=2) + "\n")
            self._board.forget()

    def move(self, folder: Path, by: int) -> None:
        """Let a run wait `by` places later, or earlier if negative.

        Raises:
            RunConflictError: it does not wait.
        """
        with self._change:
            order = self.waiting
            if folder not in order:
                raise RunConflictError(f"{folder} does not wait in the queue; it may just have been started")
            place = order.index(folder)
            order.insert(max(0, min(len(order) - 1, place + by)), order.pop(place))
            for number, each in enumerate(order, start=1):
                self._put(each, self._waiting[each].model_copy(update={"order": float(number)}))

    def stop(self, folder: Path, *, kill: bool) -> None:
        """Ask a run to stop at its next safe point, or end it and all it started at once.

        Raises:
            RunConflictError: it does not run, or not on this machine.
        """
        asked = Asked(what="kill" if kill else "stop", at=round(time.time(), 3))
        if read_holder(folder) is not None:
            write_atomically(folder / ASKED_FILE, asked.model_dump_json() + "\n")
            if kill:
                kill_run(folder, wait_s=0)  # a disk may keep it for long; its supervisor says when it is gone
            else:
                stop_run(folder, wait_s=0)
        else:
            attempt = read_note(folder / PROCESS_FILE, Supervision)
            if attempt is None or attempt.trainer is None or not attempt.is_alive:
                raise RunConflictError(f"{folder} is not running; there is nothing to stop")
            if has_ended(folder, attempt.started) and not kill:
                raise RunConflictError(f"{folder} has ended, and only writes its report")
            write_atomically(folder / ASKED_FILE, asked.model_dump_json() + "\n")
            attempt.trainer.signal(signal.SIGKILL if kill else signal.SIGTERM)
        self._board.forget()
        self._awake.set()

    def _serve(self) -> None:
        while not self._over.is_set():
            with self._change:
                self._children = [child for child in self._children if child.poll() is None]
                self._look()
                ready = [folder for folder in self.waiting if not self._is_alive(folder)]
                for folder in ready[: max(0, self._slots - len(self._active) - len(self._handed))]:
                    self._hand_over(folder)
            self._awake.wait(PACE_S)
            self._awake.clear()

    def _look(self) -> None:
        """See which of the runs that were started are still at it."""
        for folder, since in list(self._handed.items()):
            if not (folder / QUEUED_FILE).exists():
                del self._handed[folder]
                self._active.add(folder)
                self._board.forget()
            elif time.monotonic() - since > TAKING_S:
                del self._handed[folder]  # its supervisor came to nothing: it waits again
                self._waiting[folder] = read_note(folder / QUEUED_FILE, Queued) or Queued(order=0, since=0)
        ended = {folder for folder in self._active if not self._is_alive(folder)}
        self._active -= ended
        if ended:
            self._board.forget()

    def _hand_over(self, folder: Path) -> None:
        del self._waiting[folder]
        if not folder.is_dir():
            return  # removed while it waited
        self._handed[folder] = time.monotonic()
        accelerator = self._least_used() if _takes_any(folder) else None
        if accelerator is not None:
            self._given[folder] = accelerator
        self._children.append(
            subprocess.Popen(
                [sys.executable, "-m", "halo_forge.web.supervisor", str(folder), *filter(None, (accelerator,))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd=os.sep,
            )
        )

    def _least_used(self) -> str | None:
        busy = [self._given.get(folder) for folder in (*self._active, *self._handed)]
        return min(self._accelerators, key=busy.count, default=None)

    def _put(self, folder: Path, queued: Queued) -> None:
        write_atomically(folder / QUEUED_FILE, queued.model_dump_json() + "\n")
        self._waiting[folder] = queued
        self._board.forget()

    def _is_alive(self, folder: Path) -> bool:
        """Whether a process still works on the run; one that has ended may write its report for a while."""
        with suppress(HaloError):
            if read_holder(folder) is not None:
                return True
        attempt = read_note(folder / PROCESS_FILE, Supervision)
        return attempt is not None and (attempt.is_alive or attempt.is_concluding)


def _takes_any(folder: Path) -> bool:
    """Whether a run may be given any accelerator: its settings name no device of their own."""
    with suppress(HaloError):
        context = read_launch(folder)
        return context is not None and context.params.get("device", "auto") in ("auto", "cuda")
    return False
