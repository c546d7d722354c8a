from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.types import Prompt, Sampling
from halo_forge.generation import shared_prompts
from halo_forge.generation.shared_prompts import Places, SharedPrompts, attend
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import resolve_model


@pytest.fixture
def policy(nano_model: Path) -> Policy:
    return load_policy(resolve_model(str(nano_model)), LoadingOptions(device="cpu", dtype="float32", threads=1))


@pytest.mark.parametrize("padded", [False, True], ids=["alike", "padded"])
@pytest.mark.parametrize("shared", [1, 2])
@pytest.mark.parametrize("prompt_of_row", [[0, 0, 0, 1, 1, 1], [0, 1, 1, 1]], ids=["even", "ragged"])
def test_attention_is_that_over_keys_copied_to_every_row(prompt_of_row: list[int], shared: int, padded: bool) -> None:
    torch.manual_seed(0)
    rows, heads, size, length, own = len(prompt_of_row), 4, 8, 7, 3
    query = torch.randn(rows, heads, size)
    keys, values = torch.randn(rows, shared, own, size), torch.randn(rows, shared, own, size + 1)
    prompt_keys, prompt_values = torch.randn(2, shared, length, size), torch.randn(2, shared, length, size + 1)
    mask = torch.zeros(2, 1, length)
    if padded:
        mask[1, :, :4] = torch.finfo(torch.float32).min
    ragged = Places(torch.tensor([0, 0, 0, 1, 2, 3]), torch.tensor([0, 3, 4, 5])) if rows == 4 else None
    got = attend(
        query,
        keys,
        values,
        prompt_keys,
        prompt_values,
        mask.repeat_interleave(shared, dim=0) if padded else None,
        ragged,
        0.3,
    )
    expected = torch.nn.functional.scaled_dot_product_attention(
        query[:, :, None],
        torch.cat([prompt_keys[prompt_of_row], keys], dim=2).repeat_interleave(heads // shared, dim=1),
        torch.cat([prompt_values[prompt_of_row], values], dim=2).repeat_interleave(heads // shared, dim=1),
        attn_mask=torch.nn.functional.pad(mask, (0, own))[prompt_of_row][:, None],
        scale=0.3,
    )
    torch.testing.assert_close(got, expected.flatten(1))


def test_draws_are_those_of_copied_keys(
    policy: Policy, make_prompt: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy.chat.stop_ids = frozenset(range(0, policy.model.config.vocab_size, 12))  # prompts run out one by one
    prompts = [make_prompt("a", "add"), make_prompt("b", "Write int f(int n)."), make_prompt("c", "Subtract two.")]
    sampling = Sampling(n=8, temperature=1, max_new_tokens=70)
    kept: list[int] = []
    keep = SharedPrompts.keep
    monkeypatch.setattr(SharedPrompts, "keep", lambda batch, rows: (kept.append(len(rows)), keep(batch, rows))[1])
    shared = TransformersGenerator(policy).generate(prompts, sampling, seed=2)
    retired = len(kept)
    assert retired > 4
    monkeypatch.setattr(shared_prompts, "read_step", lambda model, places: None)
    copied = TransformersGenerator(policy).generate(prompts, sampling, seed=2)
    assert len(kept) == retired
    assert [c.token_ids for c in shared] == [c.token_ids for c in copied]
    for one, other in zip(shared, copied, strict=True):
        torch.testing.assert_close(torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4, rtol=1e-4)


def test_types_narrower_than_float32_keep_the_models_own_step(
    nano_model: Path, make_prompt: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(shared_prompts, "read_step", lambda model, places: asked.append(places))
    for dtype in ("bfloat16", "float32"):
        loading = LoadingOptions.model_validate({"device": "cpu", "dtype": dtype, "threads": 1})
        policy = load_policy(resolve_model(str(nano_model)), loading)
        drawn = TransformersGenerator(policy).generate([make_prompt()], Sampling(n=2, max_new_tokens=3), seed=0)
        assert len(drawn) == 2
    prompt = policy.chat.prompt_ids(make_prompt().messages)
    assert asked == [len(prompt) + 3]
