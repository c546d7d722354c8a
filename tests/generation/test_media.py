from __future__ import annotations

from pathlib import Path

import pytest
import torch
from speech import tone_prompt

from halo_forge.config.generator import GeneratorOptions
from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError
from halo_forge.core.types import Prompt, Sampling, media_of
from halo_forge.generation.choice import check_generator, local_generator
from halo_forge.generation.media import MediaGenerator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import ModelRef


@pytest.fixture
def policy(nano_speech_model: Path) -> Policy:
    return load_policy(
        ModelRef(str(nano_speech_model)), LoadingOptions(device="cpu", threads=1), TuningOptions(lora_rank=4), seed=1
    )


@pytest.fixture
def prompts(tmp_path: Path) -> list[Prompt]:
    return [tone_prompt(tmp_path, words) for words in ("low", "high mid", "mid low high")]


def alone(policy: Policy, prompt: Prompt, ids: list[int]) -> torch.Tensor:
    """Logits (T, V) of a row, in one pass of the model as it is."""
    tensors = policy.media_tensors([media_of(prompt.messages)], torch.tensor([ids]))
    with torch.inference_mode():
        logits: torch.Tensor = policy.model(**tensors, decoder_input_ids=torch.tensor([ids])).logits[0]
    return logits


def test_the_choice_follows_the_model(policy: Policy) -> None:
    assert isinstance(local_generator(policy), MediaGenerator)


def test_greedy_draws_the_likeliest_token_at_every_step(policy: Policy, prompts: list[Prompt]) -> None:
    drawn = local_generator(policy).generate(prompts, Sampling(n=1, temperature=0, max_new_tokens=8), seed=0)
    for prompt, completion in zip(prompts, drawn, strict=True):
        ids = policy.chat.prompt_ids(prompt.messages)
        logits = alone(policy, prompt, [*ids, *completion.token_ids])[len(ids) - 1 : -1]
        assert tuple(logits.argmax(dim=-1).tolist()) == completion.token_ids


def test_each_drawn_token_has_the_log_probability_that_the_model_gives_it(
    policy: Policy, prompts: list[Prompt]
) -> None:
    policy.chat.stop_ids = frozenset(range(0, policy.model.config.vocab_size, 9))  # rows end one by one
    sampling = Sampling(n=6, temperature=0.8, top_k=200, max_new_tokens=10)
    drawn = local_generator(policy).generate(prompts, sampling, seed=3)
    by_id = {prompt.id: prompt for prompt in prompts}
    assert len({len(completion.token_ids) for completion in drawn}) > 2
    for completion in drawn:
        prompt = by_id[completion.prompt_id]
        ids = policy.chat.prompt_ids(prompt.messages)
        logits = alone(policy, prompt, [*ids, *completion.token_ids])[len(ids) - 1 : -1] / 0.8
        least = logits.topk(200, dim=-1).values[:, -1:]
        expected = logits.masked_fill(logits < least, float("-inf")).log_softmax(dim=-1)
        picked = expected.gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0]
        assert torch.allclose(picked, torch.tensor(completion.logprobs), atol=1e-4)


def test_a_seed_draws_the_same_and_a_row_is_the_same_without_its_neighbours_audio_kept(
    policy: Policy, prompts: list[Prompt]
) -> None:
    sampling = Sampling(n=2, temperature=1.0, max_new_tokens=6)
    first = local_generator(policy).generate(prompts, sampling, seed=5)
    assert local_generator(policy).generate(prompts, sampling, seed=5) == first
    assert local_generator(policy).generate(prompts, sampling, seed=6) != first


def test_answers_end_where_the_decoder_does(policy: Policy, prompts: list[Prompt]) -> None:
    policy.chat.stop_ids = frozenset()
    drawn = local_generator(policy).generate(prompts, Sampling(n=1, temperature=1.0, max_new_tokens=500), seed=0)
    room = 16 - len(policy.chat.prompt_ids(prompts[0].messages))
    assert {len(completion.token_ids) for completion in drawn} == {room}
    assert {completion.finish_reason for completion in drawn} == {"length"}


def test_servers_are_refused(nano_speech_model: Path, prompts: list[Prompt]) -> None:
    options = GeneratorOptions(generator="server", base_url=("http://127.0.0.1:1/v1",))
    with pytest.raises(ConfigError, match="models of text alone"):
        check_generator(ModelRef(str(nano_speech_model)), LoadingOptions(), options, prompts, trains=True)
