from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.errors import DataError, ModelError
from halo_forge.core.types import Prompt, Sampling
from halo_forge.generation.transformers import TransformersGenerator, group_by_length
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import resolve_model


@pytest.fixture(scope="module")
def policy(nano_model: Path) -> Policy:
    return load_policy(resolve_model(str(nano_model)), LoadingOptions())


@pytest.fixture
def prompts(make_prompt: Callable[..., Prompt]) -> list[Prompt]:
    return [
        make_prompt("short", "add"),
        make_prompt("long", "Write a C++ function int f(int n) that doubles n."),
        make_prompt("mid", "int f(int)"),
    ]


def test_greedy_decoding_is_what_generate_gives(policy: Policy, prompts: list[Prompt]) -> None:
    got = TransformersGenerator(policy).generate(prompts, Sampling(n=2, temperature=0, max_new_tokens=24), seed=0)
    for prompt in prompts:
        ids = torch.tensor([policy.chat.prompt_ids(prompt.messages)])
        expected = policy.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24)
        ours = [c for c in got if c.prompt_id == prompt.id]
        assert ours[0].token_ids == ours[1].token_ids == tuple(expected[0, ids.shape[1] :].tolist())


def test_stored_logprobs_are_those_of_the_model(policy: Policy, prompts: list[Prompt]) -> None:
    sampling = Sampling(n=4, temperature=0.8, max_new_tokens=16)
    by_id = {prompt.id: prompt for prompt in prompts}
    for completion in TransformersGenerator(policy).generate(prompts, sampling, seed=3):
        prompt = policy.chat.prompt_ids(by_id[completion.prompt_id].messages)
        ids = torch.tensor([[*prompt, *completion.token_ids]])
        with torch.no_grad():
            logits = policy.model(ids).logits[0, len(prompt) - 1 : -1]
        expected = (logits / 0.8).log_softmax(-1).gather(1, ids[0, len(prompt) :, None])[:, 0]
        torch.testing.assert_close(torch.tensor(completion.logprobs), expected, atol=2e-4, rtol=1e-4)


def test_the_same_seed_draws_the_same_and_another_differs(policy: Policy, prompts: list[Prompt]) -> None:
    sampling = Sampling(n=4, temperature=1, max_new_tokens=12)
    generator = TransformersGenerator(policy)
    first = generator.generate(prompts, sampling, seed=1)
    assert first == generator.generate(prompts, sampling, seed=1)
    assert [c.text for c in first] != [c.text for c in generator.generate(prompts, sampling, seed=2)]
    assert [(c.prompt_id, c.index) for c in first] == [(p.id, i) for p in prompts for i in range(4)]


def test_a_cut_completion_says_so_and_a_stopped_one_ends_with_its_stop(policy: Policy, prompts: list[Prompt]) -> None:
    stops = policy.chat.stop_ids
    for completion in TransformersGenerator(policy).generate(
        prompts, Sampling(n=40, max_new_tokens=40, temperature=1.5), 0
    ):
        stopped = completion.token_ids[-1] in stops
        assert completion.finish_reason == ("stop" if stopped else "length")
        assert len(completion.token_ids) == len(completion.logprobs) <= 40
        assert not stops & set(completion.token_ids[:-1])


def test_a_prompt_that_fills_the_context_is_refused_by_name(policy: Policy, make_prompt: Callable[..., Prompt]) -> None:
    with pytest.raises(DataError, match=r"prompt 'huge' has \d+ tokens and the model's context is 512"):
        TransformersGenerator(policy).generate([make_prompt("huge", "x y " * 600)], Sampling(n=1), seed=0)


def test_answers_stop_at_the_end_of_the_context(policy: Policy, make_prompt: Callable[..., Prompt]) -> None:
    prompt = make_prompt("near", "a " * 240)
    room = 512 - len(policy.chat.prompt_ids(prompt.messages))
    got = TransformersGenerator(policy).generate([prompt], Sampling(n=2, max_new_tokens=4000, temperature=1), seed=0)
    assert all(len(c.token_ids) <= room for c in got)


def test_a_long_prompt_does_not_cut_the_answers_of_its_neighbours(
    policy: Policy, make_prompt: Callable[..., Prompt]
) -> None:
    near = make_prompt("near", "a " * 240)
    room = 512 - len(policy.chat.prompt_ids(near.messages))
    sampling = Sampling(n=30, max_new_tokens=room + 20, temperature=1)
    got = TransformersGenerator(policy).generate([near, make_prompt("short", "add")], sampling, seed=0)
    cut = {
        p: [len(c.token_ids) for c in got if c.prompt_id == p and c.finish_reason == "length"]
        for p in ("near", "short")
    }
    assert set(cut["near"]) == {room}
    assert set(cut["short"]) == {room + 20}


def test_a_generation_config_of_the_model_does_not_leak_in(nano_model: Path, prompts: list[Prompt]) -> None:
    policy = load_policy(resolve_model(str(nano_model)), LoadingOptions())
    sampling = Sampling(n=4, temperature=1, max_new_tokens=12)
    before = TransformersGenerator(policy).generate(prompts, sampling, seed=1)
    policy.model.generation_config.update(
        temperature=0.01, top_k=1, top_p=0.1, min_p=0.9, repetition_penalty=9.0, max_new_tokens=2
    )
    assert TransformersGenerator(policy).generate(prompts, sampling, seed=1) == before


def test_prompts_of_like_length_are_read_together() -> None:
    assert group_by_length([100, 10, 90, 12, 80, 13, 500]) == [[1, 3, 5], [4, 2, 0], [6]]
    assert [len(group) for group in group_by_length([1000] * 100)] == [32, 32, 32, 4]
    assert group_by_length([50_000, 50_000]) == [[0], [1]]


def test_the_order_of_prompts_is_kept_when_they_are_read_in_groups(
    policy: Policy, make_prompt: Callable[..., Prompt]
) -> None:
    prompts = [make_prompt(f"p{i}", "a " * length) for i, length in enumerate([90, 1, 40, 2, 91])]
    got = TransformersGenerator(policy).generate(prompts, Sampling(n=2, temperature=0, max_new_tokens=8), seed=0)
    assert [(c.prompt_id, c.index) for c in got] == [(p.id, i) for p in prompts for i in range(2)]
    for prompt in prompts:
        alone = TransformersGenerator(policy).generate([prompt], Sampling(n=1, temperature=0, max_new_tokens=8), seed=0)
        assert {c.token_ids for c in got if c.prompt_id == prompt.id} == {alone[0].token_ids}


def test_a_model_whose_logits_are_not_numbers_is_refused(nano_model: Path, prompts: list[Prompt]) -> None:
    policy = load_policy(resolve_model(str(nano_model)), LoadingOptions())
    next(policy.model.parameters()).data[:, 0] = float("nan")
    with pytest.raises(ModelError, match="logits are not numbers"):
        TransformersGenerator(policy).generate(prompts, Sampling(n=2, temperature=1, max_new_tokens=2), seed=0)
