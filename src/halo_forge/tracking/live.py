"""Trackers that follow a run while it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from halo_forge.core.events import Event, EventType
from halo_forge.tracking.process import TrackerProcess

FINISH_S = 120.0
LAST_EVENTS = frozenset({EventType.RUN_FINISHED, EventType.RUN_STOPPED, EventType.RUN_FAILED})


class LiveTracker:
    """A listener that starts its tracker with the run, and says once when that has failed."""

    def __init__(self, name: str, project: str) -> None:
        self._name = name
        self._project = project
        self._process: TrackerProcess | None = None
        self._folder = Path()
        self._failed = False

    def __call__(self, event: Event) -> str | None:
        """Start with the first event; later look whether the tracker is still there."""
        if self._failed:
            return None
        if self._process is None:
            if event.type is not EventType.RUN_STARTED:
                return None
            self._folder = Path(str(event.m["output"]))
            try:
                self._process = TrackerProcess(self._name, self._project, self._folder, "live")
            except OSError as error:
                return self._give_up(str(error))
        if event.type in LAST_EVENTS:
            return None  # from here on `finish` tells
        reason = self._process.failure()
        return None if reason is None else self._give_up(reason)

    def finish(self, timeout_s: float) -> str | None:
        """Wait for what is still on its way, and return what went wrong with it."""
        if self._process is None:
            return None
        reason = self._process.finish(0.0 if self._failed else timeout_s)
        return None if reason is None or self._failed else self._give_up(reason)

    def _give_up(self, reason: str) -> str:
        self._failed = True
        return (
            f"tracker '{self._name}' failed and is left out: {reason}. The run is not affected; later "
            f"'halo-forge runs export {self._folder} --to {self._name}' sends everything"
        )


@contextmanager
def open_trackers(names: Sequence[str], project: str, complaints: list[str]) -> Iterator[tuple[LiveTracker, ...]]:
    """Give listeners that feed these trackers; on the way out wait until they are done.

    Args:
        complaints: gets what went wrong after the last event.
    """
    trackers = tuple(LiveTracker(name, project) for name in dict.fromkeys(names))
    try:
        yield trackers
    finally:
        for tracker in trackers:
            complaint = tracker.finish(FINISH_S)
            if complaint is not None:
                complaints.append(complaint)
