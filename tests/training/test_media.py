from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from speech import WORDS, heard, tone_prompt, write_tones

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, DataError, Interrupted
from halo_forge.core.events import EventLog
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Checkpoint, Conversation, Message, Sampling
from halo_forge.generation.choice import local_generator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.models.save import save_checkpoint
from halo_forge.training.rendering import render
from halo_forge.training.settings import TrainSettings
from halo_forge.training.state import fingerprint
from halo_forge.training.step import Stepper
from halo_forge.training.trainer import PolicyTrainer

SETTINGS = TrainSettings(learning_rate=2e-3, batch_size=4, epochs=2, save_steps=3)
OpenSpeech = Callable[..., Policy]
LOADING = LoadingOptions(device="cpu", threads=1)


@pytest.fixture
def open_speech(nano_speech_model: Path) -> OpenSpeech:
    def make(**tuning: Any) -> Policy:
        options = TuningOptions(**{"tuning": "full", **tuning})
        return load_policy(ModelRef(str(nano_speech_model)), LOADING, options, seed=1)

    return make


@pytest.fixture
def rows(open_speech: OpenSpeech, tmp_path: Path) -> list[TrainingRow]:
    said = [*WORDS, *(f"{one} {other}" for one, other in product(WORDS, WORDS))]
    conversations = [spoken(tmp_path, words) for words in said]
    rendered, dropped = render(conversations, open_speech().chat, 16)
    assert not dropped
    return rendered


def spoken(folder: Path, words: str, text: str | None = None) -> Conversation:
    path = write_tones(folder / f"{words.replace(' ', '_')}.wav", words)
    return Conversation(id=words, messages=(heard(path), Message(role="assistant", content=text or words)))


def train(policy: Policy, rows: list[TrainingRow], folder: Path, settings: TrainSettings = SETTINGS, **kw: Any) -> Any:
    trainer = PolicyTrainer(policy, settings, EventLog(), kw.get("stop", StopRequest()))
    return trainer.train(rows, seed=5, cycle=0, state_folder=folder)


def weights(policy: Policy) -> list[torch.Tensor]:
    return [p.detach().clone() for p in policy.model.parameters() if p.requires_grad]


def test_the_loss_is_that_of_each_row_alone(open_speech: OpenSpeech, rows: list[TrainingRow]) -> None:
    policy = open_speech()
    policy.model.eval()
    with torch.no_grad():
        loss = float(Stepper(policy, SETTINGS.loss).loss_sums(rows)[0])
        expected = 0.0
        for row in rows:
            ids = torch.tensor([row.ids])
            logits = policy.model(**policy.media_tensors([row.media], ids), decoder_input_ids=ids).logits
            picked = logits.log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
            expected -= float(picked[torch.tensor(row.learn[1:])].sum())
    assert loss == pytest.approx(expected, rel=1e-5)


def test_what_is_heard_is_learnt_and_goes_on_from_what_was_saved(
    open_speech: OpenSpeech, rows: list[TrainingRow], tmp_path: Path
) -> None:
    policy = open_speech()
    train(policy, rows, tmp_path / "s", replace(SETTINGS, epochs=60))
    checkpoint = Checkpoint(kind="full", base_model=policy.base, run_id="r", cycle=0, step=1)
    save_checkpoint(policy, tmp_path / "model", checkpoint)
    again = load_policy(resolve_model(str(tmp_path / "model")), LOADING)
    prompts = [tone_prompt(tmp_path, words) for words in ("low", "high", "mid high", "high mid")]
    greedy = Sampling(n=1, temperature=0, max_new_tokens=12)
    answers = [completion.text for completion in local_generator(again).generate(prompts, greedy, seed=0)]
    assert answers == [prompt.reference.transcript for prompt in prompts]


def test_an_adapter_of_the_attention_is_saved_and_continued(
    open_speech: OpenSpeech, rows: list[TrainingRow], tmp_path: Path
) -> None:
    targets = ("q_proj", "k_proj", "v_proj", "out_proj")
    policy = open_speech(tuning="lora", lora_rank=4, lora_targets=targets)
    report = train(policy, rows, tmp_path / "s", replace(SETTINGS, learning_rate=1e-2, epochs=4))
    assert report.weight_change > 0
    checkpoint = Checkpoint(kind="adapter", base_model=policy.base, run_id="r", cycle=0, step=1)
    save_checkpoint(policy, tmp_path / "model", checkpoint)
    options = TuningOptions(tuning="lora", lora_rank=4, lora_targets=targets)
    again = load_policy(resolve_model(str(tmp_path / "model")), LOADING, options)
    assert len(weights(again)) == len(weights(policy)) > 0
    with torch.no_grad():
        before, after = (float(Stepper(one, SETTINGS.loss).loss_sums(rows)[0]) for one in (policy, again))
    assert before == pytest.approx(after, rel=1e-5)


@pytest.mark.parametrize("stop_at", [1, 4])
def test_stopped_and_continued_is_bit_identical(
    open_speech: OpenSpeech, rows: list[TrainingRow], tmp_path: Path, stop_at: int
) -> None:
    whole = open_speech()
    report = train(whole, rows, tmp_path / "whole")
    stop = StopRequest()
    trainer = PolicyTrainer(open_speech(), SETTINGS, EventLog(), stop)
    original = trainer._step

    def step(*args: Any) -> Any:
        result = original(*args)
        stop.requested = args[-2].step >= stop_at
        return result

    trainer._step = step  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        trainer.train(rows, seed=5, cycle=0, state_folder=tmp_path / "s")
    continued = open_speech()
    again = train(continued, rows, tmp_path / "s")
    assert all(torch.equal(one, other) for one, other in zip(weights(whole), weights(continued), strict=True))
    assert again._replace(wall_s=0) == report._replace(wall_s=0)


def test_micro_batches_and_checkpointing_train_alike(
    open_speech: OpenSpeech, rows: list[TrainingRow], tmp_path: Path
) -> None:
    reports = []
    for number, change in enumerate(({}, {"micro_batch": 3}, {"gradient_checkpointing": True})):
        settings = replace(SETTINGS, **change)  # type: ignore[arg-type]
        reports.append(train(open_speech(), rows, tmp_path / str(number), settings))
    for report in reports[1:]:
        assert report.mean_loss == pytest.approx(reports[0].mean_loss, rel=1e-4)


def test_packing_is_refused(open_speech: OpenSpeech) -> None:
    with pytest.raises(ConfigError, match="--packing does not go with a model that hears or sees"):
        Stepper(open_speech(), SETTINGS.loss, packed=True)


def test_a_training_is_known_again_by_what_its_media_hold_and_not_by_where_they_lie(rows: list[TrainingRow]) -> None:
    moved = [
        row._replace(media=tuple(part.model_copy(update={"path": "/elsewhere"}) for part in row.media)) for row in rows
    ]
    other = [
        row._replace(media=tuple(part.model_copy(update={"sha256": "0" * 64}) for part in row.media)) for row in rows
    ]
    assert fingerprint(rows, SETTINGS) == fingerprint(moved, SETTINGS) != fingerprint(other, SETTINGS)


def test_rows_that_cannot_be_heard_are_dropped_with_a_count(open_speech: OpenSpeech, tmp_path: Path) -> None:
    chat = open_speech().chat
    good, long = spoken(tmp_path, "low"), spoken(tmp_path, "low mid high low")
    gone = spoken(tmp_path, "mid")
    (tmp_path / "mid.wav").unlink()
    rendered, dropped = render([good, long, gone], chat, 16)
    assert len(rendered) == 1
    assert dropped == {
        "with audio longer than the model's window of 1 s": 1,
        "whose audio file is not there or broken": 1,
    }
    with pytest.raises(DataError, match="no row is left to train on; dropped: 1 with audio longer"):
        render([long], chat, 16)
