"""Events in words: one line for what a person wants to read, nothing for the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from halo_forge.cli.figures import number
from halo_forge.core.events import Event, EventType
from halo_forge.core.words import NONE, duration, percent

Key = tuple[int | None, str]


class Line(NamedTuple):
    """A line and how it is coloured on a terminal."""

    text: str
    style: str = ""


@dataclass
class Phase:
    """A phase under way.

    Args:
        done: items done, those of an earlier attempt included.
        before: items that an earlier attempt had done.
        started_t: seconds since 1970.
        t: time of the last event.
        at: the part under way, where a phase has parts.
        counts_rows: whether its items are the rows of a file, whose pace is shown.
        cost_usd: what it has cost so far, as an estimate.
    """

    label: str
    total: int | None
    done: int
    before: int
    started_t: float
    t: float
    passed: int = 0
    verified: int = 0
    loss: float | None = None
    tokens_per_s: float | None = None
    at: str = ""
    counts_rows: bool = False
    cost_usd: float | None = None

    def update(self, event: Event) -> None:
        """Take in a PROGRESS or STEP event."""
        self.t = event.t
        part = str(event.m.get("at", self.at))
        if part != self.at:
            # Each part counts from 0 again, so the pace is measured anew.
            self.at, self.before, self.started_t = part, event.step or 0, event.t
        if event.step is not None:
            self.done = event.step
        total = _measure(event, "total")
        if total is not None:
            self.total = int(total)
        self.passed += int(_measure(event, "passed") or 0)
        self.verified += int(_measure(event, "verified") or 0)
        if "loss" in event.m:
            # The event stream writes what is not finite as null.
            loss = _measure(event, "loss")
            self.loss = math.nan if loss is None else loss
        self.tokens_per_s = _measure(event, "tokens_per_s") or self.tokens_per_s
        self.cost_usd = _measure(event, "cost_usd") or self.cost_usd

    @property
    def rows_per_s(self) -> float | None:
        """Pace of this attempt; None while there is none."""
        fresh, seconds = self.done - self.before, self.t - self.started_t
        return fresh / seconds if fresh > 0 and seconds > 0 else None

    @property
    def count(self) -> str:
        """Items done, of how many."""
        return f"{self.done:,}/{self.total:,}" if self.total else f"{self.done:,}"

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the pace of this attempt; None while there is no pace, and when all is done."""
        if self.total is None or self.done >= self.total or self.rows_per_s is None:
            return None
        return (self.total - self.done) / self.rows_per_s

    @property
    def detail(self) -> str:
        """Pass rate, loss and speed, as far as they are known."""
        parts = [self.at] if self.at else []
        if self.verified:
            parts.append(f"pass {percent(self.passed / self.verified)}")
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        if self.counts_rows and self.rows_per_s:
            parts.append(f"{number(round(self.rows_per_s))} rows/s")
        if self.tokens_per_s:
            parts.append(f"{number(round(self.tokens_per_s))} tokens/s")
        if self.cost_usd:
            parts.append(f"about ${self.cost_usd:.2f}")
        return ", ".join(parts)


class Narrator:
    """Follows a run's events and puts them into lines.

    Args:
        pace_s: least seconds between two lines on the progress of a phase.
    """

    def __init__(self, pace_s: float) -> None:
        self.phases: dict[Key, Phase] = {}
        self._pace_s = pace_s
        self._told_t = -math.inf
        self._kind = ""
        self._started_t: float | None = None

    def tell(self, event: Event) -> Line | None:
        """Take in an event and return what to say about it."""
        match event.type:
            case EventType.RUN_STARTED:
                return self._start(event)
            case EventType.PHASE_STARTED:
                phase = self._open(event)
                return Line(f"{phase.label}: {phase.count} done, going on") if phase.before else Line(phase.label)
            case EventType.PROGRESS | EventType.STEP:
                return self._progress(event)
            case EventType.PHASE_FINISHED:
                return self._finish(event)
            case EventType.CYCLE_FINISHED:
                return self._cycle(event)
            case EventType.CHECKPOINT:
                return Line(f"saved {event.m.get('path')}", "dim")
            case EventType.RESULT:
                return None  # the closing tables say it
            case EventType.NOTICE:
                return Line(f"note: {event.m.get('message')}", "yellow")
            case EventType.RUN_FINISHED:
                return Line(f"finished in {self._elapsed(event)}", "bold green")
            case EventType.RUN_STOPPED:
                return Line(f"stopped after {self._elapsed(event)}: {event.m.get('message')}", "yellow")
            case EventType.RUN_FAILED:
                return Line(f"failed after {self._elapsed(event)}: {event.m.get('message')}", "red")

    def _start(self, event: Event) -> Line:
        self.phases.clear()
        self._kind, self._started_t = str(event.m.get("kind")), event.t
        verb = "continuing" if event.m.get("resumed") else "starting"
        return Line(f"{verb} {self._kind} run {event.m.get('run_id')} in {event.m.get('output')}", "bold")

    def _open(self, event: Event) -> Phase:
        done, total = int(_measure(event, "done") or event.step or 0), _measure(event, "total")
        phase = Phase(
            label=self._label(event),
            total=None if total is None else int(total),
            done=done,
            before=done,
            started_t=event.t,
            t=event.t,
            counts_rows=event.m.get("unit") == "rows",
        )
        self.phases[_key(event)] = phase
        self._told_t = event.t
        return phase

    def _progress(self, event: Event) -> Line | None:
        phase = self.phases.get(_key(event)) or self._open(event)
        phase.update(event)
        if event.t - self._told_t < self._pace_s:
            return None
        self._told_t = event.t
        left = [] if phase.eta_s is None else [f"{duration(phase.eta_s)} left"]
        return Line(", ".join(filter(None, [f"{phase.label}: {phase.count}", phase.detail, *left])))

    def _finish(self, event: Event) -> Line:
        phase = self.phases.pop(_key(event), None)
        took = f"{self._label(event)}: done in {duration(_measure(event, 'wall_s'))}"
        if phase is None:
            return Line(took)
        return Line(", ".join(filter(None, [took, phase.count if phase.done else "", phase.detail])))

    def _cycle(self, event: Event) -> Line:
        kept = None if event.cycle == 0 else _measure(event, "kept")
        figures = [
            ("pass@1", percent(_measure(event, "pass_at_1"))),
            ("compiles", percent(_measure(event, "compile_rate"))),
            ("kept", number(kept)),
            ("held-out pass@1", percent(_measure(event, "holdout_pass_at_1"))),
        ]
        known = ", ".join(f"{name} {value}" for name, value in figures if value != NONE)
        whose = f"{event.phase}, " if event.phase else ""
        verb = "measured" if event.cycle == 0 else "finished"
        return Line(f"{whose}{_cycle_name(event.cycle)} {verb}: {known or 'nothing measured'}", "bold cyan")

    def _label(self, event: Event) -> str:
        phase = event.phase or "work"
        return f"{_cycle_name(event.cycle)}, {phase}" if self._kind == "raft" and event.cycle is not None else phase

    def _elapsed(self, event: Event) -> str:
        return duration(None if self._started_t is None else event.t - self._started_t)


def _key(event: Event) -> Key:
    return event.cycle, event.phase or ""


def _cycle_name(cycle: int | None) -> str:
    return "start model" if cycle == 0 else f"cycle {cycle}"


def _measure(event: Event, name: str) -> float | None:
    value = event.m.get(name)
    return float(value) if isinstance(value, (int, float)) else None
