"""Small files beside a run that say what was asked of it, and which processes work on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import JsonValue, ValidationError

from halo_forge.core.types import Record
from halo_forge.runs.process import ProcessMark

QUEUED_FILE = "queued.json"
PROCESS_FILE = "pid.json"
ASKED_FILE = "asked.json"
OUTPUT_FILE = "process.log"

R = TypeVar("R", bound=Record)


class Queued(Record):
    """`queued.json`: the run waits to be started; removing the file is what takes it from the queue.

    Args:
        order: runs start in rising order.
        since: seconds since 1970.
        changes: settings that differ from those the run was put on record with, when it is to go on.
    """

    order: float
    since: float
    changes: dict[str, JsonValue] = {}


class Supervision(Record):
    """`pid.json`: the processes of an attempt that a supervisor started.

    Args:
        trainer: the process that does the work; None until it has been started.
        started: seconds since 1970, as is `ended`.
        exit_status: of the trainer, negative for the signal that ended it.
        accelerator: the one device it was given, as CUDA names it; None where it was left all there are.
    """

    supervisor: ProcessMark
    trainer: ProcessMark | None = None
    started: float
    ended: float | None = None
    exit_status: int | None = None
    accelerator: str | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the trainer, or the supervisor that has not started one yet, still runs."""
        if self.ended is not None:
            return False
        return self.trainer.is_alive if self.trainer is not None else self.supervisor.is_alive

    @property
    def is_concluding(self) -> bool:
        """Whether the trainer is gone and its supervisor has still to say how it ended."""
        gone = self.trainer is not None and not self.trainer.is_alive
        return self.ended is None and gone and self.supervisor.is_alive


class Asked(Record):
    """`asked.json`: a person asked the run to stop.

    Args:
        at: seconds since 1970.
    """

    what: Literal["stop", "kill"]
    at: float


def read_note(path: Path, record: type[R]) -> R | None:
    """Return what one of these files says, or None where there is none that can be read."""
    try:
        return record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
