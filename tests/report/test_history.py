from halo_forge.core.events import Event
from halo_forge.report.history import History, read_history


def history_of(*given: dict[str, object]) -> History:
    return read_history(Event.model_validate({"seq": i, "t": float(i), "attempt": 1, **m}) for i, m in enumerate(given))


def step(cycle: int, number: int, loss: float | None, attempt: int = 1) -> dict[str, object]:
    m = {"loss": loss, "learning_rate": 1e-4}
    return {"type": "step", "cycle": cycle, "phase": "train", "step": number, "attempt": attempt, "m": m}


def test_steps_repeated_after_a_resume_replace_the_earlier() -> None:
    resumed = (step(1, 2, 2.5, attempt=2), step(2, 1, 1.0, attempt=2))
    steps = history_of(step(1, 1, 3.0), step(1, 2, 2.0), step(1, 3, 1.5), *resumed).steps
    assert [(s.cycle, s.step, s.loss) for s in steps] == [(1, 1, 3.0), (1, 2, 2.5), (2, 1, 1.0)]


def test_loss_that_was_not_finite_is_kept_as_none() -> None:
    assert history_of(step(1, 1, None)).steps[0].loss is None


def test_seconds_add_up_over_attempts() -> None:
    done = {"type": "phase_finished", "cycle": 1, "phase": "collect"}
    history = history_of({**done, "m": {"wall_s": 10.0}}, {**done, "attempt": 2, "m": {"wall_s": 0.5}})
    assert history.seconds == {1: {"collect": 10.5}}


def test_work_time_leaves_out_the_pause_between_attempts() -> None:
    begun = {"type": "run_started"}
    first = ({**begun, "t": 0.0}, {"type": "run_stopped", "t": 10.0})
    second = ({**begun, "t": 500.0, "attempt": 2}, {"type": "run_finished", "t": 505.0, "attempt": 2})
    history = history_of(*first, *second)
    assert history.wall_s == 15.0
    assert history.last_seen == 505.0


def test_notices_are_counted_once_each() -> None:
    notice = {"type": "notice", "cycle": 2, "m": {"message": "threshold lowered", "to": 0.3}}
    assert dict(history_of(notice, notice).notices) == {"Cycle 2: threshold lowered (to=0.3)": 2}


def test_no_events() -> None:
    history = read_history([])
    assert history.wall_s is None and history.last_seen is None and history.steps == []
