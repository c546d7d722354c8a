from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from halo_forge.core.errors import DataError, EnvironmentFault, Interrupted
from halo_forge.core.events import Event, EventLog, EventType
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.stop import StopRequest
from halo_forge.models.load import Policy
from halo_forge.training.settings import TrainSettings
from halo_forge.training.step import Stepper
from halo_forge.training.trainer import PolicyTrainer

SETTINGS = TrainSettings(learning_rate=2e-3, batch_size=4, epochs=2, save_steps=3)
OpenPolicy = Callable[..., Policy]


def weights(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in policy.model.named_parameters() if p.requires_grad}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def train(policy: Policy, rows: list[TrainingRow], folder: Path, settings: TrainSettings = SETTINGS, **kw: Any) -> Any:
    trainer = PolicyTrainer(policy, settings, kw.get("events", EventLog()), kw.get("stop", StopRequest()))
    return trainer.train(rows, seed=5, cycle=0, state_folder=folder)


def test_the_loss_falls_and_the_weights_move(open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path) -> None:
    policy = open_policy()
    report = train(policy, rows, tmp_path / "s", replace(SETTINGS, epochs=12))
    assert report.steps == 48
    assert report.last_loss < report.mean_loss / 2
    assert report.weight_change > 0
    assert report.learnt_tokens == 12 * sum(sum(row.learn) for row in rows)


@pytest.mark.parametrize("tuning", [{"tuning": "full"}, {"tuning": "lora", "lora_dropout": 0.2}])
@pytest.mark.parametrize("stop_at", [1, 4, 6])
def test_stopped_and_continued_is_bit_identical(
    open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path, tuning: dict[str, Any], stop_at: int
) -> None:
    whole = open_policy(**tuning)
    report = train(whole, rows, tmp_path / "whole")
    stop, events = StopRequest(), EventLog()
    stopped = open_policy(**tuning)
    trainer = PolicyTrainer(stopped, SETTINGS, events, stop)
    original = trainer._step

    def step(*args: Any) -> Any:
        result = original(*args)
        stop.requested = args[-2].step >= stop_at
        return result

    trainer._step = step  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        trainer.train(rows, seed=5, cycle=0, state_folder=tmp_path / "s")
    continued = open_policy(**tuning)
    again = train(continued, rows, tmp_path / "s")
    assert same(weights(whole), weights(continued))
    assert again._replace(wall_s=0) == report._replace(wall_s=0)


def test_a_state_of_other_rows_is_not_used(open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path) -> None:
    stop = StopRequest()
    stop.requested = True
    with pytest.raises(Interrupted):
        train(open_policy(), rows, tmp_path / "s", stop=stop)
    fresh, reused = open_policy(), open_policy()
    train(fresh, rows[:8], tmp_path / "other")
    train(reused, rows[:8], tmp_path / "s")
    assert same(weights(fresh), weights(reused))


def test_a_damaged_state_is_said_and_training_starts_again(
    open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path
) -> None:
    stop = StopRequest()
    stop.requested = True
    with pytest.raises(Interrupted):
        train(open_policy(), rows, tmp_path / "s", stop=stop)
    state = tmp_path / "s" / "state.pt"
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    heard: list[Event] = []
    events = EventLog()
    events.listen(heard.append)
    whole, again = open_policy(), open_policy()
    train(whole, rows, tmp_path / "other")
    train(again, rows, tmp_path / "s", events=events)
    assert same(weights(whole), weights(again))
    assert any("cannot be read" in str(event.m.get("message")) for event in heard)


def test_micro_batches_and_checkpointing_train_alike(
    open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path
) -> None:
    reports = []
    for i, change in enumerate(({}, {"micro_batch": 1}, {"micro_batch": 3}, {"gradient_checkpointing": True})):
        settings = replace(SETTINGS, **change)  # type: ignore[arg-type]
        reports.append(train(open_policy(), rows, tmp_path / str(i), settings))
    for report in reports[1:]:
        assert report.mean_loss == pytest.approx(reports[0].mean_loss, rel=1e-4)
        assert report.learnt_tokens == reports[0].learnt_tokens


def test_only_learnt_tokens_count(open_policy: OpenPolicy, rows: list[TrainingRow]) -> None:
    policy = open_policy()
    with torch.no_grad():
        loss = float(Stepper(policy, SETTINGS.loss).loss_sums(rows)[0])
        expected = 0.0
        for row in rows:
            ids = torch.tensor([row.ids])
            logprobs = policy.model(ids).logits[0, :-1].log_softmax(-1)
            for place, (token, learn) in enumerate(zip(row.ids[1:], row.learn[1:], strict=True)):
                expected -= float(logprobs[place, token]) * learn
    assert loss == pytest.approx(expected, rel=1e-4)


def test_a_weight_scales_a_rows_share(open_policy: OpenPolicy, rows: list[TrainingRow]) -> None:
    stepper = Stepper(open_policy(), SETTINGS.loss)
    with torch.no_grad():
        single = float(stepper.loss_sums([rows[0]])[0])
        assert float(stepper.loss_sums([rows[0]._replace(weight=0.5)])[0]) == pytest.approx(single / 2, rel=1e-5)


def test_an_adapter_trains_and_the_base_stays(open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path) -> None:
    policy = open_policy(tuning="lora")
    frozen = {n: p.detach().clone() for n, p in policy.model.named_parameters() if not p.requires_grad}
    report = train(policy, rows, tmp_path / "s")
    assert report.weight_change > 0
    for name, parameter in policy.model.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name])


def test_steps_are_reported(open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path) -> None:
    heard: list[Event] = []
    events = EventLog()
    events.listen(heard.append)
    train(open_policy(), rows, tmp_path / "s", events=events)
    steps = [event for event in heard if event.type is EventType.STEP]
    assert steps[-1].step == 8
    assert steps[-1].m["total"] == 8


def test_no_rows_is_an_error(open_policy: OpenPolicy, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        train(open_policy(), [], tmp_path)


class Running:
    """A stepper on a machine with memory for so many tokens at once."""

    def __init__(self, trainer: PolicyTrainer, room: int) -> None:
        self.sizes: list[int] = []
        real = trainer._stepper.loss_sums

        def loss_sums(rows: Sequence[TrainingRow]) -> Any:
            if len(rows) * max(len(row.ids) for row in rows) > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.sizes.append(len(rows))
            return real(rows)

        trainer._stepper.loss_sums = loss_sums  # type: ignore[method-assign]


def test_out_of_memory_halves_the_rows_for_good_and_over_a_resume(
    open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path
) -> None:
    settings, room = replace(SETTINGS, save_steps=1), 2 * max(len(row.ids) for row in rows)
    heard: list[Event] = []
    events = EventLog()
    events.listen(heard.append)
    whole = open_policy()
    trainer = PolicyTrainer(whole, settings, events, StopRequest())
    machine = Running(trainer, room)
    report = trainer.train(rows, seed=5, cycle=0, state_folder=tmp_path / "whole" / "state")
    assert set(machine.sizes) == {2}
    said = [str(event.m["message"]) for event in heard if event.type is EventType.NOTICE]
    assert len(said) == 1 and "memory ran out at step 1 with 4 rows at once: from here on 2" in said[0]
    with_all = train(open_policy(), rows, tmp_path / "all", settings)
    assert report.mean_loss == pytest.approx(with_all.mean_loss, rel=1e-4)

    stop = StopRequest()
    stop.requested = True
    first = PolicyTrainer(open_policy(), settings, EventLog(), stop)
    Running(first, room)
    with pytest.raises(Interrupted):
        first.train(rows, seed=5, cycle=0, state_folder=tmp_path / "again" / "state")
    continued = open_policy()  # on a machine with room for all rows: they are cut as before all the same
    train(continued, rows, tmp_path / "again" / "state", settings)
    assert same(weights(whole), weights(continued))


def test_a_single_row_too_large_is_an_error_with_advice(
    open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path
) -> None:
    trainer = PolicyTrainer(open_policy(), SETTINGS, EventLog(), StopRequest())
    Running(trainer, 5)
    with pytest.raises(EnvironmentFault, match=r"one row of \d+ tokens at once: lower --max-length"):
        trainer.train(rows, seed=5, cycle=0, state_folder=tmp_path / "s")


def test_float16_scales_its_loss_and_continues_bit_identical(
    open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path
) -> None:
    def half() -> Policy:
        return replace(open_policy(), autocast=torch.float16)

    whole, stopped, continued = half(), half(), half()
    report = train(whole, rows, tmp_path / "whole", replace(SETTINGS, epochs=6))
    assert report.weight_change > 0 and report.last_loss < report.mean_loss
    stop = StopRequest()
    stop.requested = True
    settings = replace(SETTINGS, epochs=6)
    with pytest.raises(Interrupted):
        train(stopped, rows, tmp_path / "s", settings, stop=stop)
    assert train(continued, rows, tmp_path / "s", settings)._replace(wall_s=0) == report._replace(wall_s=0)
    assert same(weights(whole), weights(continued))


def test_rows_the_objective_cannot_learn_from_are_refused(
    open_policy: OpenPolicy, rows: list[TrainingRow], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="brings no log-probabilities"):
        train(open_policy(), [rows[0]._replace(weight=-1.0)], tmp_path / "s")
    with pytest.raises(DataError, match="1 log-probabilities"):
        train(open_policy(), [rows[0]._replace(old_logprobs=(-0.1,))], tmp_path / "s")
