"""The process of one tracker: reads a run's events until its standard input ends, and hands them on.

Its standard input is held open by the run and carries nothing: it ends when the run does, however it does. What the
tracker's library prints goes to `tracking/NAME.log` in the run folder; the last line there is the reason of a failure.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

from halo_forge.core.errors import DataError
from halo_forge.core.events import Event, EventType
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.run_dir import TRACKING_FOLDER, read_launch
from halo_forge.tracking.points import PointMaker
from halo_forge.tracking.protocol import Ending, tracked_run
from halo_forge.tracking.registry import make_tracker

POLL_S = 0.5
ENDINGS: dict[EventType, Ending] = {
    EventType.RUN_FINISHED: "finished",
    EventType.RUN_STOPPED: "stopped",
    EventType.RUN_FAILED: "failed",
}


def main(name: str, project: str, folder: Path, *, fresh: bool) -> None:
    """Track a run to its end.

    Args:
        fresh: send everything, whatever was sent before.
    """
    context = read_launch(folder)
    if context is None:
        raise DataError(f"{folder} holds no run")
    position = folder / TRACKING_FOLDER / f"{name}.json"
    before = {} if fresh or not position.is_file() else json.loads(position.read_bytes())
    sent = int(before.get("seq", -1))
    tracker, maker = make_tracker(name), PointMaker()
    handle = tracker.open(tracked_run(context, folder, project, fresh=fresh), before.get("handle"))
    ending: Ending = "lost"
    for events in _batches(folder / "events.jsonl"):
        points = [point for point in maker.points(events) if point.seq > sent]
        if points:
            tracker.send(points)
        if events:
            ending = ENDINGS.get(events[-1].type, "lost")
            sent = max(sent, events[-1].seq)
            if not fresh:
                write_atomically(position, json.dumps({"handle": handle, "seq": sent}) + "\n")
    tracker.close(ending)


def _batches(path: Path) -> Iterator[list[Event]]:
    """Yield what was added to a file of events since the last time, the whole file first and its last lines last."""
    offset, ended = 0, False
    while True:
        events = []
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                offset += len(line)
                events.append(Event.model_validate_json(line))
        yield events
        if ended:
            return
        ready, _, _ = select.select([sys.stdin], [], [], POLL_S)
        ended = bool(ready) and not os.read(sys.stdin.fileno(), 1)


if __name__ == "__main__":
    named, within, where, mode = sys.argv[1:]
    try:
        main(named, within, Path(where), fresh=mode == "fresh")
    except Exception as error:  # noqa: BLE001  whatever a tracker's library raises: the last line of the log says it
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", flush=True)  # noqa: T201
        sys.exit(1)
