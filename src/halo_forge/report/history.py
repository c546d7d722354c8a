"""What `events.jsonl` says of a run, resumes folded in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from halo_forge.core.events import Event, EventType


@dataclass(frozen=True)
class Step:
    """A reading at one optimiser step (not every step is reported); None for a figure that was not finite."""

    cycle: int
    step: int
    loss: float | None
    learning_rate: float | None


@dataclass(frozen=True)
class Progress:
    """How far the phase last worked on has come."""

    cycle: int | None
    phase: str
    done: int
    total: int | None

    def __str__(self) -> str:
        where = f"{self.phase} in cycle {self.cycle}" if self.cycle else self.phase
        return f"{where}, {self.done:,} of {self.total:,}" if self.total else where


@dataclass
class History:
    """The run over time.

    Args:
        steps: readings in order, each step once: after a resume the later attempt's stand.
        seconds: cycle -> phase -> seconds over all attempts.
        notices: message -> how often it was given.
        reached: the highest cycle any event belongs to.
        progress: the phase that was begun last.
        attempts: attempt -> time of its first and last event.
    """

    steps: list[Step] = field(default_factory=list)
    seconds: dict[int, dict[str, float]] = field(default_factory=dict)
    notices: Counter[str] = field(default_factory=Counter)
    reached: int = 0
    progress: Progress | None = None
    attempts: dict[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def wall_s(self) -> float | None:
        """Seconds in which some attempt was at work."""
        return sum(last - first for first, last in self.attempts.values()) if self.attempts else None

    @property
    def last_seen(self) -> float | None:
        """Time of the last event."""
        return max((last for _, last in self.attempts.values()), default=None)


def read_history(events: Iterable[Event]) -> History:
    """Fold the events of a run into what the report needs."""
    history = History()
    for event in events:
        first, _ = history.attempts.get(event.attempt, (event.t, event.t))
        history.attempts[event.attempt] = (first, event.t)
        history.reached = max(history.reached, event.cycle or 0)
        match event.type:
            case EventType.STEP:
                _add_step(history.steps, event)
            case EventType.PHASE_STARTED:
                total = _number(event, "total")
                history.progress = Progress(
                    event.cycle,
                    event.phase or "",
                    int(_number(event, "done") or 0),
                    None if total is None else int(total),
                )
            case EventType.PHASE_FINISHED:
                phases = history.seconds.setdefault(event.cycle or 0, {})
                phase = event.phase or "other"
                phases[phase] = phases.get(phase, 0.0) + (_number(event, "wall_s") or 0.0)
            case EventType.NOTICE:
                history.notices[_notice(event)] += 1
        if event.type in (EventType.STEP, EventType.PROGRESS) and history.progress and event.step is not None:
            before = history.progress
            history.progress = Progress(before.cycle, before.phase, event.step, before.total)
    return history


def _add_step(steps: list[Step], event: Event) -> None:
    step = Step(event.cycle or 0, event.step or 0, _number(event, "loss"), _number(event, "learning_rate"))
    while steps and (steps[-1].cycle, steps[-1].step) >= (step.cycle, step.step):
        steps.pop()
    steps.append(step)


def _number(event: Event, name: str) -> float | None:
    value = event.m.get(name)
    return float(value) if isinstance(value, (int, float)) else None


def _notice(event: Event) -> str:
    extra = ", ".join(f"{key}={value}" for key, value in event.m.items() if key != "message")
    message = str(event.m.get("message", ""))
    where = f"Cycle {event.cycle}: " if event.cycle is not None else ""
    return f"{where}{message} ({extra})" if extra else where + message
