from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import torch

from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import Event, EventLog, EventType
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Checkpoint, Completion, Prompt, Sampling
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.raft.engine import LocalEngine, load_start

Configure = Callable[..., RaftTrainConfig]


@pytest.fixture
def configure(nano_model: Path, tmp_path: Path) -> Configure:
    def make(**settings: Any) -> RaftTrainConfig:
        given = {"model": str(nano_model), "prompts": tmp_path / "p.jsonl", "output": tmp_path / "out", **settings}
        return load(RaftTrainConfig, {"learning_rate": 1e-3, "tuning": "full", **given}).config

    return make


def open_local(ref: ModelRef, config: RaftTrainConfig, events: EventLog) -> LocalEngine:
    start = load_start(ref, config, events)
    return LocalEngine(start.policy, config, events, StopRequest(), reference=start.reference, replay=start.replay)


def draw(engine: LocalEngine, prompt: Prompt, temperature: float) -> list[Completion]:
    return engine.generator.generate([prompt], Sampling(n=6, temperature=temperature, max_new_tokens=12), seed=3)


def train(engine: LocalEngine, folder: Path, prompt: Prompt, temperature: float, completions: list[Completion]) -> Any:
    rows = [
        engine.row(prompt, completion, weight=1.0 if completion.index % 2 else -1.0, temperature=temperature)
        for completion in completions
    ]
    return engine.train(rows, learning_rate=1e-3, batch_size=2, epochs=1, seed=1, cycle=1, state=folder / "state")


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_stored_log_probabilities_are_the_trainers_own(
    configure: Configure, make_prompt: Callable[..., Prompt], tmp_path: Path, temperature: float
) -> None:
    heard: list[Event] = []
    events = EventLog()
    events.listen(heard.append)
    config = configure(objective="grpo", temperature=temperature)
    engine = open_local(resolve_model(config.start), config, events)
    prompt = make_prompt()
    completions = draw(engine, prompt, temperature)
    report = train(engine, tmp_path / "a", prompt, temperature, completions)
    assert report.weight_change > 0
    assert not [event for event in heard if event.type is EventType.NOTICE]
    train(engine, tmp_path / "b", prompt, 2 * temperature, completions)
    assert any("log-probabilities stored" in str(event.m.get("message")) for event in heard)


def test_completions_without_log_probabilities_are_refused(
    configure: Configure, make_prompt: Callable[..., Prompt]
) -> None:
    completion = Completion(prompt_id="p", index=0, text="x", token_ids=(5, 6))
    for settings, refused in (({}, False), ({"objective": "raft++"}, True), ({"kl_coefficient": 0.1}, True)):
        config = configure(**settings)  # type: ignore[arg-type]
        engine = open_local(resolve_model(config.start), config, EventLog())
        if refused:
            with pytest.raises(DataError, match="brings 0 log-probabilities for 2 tokens"):
                engine.row(make_prompt(), completion)
        else:
            assert engine.row(make_prompt(), completion).old_logprobs == ()


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_run_that_goes_on_is_held_near_the_same_start(
    configure: Configure, make_prompt: Callable[..., Prompt], tmp_path: Path, tuning: str
) -> None:
    config = configure(tuning=tuning, kl_coefficient=0.2, objective="grpo", temperature=1.0)
    first = open_local(resolve_model(config.start), config, EventLog())
    prompt = make_prompt()
    completions = draw(first, prompt, 1.0)
    train(first, tmp_path, prompt, 1.0, completions)
    checkpoint = Checkpoint(kind=first.kind, base_model=first.base, run_id="r", cycle=1, step=1)
    first.save(tmp_path / "cycle_1_final", checkpoint)
    again = open_local(resolve_model(str(tmp_path / "cycle_1_final")), config, EventLog())
    completions = draw(first, prompt, 1.0)
    for engine, name in ((first, "on"), (again, "again")):
        train(engine, tmp_path / name, prompt, 1.0, completions)
    one, other = (dict(engine._policy.model.named_parameters()) for engine in (first, again))
    assert all(torch.equal(one[name], other[name]) for name in one if one[name].requires_grad)


def test_replayed_rows_are_trained_beside(
    configure: Configure, make_prompt: Callable[..., Prompt], tmp_path: Path
) -> None:
    replay = tmp_path / "replay.jsonl"
    replay.write_text("".join(json.dumps({"prompt": f"Say {i}.", "completion": str(i)}) + "\n" for i in range(9)))
    reports = []
    for settings in ({}, {"replay": replay, "replay_share": 0.5}):
        config = configure(**settings)
        engine = open_local(resolve_model(config.start), config, EventLog())
        completions = draw(engine, make_prompt(), 1.0)
        rows = [engine.row(make_prompt(), completion) for completion in completions]
        reports.append(
            engine.train(
                rows, learning_rate=1e-3, batch_size=2, epochs=1, seed=1, cycle=1, state=tmp_path / str(len(reports))
            )
        )
    assert [report.steps for report in reports] == [3, 6]
    assert reports[1].learnt_tokens > reports[0].learnt_tokens


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_restart_gives_back_the_weights_the_run_started_from(
    configure: Configure, make_prompt: Callable[..., Prompt], tmp_path: Path, tuning: str
) -> None:
    config = configure(start_from="base", tuning=tuning)
    engine = open_local(resolve_model(config.start), config, EventLog())
    prompt = make_prompt()
    before = draw(engine, prompt, 1.0)
    first = train(engine, tmp_path / "a", prompt, 1.0, before)
    assert draw(engine, prompt, 1.0) != before
    engine.restart()
    assert draw(engine, prompt, 1.0) == before
    assert train(engine, tmp_path / "b", prompt, 1.0, before) == first._replace(wall_s=ANY)
