from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.types import Prompt, Sampling
from halo_forge.generation.merged import merged
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import resolve_model


def load_adapted(nano_model: Path, dtype: str = "float32") -> Policy:
    """A policy whose adapter does something: a fresh one adds nothing."""
    loading = LoadingOptions.model_validate({"dtype": dtype})
    policy = load_policy(resolve_model(str(nano_model)), loading, TuningOptions(tuning="lora"))
    random = torch.Generator().manual_seed(0)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.05, generator=random)
    return policy


def adapted_layers(model: torch.nn.Module) -> int:
    return sum(isinstance(layer, BaseTunerLayer) for layer in model.modules())


def test_the_folded_model_is_the_adapted_one_and_leaves_it_as_it_was(nano_model: Path) -> None:
    policy = load_adapted(nano_model)
    before = {name: weight.clone() for name, weight in policy.model.state_dict().items()}
    trained = [name for name, weight in policy.model.named_parameters() if weight.requires_grad]
    layers = adapted_layers(policy.model)
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        expected = policy.model(ids).logits
        with policy.model.disable_adapter():
            assert not torch.allclose(policy.model(ids).logits, expected, atol=1e-2)
        with merged(policy) as folded:
            assert adapted_layers(folded) == 0
            torch.testing.assert_close(folded(ids).logits, expected, atol=1e-4, rtol=1e-4)
    after = policy.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert [name for name, weight in policy.model.named_parameters() if weight.requires_grad] == trained
    assert adapted_layers(policy.model) == layers == 28


def test_the_adapter_comes_back_when_drawing_fails(nano_model: Path) -> None:
    policy = load_adapted(nano_model)
    layers = adapted_layers(policy.model)
    with pytest.raises(KeyboardInterrupt), merged(policy):
        raise KeyboardInterrupt
    assert adapted_layers(policy.model) == layers


def test_training_after_sampling_gets_gradients(nano_model: Path, make_prompt: Callable[..., Prompt]) -> None:
    policy = load_adapted(nano_model)
    TransformersGenerator(policy).generate([make_prompt()], Sampling(n=2, max_new_tokens=3), seed=0)
    policy.model.train()
    policy.model(torch.tensor([[5, 6, 7]])).logits.sum().backward()
    assert all(weight.grad is not None for weight in policy.model.parameters() if weight.requires_grad)


def test_sixteen_bit_weights_are_left_apart_from_their_adapter(nano_model: Path) -> None:
    policy = load_adapted(nano_model, "bfloat16")
    with merged(policy) as model:
        assert model is policy.model
        assert adapted_layers(model) == 28


def test_a_model_without_adapter_is_taken_as_it_is(nano_model: Path) -> None:
    policy = load_policy(resolve_model(str(nano_model)), LoadingOptions())
    with merged(policy) as model:
        assert model is policy.model


def test_adapted_draws_are_those_of_the_adapted_model(nano_model: Path, make_prompt: Callable[..., Prompt]) -> None:
    policy = load_adapted(nano_model)
    prompt = make_prompt()
    ids = policy.chat.prompt_ids(prompt.messages)
    for completion in TransformersGenerator(policy).generate(
        [prompt], Sampling(n=4, temperature=1, max_new_tokens=12), 0
    ):
        whole = torch.tensor([[*ids, *completion.token_ids]])
        with torch.no_grad():
            logits = policy.model(whole).logits[0, len(ids) - 1 : -1]
        expected = logits.log_softmax(-1).gather(1, whole[0, len(ids) :, None])[:, 0]
        torch.testing.assert_close(torch.tensor(completion.logprobs), expected, atol=2e-4, rtol=1e-4)
