"""Whether a model is exactly one of those whose decoding step is written out in `llama_step`."""

from __future__ import annotations

from typing import Any

FAMILIES = {"Llama": "llama", "Mistral": "mistral", "Qwen2": "qwen2", "Qwen3": "qwen3"}
"""How the classes of each begin, and its folder in `transformers`. Each has a test."""

# Rotary tables that hang on nothing but the position; others change with the longest row.
STEADY_ROTARY = frozenset({"default", "linear", "llama3", "yarn"})
LINEAR = "torch.nn.modules.linear.Linear"
LIST = "torch.nn.modules.container.ModuleList"
EMBEDDING = "torch.nn.modules.sparse.Embedding"
SILU = "transformers.activations.SiLUActivation"


def is_known(model: Any) -> bool:
    """Whether every part of a model is what it was when `transformers` made it, as far as a decoding step goes.

    The answer hangs on the model alone, not on what was done with it before: a run that was killed and goes on must
    decode as it would have.
    """
    start = type(model).__name__.removesuffix("ForCausalLM")
    if start not in FAMILIES:
        return False
    modules = dict(model.named_modules())
    found = {name: f"{type(module).__module__}.{type(module).__qualname__}" for name, module in modules.items()}
    return (
        found == _expected(start, model.config.num_hidden_layers)
        and not any(_is_changed(name, module) for name, module in modules.items())
        and model.model.rotary_emb.rope_type in STEADY_ROTARY
    )


def _expected(start: str, layers: int) -> dict[str, str]:
    """The class of every module by its name."""
    own = f"transformers.models.{FAMILIES[start]}.modeling_{FAMILIES[start]}.{start}"
    in_layer = {
        "": f"{own}DecoderLayer",
        ".input_layernorm": f"{own}RMSNorm",
        ".post_attention_layernorm": f"{own}RMSNorm",
        ".self_attn": f"{own}Attention",
        **{f".self_attn.{name}_proj": LINEAR for name in "qkvo"},
        **({f".self_attn.{name}_norm": f"{own}RMSNorm" for name in "qk"} if start == "Qwen3" else {}),
        ".mlp": f"{own}MLP",
        **{f".mlp.{name}_proj": LINEAR for name in ("gate", "up", "down")},
        ".mlp.act_fn": SILU,
    }
    return {
        "": f"{own}ForCausalLM",
        "model": f"{own}Model",
        "model.embed_tokens": EMBEDDING,
        "model.layers": LIST,
        **{f"model.layers.{layer}{name}": kind for layer in range(layers) for name, kind in in_layer.items()},
        "model.norm": f"{own}RMSNorm",
        "model.rotary_emb": f"{own}RotaryEmbedding",
        "lm_head": LINEAR,
    }


def _is_changed(name: str, module: Any) -> bool:
    """Whether something was put before, behind or in place of what a module does.

    Training with checkpointing puts a hook behind the embedding that changes no number, and stays.
    """
    hooked = bool(module._forward_hooks) and name != "model.embed_tokens"
    return hooked or bool(module._forward_pre_hooks) or "forward" in vars(module)
