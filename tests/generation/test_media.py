"""Answers to what is heard and seen: what is drawn is what the model as it is would draw."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from seen import QUESTION, build_vision_model, picture_prompt
from speech import build_speech_model, tone_prompt

from halo_forge.config.generator import GeneratorOptions
from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError
from halo_forge.core.types import Message, Prompt, Sampling, media_of
from halo_forge.generation.choice import check_generator, local_generator
from halo_forge.generation.media import MediaGenerator
from halo_forge.generation.seen_prompts import SeeingGenerator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import ModelRef

FAMILIES = ["whisper", "qwen2_vl", "qwen2_5_vl"]


def open_family(family: str, folder: Path) -> Policy:
    base = build_speech_model(folder) if family == "whisper" else build_vision_model(folder, family)
    policy = load_policy(
        ModelRef(str(base)), LoadingOptions(device="cpu", threads=1), TuningOptions(lora_rank=4), seed=1
    )
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return policy


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return open_family(request.param, tmp_path_factory.mktemp(request.param) / "base")


@pytest.fixture
def prompts(policy: Policy, tmp_path: Path) -> list[Prompt]:
    return [*pictures(tmp_path), words_alone()] if sees(policy) else sounds(tmp_path)


def sees(policy: Policy) -> bool:
    return not policy.model.config.is_encoder_decoder


def sounds(folder: Path) -> list[Prompt]:
    return [tone_prompt(folder, words) for words in ("low", "high mid", "mid low high")]


def pictures(folder: Path) -> list[Prompt]:
    """Images of unlike sizes, so that rows are padded and text goes on at unlike positions."""
    sizes = ("red", (8, 8)), ("green", (48, 24)), ("blue", (16, 64))
    return [picture_prompt(folder, colour, size=size) for colour, size in sizes]


def words_alone() -> Prompt:
    return Prompt(id="text", messages=(Message(role="user", content=QUESTION),))


def alone(policy: Policy, prompt: Prompt, ids: list[int]) -> torch.Tensor:
    """Logits (T, V) of a row, in one pass of the model as it is."""
    row = torch.tensor([ids])
    tensors = policy.media_tensors([media_of(prompt.messages)], row)
    named = {"input_ids" if sees(policy) else "decoder_input_ids": row}
    with torch.inference_mode():
        logits: torch.Tensor = policy.model(**tensors, **named, use_cache=False).logits[0]
    return logits


def test_the_choice_follows_the_model(policy: Policy) -> None:
    assert isinstance(local_generator(policy), SeeingGenerator if sees(policy) else MediaGenerator)


def test_greedy_draws_the_likeliest_token_at_every_step(policy: Policy, prompts: list[Prompt]) -> None:
    drawn = local_generator(policy).generate(prompts, Sampling(n=1, temperature=0, max_new_tokens=8), seed=0)
    for prompt, completion in zip(prompts, drawn, strict=True):
        ids = policy.chat.prompt_ids(prompt.messages)
        logits = alone(policy, prompt, [*ids, *completion.token_ids])[len(ids) - 1 : -1]
        assert tuple(logits.argmax(dim=-1).tolist()) == completion.token_ids


def test_each_drawn_token_has_the_log_probability_that_the_model_gives_it(
    policy: Policy, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = policy.model.config
    # Rows end one by one, and with the mark of an image, which nothing can be put behind.
    stops = {*range(0, config.get_text_config().vocab_size, 9)} | ({config.image_token_id} if sees(policy) else set())
    monkeypatch.setattr(policy.chat, "stop_ids", frozenset(stops))
    sampling = Sampling(n=6, temperature=0.8, top_k=200, max_new_tokens=10)
    drawn = local_generator(policy).generate(prompts, sampling, seed=3)
    by_id = {prompt.id: prompt for prompt in prompts}
    assert len({len(completion.token_ids) for completion in drawn}) > 2
    for completion in drawn:
        prompt = by_id[completion.prompt_id]
        ids = policy.chat.prompt_ids(prompt.messages)
        logits = alone(policy, prompt, [*ids, *completion.token_ids[:-1]])[len(ids) - 1 :] / 0.8
        least = logits.topk(200, dim=-1).values[:, -1:]
        expected = logits.masked_fill(logits < least, float("-inf")).log_softmax(dim=-1)
        picked = expected.gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0]
        assert torch.allclose(picked, torch.tensor(completion.logprobs), atol=1e-4)


def test_a_seed_draws_the_same(policy: Policy, prompts: list[Prompt]) -> None:
    sampling = Sampling(n=2, temperature=1.0, max_new_tokens=6)
    first = local_generator(policy).generate(prompts, sampling, seed=5)
    assert local_generator(policy).generate(prompts, sampling, seed=5) == first
    assert local_generator(policy).generate(prompts, sampling, seed=6) != first


@pytest.mark.parametrize("policy", FAMILIES[1:], indirect=True)
def test_greedy_answers_are_those_of_transformers_own_generation(policy: Policy, tmp_path: Path) -> None:
    asked = pictures(tmp_path)
    drawn = local_generator(policy).generate(asked, Sampling(n=1, temperature=0, max_new_tokens=8), seed=0)
    for prompt, completion in zip(asked, drawn, strict=True):
        ids = torch.tensor([policy.chat.prompt_ids(prompt.messages)])
        theirs = policy.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            **policy.media_tensors([media_of(prompt.messages)], ids),
            max_new_tokens=8,
            do_sample=False,
        )
        assert tuple(theirs[0, ids.shape[1] :].tolist()[: len(completion.token_ids)]) == completion.token_ids


@pytest.mark.parametrize("policy", ["whisper"], indirect=True)
def test_answers_end_where_the_decoder_does(policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy.chat, "stop_ids", frozenset())
    asked = sounds(tmp_path)
    drawn = local_generator(policy).generate(asked, Sampling(n=1, temperature=1.0, max_new_tokens=500), seed=0)
    room = 16 - len(policy.chat.prompt_ids(asked[0].messages))
    assert {len(completion.token_ids) for completion in drawn} == {room}
    assert {completion.finish_reason for completion in drawn} == {"length"}


def test_servers_are_refused(nano_speech_model: Path, tmp_path: Path) -> None:
    options = GeneratorOptions(generator="server", base_url=("http://127.0.0.1:1/v1",))
    with pytest.raises(ConfigError, match="models of text alone"):
        check_generator(ModelRef(str(nano_speech_model)), LoadingOptions(), options, sounds(tmp_path), trains=True)
