"""Answers about images: what is drawn is what the model as it is would draw."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from seen import QUESTION, build_vision_model, picture_prompt

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.types import Message, Prompt, Sampling, media_of
from halo_forge.generation.choice import local_generator
from halo_forge.generation.seen_prompts import SeeingGenerator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import ModelRef


@pytest.fixture(scope="module", params=["qwen2_vl", "qwen2_5_vl"])
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = build_vision_model(tmp_path_factory.mktemp("seen") / "base", request.param)
    policy = load_policy(
        ModelRef(str(folder)), LoadingOptions(device="cpu", threads=1), TuningOptions(lora_rank=4), seed=1
    )
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return policy


@pytest.fixture
def prompts(tmp_path: Path) -> list[Prompt]:
    """Images of unlike sizes, so that rows are padded and text goes on at unlike positions; and one without any."""
    seen = [
        picture_prompt(tmp_path, colour, size=size)
        for colour, size in (("red", (8, 8)), ("green", (48, 24)), ("blue", (16, 64)))
    ]
    return [*seen, Prompt(id="text", messages=(Message(role="user", content=QUESTION),))]


def alone(policy: Policy, prompt: Prompt, ids: list[int]) -> torch.Tensor:
    """Logits (T, V) of a row, in one pass of the model as it is."""
    row = torch.tensor([ids])
    with torch.inference_mode():
        logits: torch.Tensor = policy.model(
            input_ids=row, **policy.media_tensors([media_of(prompt.messages)], row), use_cache=False
        ).logits[0]
    return logits


def test_the_choice_follows_the_model(policy: Policy) -> None:
    assert isinstance(local_generator(policy), SeeingGenerator)


def test_greedy_draws_the_likeliest_token_at_every_step(policy: Policy, prompts: list[Prompt]) -> None:
    drawn = local_generator(policy).generate(prompts, Sampling(n=1, temperature=0, max_new_tokens=12), seed=0)
    for prompt, completion in zip(prompts, drawn, strict=True):
        ids = policy.chat.prompt_ids(prompt.messages)
        logits = alone(policy, prompt, [*ids, *completion.token_ids])[len(ids) - 1 : -1]
        assert tuple(logits.argmax(dim=-1).tolist()) == completion.token_ids


def test_each_drawn_token_has_the_log_probability_that_the_model_gives_it(
    policy: Policy, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = frozenset(range(0, policy.model.config.get_text_config().vocab_size, 9))  # rows end one by one
    monkeypatch.setattr(policy.chat, "stop_ids", stops)
    drawn = local_generator(policy).generate(prompts, Sampling(n=6, temperature=0.8, max_new_tokens=10), seed=3)
    by_id = {prompt.id: prompt for prompt in prompts}
    assert len({len(completion.token_ids) for completion in drawn}) > 2
    for completion in drawn:
        prompt = by_id[completion.prompt_id]
        ids = policy.chat.prompt_ids(prompt.messages)
        logits = alone(policy, prompt, [*ids, *completion.token_ids])[len(ids) - 1 : -1] / 0.8
        picked = logits.log_softmax(dim=-1).gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0]
        assert torch.allclose(picked, torch.tensor(completion.logprobs), atol=1e-4)


def test_greedy_answers_are_those_of_transformers_own_generation(policy: Policy, prompts: list[Prompt]) -> None:
    drawn = local_generator(policy).generate(prompts[:3], Sampling(n=1, temperature=0, max_new_tokens=8), seed=0)
    for prompt, completion in zip(prompts, drawn, strict=False):
        ids = torch.tensor([policy.chat.prompt_ids(prompt.messages)])
        theirs = policy.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            **policy.media_tensors([media_of(prompt.messages)], ids),
            max_new_tokens=8,
            do_sample=False,
        )
        assert tuple(theirs[0, ids.shape[1] :].tolist()[: len(completion.token_ids)]) == completion.token_ids


def test_a_seed_draws_the_same(policy: Policy, prompts: list[Prompt]) -> None:
    sampling = Sampling(n=2, temperature=1.0, max_new_tokens=6)
    first = local_generator(policy).generate(prompts, sampling, seed=5)
    assert local_generator(policy).generate(prompts, sampling, seed=5) == first
    assert local_generator(policy).generate(prompts, sampling, seed=6) != first
