"""Training on images: the same numbers however rows are batched, and however often it is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from seen import COLOURS, build_vision_model, picture_prompt, picture_row

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, Interrupted
from halo_forge.core.events import EventLog
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Checkpoint, Sampling
from halo_forge.generation.choice import local_generator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.models.save import save_checkpoint
from halo_forge.training import logprobs
from halo_forge.training.logprobs import TokenScorer
from halo_forge.training.rendering import render
from halo_forge.training.settings import LossSettings, TrainSettings
from halo_forge.training.step import Stepper
from halo_forge.training.trainer import PolicyTrainer

LOADING = LoadingOptions(device="cpu", threads=1)
SETTINGS = TrainSettings(learning_rate=3e-3, batch_size=6, epochs=10, save_steps=4)
Open = Callable[..., Policy]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_vision_model(tmp_path_factory.mktemp("seen") / "base")


@pytest.fixture
def open_policy(base: Path) -> Open:
    def make(**tuning: Any) -> Policy:
        return load_policy(ModelRef(str(base)), LOADING, TuningOptions(**{"tuning": "full", **tuning}), seed=1)

    return make


@pytest.fixture
def rows(open_policy: Open, tmp_path: Path) -> list[TrainingRow]:
    conversations = [picture_row(tmp_path, colour, noise) for noise in range(8) for colour in COLOURS]
    rendered, dropped = render(conversations, open_policy().chat, 64)
    assert not dropped
    return rendered


def train(policy: Policy, rows: list[TrainingRow], folder: Path, stop_at: int | None = None) -> Any:
    stop = StopRequest()
    trainer = PolicyTrainer(policy, SETTINGS, EventLog(), stop)
    original = trainer._step

    def step(*args: Any) -> Any:
        result = original(*args)
        stop.requested = args[-2].step == stop_at
        return result

    trainer._step = step  # type: ignore[method-assign]
    return trainer.train(rows, seed=5, cycle=0, state_folder=folder)


def weights(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in policy.model.named_parameters()}


def test_the_gradient_of_a_batch_is_that_of_its_rows(open_policy: Open, rows: list[TrainingRow]) -> None:
    found = []
    for size in (6, 1):
        policy = open_policy()
        result = Stepper(policy, LossSettings()).gradients(rows[:6], size, 3)
        grads = {name: weight.grad for name, weight in policy.model.named_parameters() if weight.grad is not None}
        found.append((result.loss, grads))
    (loss, whole), (other, apart) = found
    assert loss == pytest.approx(other, abs=1e-6)
    assert whole.keys() == apart.keys() and any("visual" in name for name in whole)
    assert all(torch.allclose(whole[name], apart[name], atol=1e-6) for name in whole)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_it_learns_to_see_and_is_loaded_again(
    open_policy: Open, rows: list[TrainingRow], base: Path, tmp_path: Path, tuning: str
) -> None:
    policy = open_policy(tuning=tuning)
    report = train(policy, rows, tmp_path)
    assert report.last_loss < report.mean_loss
    checkpoint = Checkpoint(
        kind="adapter" if tuning == "lora" else "full", base_model=str(base), run_id="t", cycle=0, step=1
    )
    save_checkpoint(policy, tmp_path / "saved", checkpoint)
    again = load_policy(resolve_model(str(tmp_path / "saved")), LOADING)
    prompts = [picture_prompt(tmp_path, colour, noise=99) for colour in COLOURS]
    greedy = Sampling(n=1, temperature=0, max_new_tokens=6)
    drawn, same = (local_generator(one).generate(prompts, greedy, 0) for one in (policy, again))
    assert [completion.token_ids for completion in drawn] == [completion.token_ids for completion in same]
    if tuning == "full":
        assert [completion.text for completion in drawn] == list(COLOURS)


def test_a_training_that_was_stopped_ends_with_the_same_weights(
    open_policy: Open, rows: list[TrainingRow], tmp_path: Path
) -> None:
    whole = open_policy()
    train(whole, rows, tmp_path / "whole")
    for stop_at in (3, 17):
        with pytest.raises(Interrupted):
            train(open_policy(), rows, tmp_path / "parts", stop_at)
    continued = open_policy()
    train(continued, rows, tmp_path / "parts")
    ours, theirs = weights(continued), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_old_log_probabilities_are_those_of_the_rows(
    open_policy: Open, rows: list[TrainingRow], tmp_path: Path
) -> None:
    """What was drawn has, in training, the log-probability that it was drawn with."""
    policy = open_policy()
    prompts = [
        picture_prompt(tmp_path, colour, size=size)
        for colour, size in zip(COLOURS, ((8, 8), (32, 16), (16, 40)), strict=True)
    ]
    drawn = local_generator(policy).generate(prompts, Sampling(n=2, temperature=1, max_new_tokens=6), 0)
    by_id = {prompt.id: prompt for prompt in prompts}
    made = [
        policy.chat.completion_row(by_id[c.prompt_id].messages, c.token_ids)._replace(old_logprobs=c.logprobs)
        for c in drawn
    ]
    result = Stepper(policy, LossSettings("grpo")).gradients(made, 4, 0)
    assert result.gap is not None and result.gap < 1e-5


def test_fewer_activations_are_held_for_the_same_gradient(open_policy: Open, rows: list[TrainingRow]) -> None:
    found = []
    for sparing in (False, True):
        policy = open_policy()
        trainer = PolicyTrainer(policy, replace(SETTINGS, gradient_checkpointing=sparing), EventLog(), StopRequest())
        policy.model.train()
        trainer._stepper.gradients(rows[:6], 6, 3)
        found.append([weight.grad for weight in policy.model.parameters()])
    assert any(one is not None for one in found[0])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*found, strict=True) if one is not None)


def test_the_vocabulary_is_reached_from_learnt_tokens_alone(
    open_policy: Open, rows: list[TrainingRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever pieces, and as the whole model would have it."""
    policy = open_policy()
    layout = Stepper(policy, LossSettings())._lay_out(rows[:6])
    scorer = TokenScorer(policy)
    assert scorer._plain
    whole = scorer._all_logits(layout).log_softmax(dim=-1).gather(1, layout.targets[:, None])[:, 0]
    assert torch.allclose(scorer(layout), whole, atol=1e-5)
    monkeypatch.setattr(logprobs, "LOGITS_AT_ONCE", 3 * policy.model.config.get_text_config().vocab_size)
    assert torch.allclose(scorer(layout), whole, atol=1e-5)


def test_packing_is_refused(open_policy: Open) -> None:
    with pytest.raises(ConfigError, match="--packing does not go with a model that hears or sees"):
        PolicyTrainer(open_policy(), replace(SETTINGS, packing=True), EventLog(), StopRequest())
