"""The decoding step that is written out, against the models' own forward passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.generation import llama_step
from halo_forge.generation.llama_known import FAMILIES, is_known
from halo_forge.generation.llama_step import LlamaStep, read_step
from halo_forge.generation.merged import merged
from halo_forge.models.load import load_policy
from halo_forge.models.resolve import resolve_model

SIZES: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}
LLAMA3 = {
    **{"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "original_max_position_embeddings": 16},
    **{"low_freq_factor": 1.0, "high_freq_factor": 4.0},
}
CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**SIZES),
    "llama with biases": lambda: transformers.LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
    "llama, far positions": lambda: transformers.LlamaConfig(**SIZES, rope_parameters=LLAMA3),
    "mistral": lambda: transformers.MistralConfig(**SIZES, sliding_window=None),
    "qwen2": lambda: transformers.Qwen2Config(**SIZES),
    "qwen2, tied": lambda: transformers.Qwen2Config(**SIZES, tie_word_embeddings=True),
    "qwen2, a head of keys": lambda: transformers.Qwen2Config(**{**SIZES, "num_key_value_heads": 1}),
    "qwen2, yarn": lambda: transformers.Qwen2Config(**SIZES, rope_parameters=YARN),
    "qwen3": lambda: transformers.Qwen3Config(**SIZES),
    "qwen3 with biases": lambda: transformers.Qwen3Config(**SIZES, attention_bias=True),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def make_model(config: Any) -> Any:
    """A model of which every weight matters: fresh ones have norms of 1 and biases of 0."""
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for name, weight in model.named_parameters():
        weight.data.normal_(std=0.2)
        if "norm" in name:
            weight.data.add_(1)
    return model


class Plain:
    """Attention over all tokens so far, each row with a copy of its own."""

    def __init__(self, layers: int, scaling: float) -> None:
        self._past: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[] for _ in range(layers)]
        self._scaling = scaling

    def __call__(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        self._past[layer].append((key, value))
        keys, values = (torch.stack(states, dim=2) for states in zip(*self._past[layer], strict=True))
        given = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, None], keys, values, scale=self._scaling, enable_gqa=True
        )
        return given.flatten(1)


def stepwise_logits(step: LlamaStep, ids: torch.Tensor, layers: int) -> torch.Tensor:
    attend = Plain(layers, step.scaling)
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    return torch.stack([step(ids[:, t], positions[:, t], attend) for t in range(ids.shape[1])], dim=1)


@pytest.mark.parametrize("most_joined", [0, llama_step.MOST_JOINED], ids=["apart", "joined"])
@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_those_of_the_models_own_forward_pass(
    name: str, most_joined: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama_step, "MOST_JOINED", most_joined)
    model = make_model(CONFIGS[name]())
    ids = torch.randint(61, (5, 40))
    with torch.inference_mode():
        expected = model(ids, use_cache=False).logits
        step = read_step(model, 40)
        assert step is not None
        assert expected.std() > 0.8  # a difference would show
        torch.testing.assert_close(stepwise_logits(step, ids, 3), expected, atol=1e-5, rtol=1e-5)


def test_every_known_family_is_compared() -> None:
    assert {CONFIGS[name]().model_type for name in CONFIGS} == set(FAMILIES.values())


def test_a_step_leaves_the_weights_as_they_were() -> None:
    model = make_model(CONFIGS["qwen3 with biases"]())
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.inference_mode():
        step = LlamaStep(model, 4)
        stepwise_logits(step, torch.randint(61, (2, 4)), 3)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


class OtherNorm(torch.nn.RMSNorm):
    pass


def _with_other_norm(model: Any) -> None:
    model.model.layers[1].input_layernorm = OtherNorm(32)


def _with_norm_behind_projection(model: Any) -> None:
    model.model.layers[0].self_attn.v_norm = torch.nn.LayerNorm(8)


def _with_other_forward(model: Any) -> None:
    layer = model.model.layers[2].mlp
    usual = layer.forward
    layer.forward = lambda states: 2 * usual(states)


def _with_hook(model: Any) -> None:
    model.model.layers[0].register_forward_hook(lambda module, args, output: 2 * output)


def _with_hook_before(model: Any) -> None:
    model.lm_head.register_forward_pre_hook(lambda module, args: (2 * args[0],))


@pytest.mark.parametrize(
    "change", [_with_other_norm, _with_norm_behind_projection, _with_other_forward, _with_hook, _with_hook_before]
)
def test_a_model_that_was_changed_is_not_known(change: Callable[[Any], None]) -> None:
    model = make_model(CONFIGS["qwen2"]())
    assert is_known(model)
    change(model)
    assert not is_known(model)
    assert read_step(model, 4) is None


@pytest.mark.parametrize(
    "config",
    [
        transformers.GPT2Config(vocab_size=61, n_embd=32, n_layer=1, n_head=4),
        transformers.LlamaConfig(**SIZES, hidden_act="gelu"),
        transformers.LlamaConfig(**SIZES, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}),
        transformers.Qwen2MoeConfig(**{**SIZES, "num_experts": 2}),
    ],
    ids=["gpt2", "another activation", "positions that hang on the longest row", "mixture of experts"],
)
def test_models_that_compute_otherwise_are_not_known(config: Any) -> None:
    assert not is_known(transformers.AutoModelForCausalLM.from_config(config))


def test_an_adapter_is_known_once_it_is_folded_in(nano_model: Path) -> None:
    policy = load_policy(resolve_model(str(nano_model)), LoadingOptions(device="cpu"), TuningOptions(tuning="lora"))
    assert not is_known(policy.model)
    with merged(policy) as model:
        assert is_known(model)


def test_what_training_does_to_a_model_does_not_change_how_it_decodes(nano_model: Path) -> None:
    """A run that goes on after a kill has not trained yet in its new process, and must draw as the first one would."""
    policy = load_policy(resolve_model(str(nano_model)), LoadingOptions(device="cpu"), TuningOptions(tuning="lora"))
    policy.model.activation_checkpointing_enable()
    policy.model.enable_input_require_grads()
    policy.model.train()
    policy.model(torch.tensor([[5, 6, 7]])).logits.sum().backward()
    with merged(policy) as model:
        assert is_known(model)
