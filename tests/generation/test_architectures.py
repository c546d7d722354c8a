"""Draws of other architectures than the nano model's, each against its own plain forward pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.types import Completion, Prompt, Sampling
from halo_forge.generation import decoding
from halo_forge.generation.llama_known import FAMILIES
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.models.hardware import set_threads
from halo_forge.models.load import Policy
from halo_forge.models.preview import load_chat
from halo_forge.models.resolve import resolve_model

SIZES: dict[str, Any] = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}
CONFIGS: dict[str, Callable[[], Any]] = {
    "qwen2": lambda: transformers.Qwen2Config(**SIZES),
    "qwen2, eager": lambda: transformers.Qwen2Config(**SIZES, attn_implementation="eager"),
    "llama": lambda: transformers.LlamaConfig(**SIZES),
    "qwen3": lambda: transformers.Qwen3Config(**SIZES),
    "mistral": lambda: transformers.MistralConfig(**SIZES, sliding_window=None),
    "mistral, window 24": lambda: transformers.MistralConfig(**SIZES, sliding_window=24),
    "gemma3, window 24 and full in turns": lambda: transformers.Gemma3TextConfig(
        **SIZES, sliding_window=24, layer_types=["sliding_attention", "full_attention"] * 2
    ),
    "lfm2, convolutions and attention": lambda: transformers.Lfm2Config(
        **SIZES, layer_types=["conv", "full_attention"] * 2
    ),
    "gpt2, learnt positions": lambda: transformers.GPT2Config(
        vocab_size=512, n_embd=32, n_layer=2, n_head=4, n_positions=512
    ),
    "bloom, biased by distance": lambda: transformers.BloomConfig(vocab_size=512, hidden_size=32, n_layer=2, n_head=4),
}


@pytest.fixture(params=CONFIGS)
def policy(request: pytest.FixtureRequest, nano_model: Path) -> Policy:
    config = CONFIGS[request.param]()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
    set_threads(1, 0)
    chat = load_chat(resolve_model(str(nano_model)), LoadingOptions())
    return Policy(model, chat, torch.device("cpu"), "nowhere", False, None)


def plain_logprobs(policy: Policy, prompt: Prompt, completion: Completion) -> torch.Tensor:
    """Log-probabilities of a completion's tokens by one forward pass, without padding or cache."""
    ids = policy.chat.prompt_ids(prompt.messages)
    whole = torch.tensor([[*ids, *completion.token_ids]])
    with torch.no_grad():
        logits = policy.model(whole, use_cache=False).logits[0, len(ids) - 1 : -1]
    return logits.log_softmax(-1).gather(1, whole[0, len(ids) :, None])[:, 0]


@pytest.mark.parametrize("texts", [("add", "a " * 20, "b " * 70), ("add one", "sub two")], ids=["mixed", "alike"])
def test_logprobs_are_those_of_the_plain_forward_pass(
    policy: Policy, make_prompt: Callable[..., Prompt], texts: tuple[str, ...]
) -> None:
    prompts = [make_prompt(f"p{i}", text) for i, text in enumerate(texts)]
    sampling = Sampling(n=2, temperature=1, max_new_tokens=80)  # past the window, past the first room behind the prompt
    drawn = TransformersGenerator(policy).generate(prompts, sampling, seed=0)
    assert any(len(completion.token_ids) > 70 for completion in drawn)
    for completion in drawn:
        prompt = prompts[int(completion.prompt_id[1:])]
        expected = plain_logprobs(policy, prompt, completion)
        torch.testing.assert_close(torch.tensor(completion.logprobs), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("share", [1e-9, 0.99])
def test_draws_do_not_depend_on_when_finished_rows_leave(
    policy: Policy, make_prompt: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    prompts = [make_prompt("a", "add"), make_prompt("b", "Write int f(int n), which adds.")]
    policy.chat.stop_ids = frozenset(range(0, 512, 12))  # answers of many lengths
    sampling = Sampling(n=8, temperature=1, max_new_tokens=40)
    usual = TransformersGenerator(policy).generate(prompts, sampling, seed=5)
    monkeypatch.setattr(decoding, "RETIRE_SHARE", share)
    other = TransformersGenerator(policy).generate(prompts, sampling, seed=5)
    assert len({len(completion.token_ids) for completion in usual}) > 4
    assert [c.token_ids for c in other] == [c.token_ids for c in usual]


def test_a_row_at_the_end_of_its_context_may_wait_for_the_others(
    policy: Policy, make_prompt: Callable[..., Prompt]
) -> None:
    if policy.context_length is None:
        pytest.skip("it has no end")
    policy.chat.stop_ids = frozenset()
    long = make_prompt("long", "a " * 490)
    room = 512 - len(policy.chat.prompt_ids(long.messages))
    assert 0 < room < 20
    drawn = TransformersGenerator(policy).generate(
        [long, *[make_prompt(f"p{i}", "add") for i in range(19)]], Sampling(n=1, max_new_tokens=room + 4), seed=0
    )
    assert [len(completion.token_ids) for completion in drawn] == [room] + [room + 4] * 19


def test_every_family_that_shares_its_prompts_is_among_these() -> None:
    assert {make().model_type for make in CONFIGS.values()} >= set(FAMILIES.values())
