"""One decoding step of a model of the Llama family: a token of every row, in as few operations as it takes.

A model of `transformers` goes through hundreds of modules, look-ups and small operations for it; while it is small
those cost more than the arithmetic. Here the same weights make the same logits without most of them.

Sources: rotary positions (Su et al. 2021), RMS norm (Zhang and Sennrich 2019), SwiGLU (Shazeer 2020), queries that
share heads of the keys (Ainslie et al. 2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from halo_forge.generation.llama_known import is_known

# Weights of products that read the same states are joined up to this size: beyond it the copy takes memory, and a
# product takes so long that starting one more costs nothing.
MOST_JOINED = 2**20

Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""What a layer does with a new token: (layer, query (R, H, D), key (R, K, D), value (R, K, D)) to (R, H * D)."""


class _Norm(NamedTuple):
    """RMS norm x w / sqrt(mean(x^2) + eps), written as x (w sqrt(n)) / hypot(|x|, sqrt(n eps)).

    Args:
        weight: (..., n), times sqrt(n).
        least: sqrt(n eps).
    """

    weight: torch.Tensor
    least: torch.Tensor

    def of(self, states: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
        return states.div(torch.hypot(length, self.least)).mul_(self.weight)


class _Product(NamedTuple):
    """One or several linear layers that read the same states, their results side by side.

    Args:
        parts: weight (in, out) and bias (out,) of each.
    """

    parts: tuple[tuple[torch.Tensor, torch.Tensor | None], ...]

    def of(self, states: torch.Tensor) -> torch.Tensor:
        """(R, in) to (R, out)."""
        made = [
            torch.mm(states, weight) if bias is None else torch.addmm(bias, states, weight)
            for weight, bias in self.parts
        ]
        return made[0] if len(made) == 1 else torch.cat(made, dim=-1)

    def onto(self, rest: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """What `of` gives, added to the rest (R, out); for one linear layer."""
        weight, bias = self.parts[0]
        return torch.addmm(rest if bias is None else rest + bias, states, weight)


class _Layer(NamedTuple):
    """The weights of a decoder layer.

    Args:
        heads: makes queries, keys and values.
        head_norm: of queries and keys (H + K, D), where there is one.
    """

    before_attention: _Norm
    heads: _Product
    head_norm: _Norm | None
    out: _Product
    before_mlp: _Norm
    gate_up: _Product
    down: _Product


class LlamaStep:
    """See the module.

    Args:
        model: one that `is_known`; its weights are read as they are now.
        places: positions that may be asked for.
    """

    def __init__(self, model: Any, places: int) -> None:
        attention = model.model.layers[0].self_attn
        self.scaling = float(attention.scaling)
        self._size = int(attention.head_dim)
        self._heads = attention.q_proj.out_features // self._size
        self._shared = attention.k_proj.out_features // self._size
        self._words = model.model.embed_tokens.weight
        self._layers = [self._read(layer) for layer in model.model.layers]
        self._norm = _norm(model.model.norm)
        self._head = _product(model.lm_head)
        positions = torch.arange(places, device=self._words.device)
        cos, sin = (table[0] for table in model.model.rotary_emb(self._words, positions[None]))
        # Half of each head changes its sign when it changes places with the other half.
        sin[:, : self._size // 2].neg_()
        self._turns = torch.stack([cos, sin], dim=1)

    def __call__(self, tokens: torch.Tensor, positions: torch.Tensor, attend: Attend) -> torch.Tensor:
        """Read a token (R,) at its position (R,) in each row; return the logits (R, V) of the next."""
        states = self._words.index_select(0, tokens)
        cos, sin = self._turns.index_select(0, positions).chunk(2, dim=1)
        turned = self._heads + self._shared
        for index, layer in enumerate(self._layers):
            heads = layer.heads.of(layer.before_attention.of(states)).view(len(states), -1, self._size)
            turning = heads[:, :turned]
            if layer.head_norm is not None:
                turning = layer.head_norm.of(turning)
            turning = torch.addcmul(turning * cos, turning.roll(self._size // 2, dims=-1), sin)
            given = attend(index, turning[:, : self._heads], turning[:, self._heads :], heads[:, turned:])
            states = layer.out.onto(states, given)
            gate, up = layer.gate_up.of(layer.before_mlp.of(states)).chunk(2, dim=-1)
            states = layer.down.onto(states, torch.nn.functional.silu(gate).mul_(up))
        return self._head.of(self._norm.of(states))

    def _read(self, layer: Any) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        head_norm = None
        if hasattr(attention, "q_norm"):
            query, key = _norm(attention.q_norm), _norm(attention.k_norm)
            weight = torch.stack([query.weight] * self._heads + [key.weight] * self._shared)
            head_norm = _Norm(weight, query.least)
        return _Layer(
            _norm(layer.input_layernorm),
            _product(attention.q_proj, attention.k_proj, attention.v_proj),
            head_norm,
            _product(attention.o_proj),
            _norm(layer.post_attention_layernorm),
            _product(mlp.gate_proj, mlp.up_proj),
            _product(mlp.down_proj),
        )


def read_step(model: Any, places: int) -> LlamaStep | None:
    """A step of this model, or None if it is not exactly one of those known.

    Args:
        model: what `transformers` or PEFT made.
        places: positions that may be asked for.
    """
    return LlamaStep(model, places) if is_known(model) else None


def _norm(module: Any) -> _Norm:
    size = module.weight.shape[-1]
    return _Norm(
        module.weight * math.sqrt(size), torch.full_like(module.weight[:1], math.sqrt(size * module.variance_epsilon))
    )


def _product(*linears: torch.nn.Linear) -> _Product:
    parts = tuple((linear.weight.t(), linear.bias) for linear in linears)
    alike = len({bias is None for _, bias in parts}) == 1
    if len(parts) == 1 or not alike or sum(weight.numel() for weight, _ in parts) > MOST_JOINED:
        return _Product(parts)
    # Joined as they lie in memory, (out, in): products with them are then the ones the linear layers make.
    weights: list[torch.Tensor] = [linear.weight for linear in linears]
    biases: list[torch.Tensor] = [bias for _, bias in parts if bias is not None]
    return _Product(((torch.cat(weights).t(), torch.cat(biases) if biases else None),))
