"""Events to points on axes: what a tracker draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from halo_forge.core.events import Event, EventType

TRAIN, CYCLE, RESULT = "train", "cycle", "result"


class Point(NamedTuple):
    """Some values at one step of an axis.

    Args:
        seq: of the event it comes from.
        t: seconds since 1970.
        axis: `train` counts optimiser steps and `generate`, `evaluate`, `sampled`, … completions, both over the whole
            run; `cycle` counts RAFT cycles; `result` has one step, 0, for the figures of the whole run.
        values: such as `loss`; a tracker shows them as `train/loss`.
    """

    seq: int
    t: float
    axis: str
    step: int
    values: dict[str, float]


class PointMaker:
    """Follows the events of a run from its first one on.

    A step that an earlier attempt reported is not reported again: trackers only append, and the attempts agree.
    """

    def __init__(self) -> None:
        self._reached: dict[str, dict[int, int]] = {}

    def points(self, events: Iterable[Event]) -> Iterator[Point]:
        """Yield the points of events that follow those given before."""
        for event in events:
            point = self._point(event)
            if point is not None and point.values:
                yield point

    def _point(self, event: Event) -> Point | None:
        match event.type:
            case EventType.STEP:
                return self._counted(event, TRAIN, _numbers(event, without=("total",)))
            case EventType.PROGRESS if event.phase:
                return self._counted(event, event.phase, _drawn(event))
            case EventType.CYCLE_FINISHED if event.cycle is not None:
                return self._once(event, CYCLE, event.cycle)
            case EventType.RESULT:
                return self._once(event, RESULT, 0)
            case _:
                return None

    def _counted(self, event: Event, axis: str, values: dict[str, float]) -> Point | None:
        """Count on from the cycles before, as each cycle's own count begins anew."""
        cycle, step = event.cycle or 0, event.step or 0
        reached = self._reached.setdefault(axis, {})
        if step <= reached.get(cycle, 0):
            return None
        reached[cycle] = step
        before = sum(last for number, last in reached.items() if number < cycle)
        return Point(event.seq, event.t, axis, before + step, values)

    def _once(self, event: Event, axis: str, step: int) -> Point | None:
        reached = self._reached.setdefault(axis, {})
        if step in reached:
            return None
        reached[step] = step
        return Point(event.seq, event.t, axis, step, _numbers(event))


def _numbers(event: Event, without: tuple[str, ...] = ()) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in event.m.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and key not in without
    }


def _drawn(event: Event) -> dict[str, float]:
    """The measurements of a chunk; of what was verified in it, the share that passed."""
    values = _numbers(event, without=("passed", "verified", "total"))
    passed, verified = event.m.get("passed"), event.m.get("verified")
    if isinstance(passed, int) and isinstance(verified, int) and verified:
        values["pass_rate"] = passed / verified
    return values
