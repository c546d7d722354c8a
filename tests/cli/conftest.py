"""A run as its events tell it."""

import pytest

from halo_forge.core.events import Event, EventType


class Script:
    """Writes down events with a clock of its own."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.t = 1_000.0

    def add(self, type: EventType, *, after: float = 0.0, cycle=None, phase=None, step=None, **m: object) -> None:
        self.t += after
        self.events.append(
            Event(seq=len(self.events), t=self.t, attempt=1, type=type, cycle=cycle, phase=phase, step=step, m=m)
        )


@pytest.fixture
def raft_events(tmp_path) -> list[Event]:
    """Two phases of a RAFT cycle, with a notice, up to its end."""
    script = Script()
    script.add(EventType.RUN_STARTED, kind="raft", run_id="20260101-000000-abcdef", output=str(tmp_path), resumed=False)
    script.add(EventType.PHASE_STARTED, after=2, cycle=1, phase="generate", total=640, done=0)
    for step in range(64, 641, 64):
        passed = 16 if step < 640 else 48
        script.add(
            EventType.PROGRESS,
            after=2,
            cycle=1,
            phase="generate",
            step=step,
            passed=passed,
            verified=64,
            tokens_per_s=1234.5,
        )
    script.add(EventType.PHASE_FINISHED, cycle=1, phase="generate", wall_s=20.0)
    script.add(EventType.NOTICE, cycle=1, message="3 rows longer than [2048] tokens were dropped")
    script.add(EventType.PHASE_STARTED, after=1, cycle=1, phase="train", total=4, done=0)
    for step, loss in ((1, 0.9), (2, 0.7), (3, None), (4, 0.5)):
        script.add(EventType.STEP, after=1, cycle=1, phase="train", step=step, total=4, loss=loss, learning_rate=2e-4)
    script.add(EventType.PHASE_FINISHED, cycle=1, phase="train", wall_s=4.0)
    script.add(EventType.CHECKPOINT, cycle=1, path="models/raft/cycle_1_final")
    script.add(
        EventType.CYCLE_FINISHED,
        cycle=1,
        pass_at_1=0.3,
        compile_rate=0.92,
        kept=128,
        holdout_pass_at_1=None,
    )
    script.add(EventType.RUN_FINISHED, after=1, message="", exit_code=0)
    return script.events
