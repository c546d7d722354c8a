"""A batch that decodes with each prompt's keys and values read once for all of its samples.

They stay where the prompt was read, one copy a prompt instead of one a row, and the queries of a prompt's samples meet
them in one product. Each row keeps keys and values of its own only for what it drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from halo_forge.generation.key_values import LEAST_ROOM, Prefilled, RoomyLayer, beside, shareable
from halo_forge.generation.llama_step import LlamaStep, read_step


class SharedLayer(RoomyLayer):
    """A layer's keys and values: those of the prompts, and those of the rows behind them.

    Args:
        prompt_keys: (P, H, L, D), aligned on the right.
        prompt_values: (P, H, L, E).
        rows: of the batch.
    """

    def __init__(self, prompt_keys: torch.Tensor, prompt_values: torch.Tensor, rows: int) -> None:
        self.prompt_keys, self.prompt_values = prompt_keys, prompt_values
        room = (rows, prompt_keys.shape[1], LEAST_ROOM)
        super().__init__(
            prompt_keys.new_empty(*room, prompt_keys.shape[3]),
            prompt_values.new_empty(*room, prompt_values.shape[3]),
            0,
        )

    def keep_prompts(self, kept: torch.Tensor) -> None:
        """Drop all prompts but these (P,) int64."""
        self.prompt_keys = self.prompt_keys.index_select(0, kept)
        self.prompt_values = self.prompt_values.index_select(0, kept)


class Places(NamedTuple):
    """Where the rows of each prompt stand, once prompts have unlike numbers of rows.

    Args:
        rows: (P * N,) int64, rows by prompt, N the most of any; where a prompt has fewer, any row.
        back: (R,) int64, the place of each row in `rows`.
    """

    rows: torch.Tensor
    back: torch.Tensor


class SharedPrompts:
    """See `decoding.Batch`.

    Args:
        step: of the model that read the prompts.
        parts: the prompts, read.
        lengths: (P,) int64, tokens of each prompt.
        samples: rows of each prompt.
    """

    def __init__(self, step: LlamaStep, parts: Sequence[Prefilled], lengths: torch.Tensor, samples: int) -> None:
        self._step = step
        order = torch.tensor([prompt for part in parts for prompt in part.prompts]).argsort()
        self.logits = torch.cat([part.logits for part in parts])[order].repeat_interleave(samples, dim=0)
        rows = len(self.logits)
        self._layers = [
            SharedLayer(
                beside([part.cache.layers[layer].keys for part in parts], order),
                beside([part.cache.layers[layer].values for part in parts], order),
                rows,
            )
            for layer in range(len(parts[0].cache.layers))
        ]
        self._heads = self._layers[0].prompt_keys.shape[1]
        self._prompts = torch.arange(len(order)).repeat_interleave(samples)
        self._places: Places | None = None
        self._mask = _padding(lengths, self.logits.dtype, self._heads)

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """See `decoding.Batch`."""
        return self._step(tokens, positions, self._attend)

    def keep(self, kept: torch.Tensor) -> None:
        """See `decoding.Batch`."""
        for layer in self._layers:
            layer.reorder_cache(kept)
        alive, self._prompts, counts = torch.unique_consecutive(
            self._prompts[kept], return_inverse=True, return_counts=True
        )
        if len(alive) < len(self._layers[0].prompt_keys):
            for layer in self._layers:
                layer.keep_prompts(alive)
            if self._mask is not None:
                self._mask = self._mask.view(-1, self._heads, 1, self._mask.shape[-1])[alive].flatten(0, 1)
        most = int(counts.max())
        starts = counts.cumsum(0) - counts
        back = torch.arange(len(kept)) - starts[self._prompts] + most * self._prompts
        rows = torch.zeros(len(alive) * most, dtype=torch.int64).index_put((back,), torch.arange(len(kept)))
        self._places = None if len(rows) == len(kept) else Places(rows, back)

    def _attend(self, index: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """See `llama_step.Attend`."""
        layer = self._layers[index]
        keys, values = layer.update(key[:, :, None], value[:, :, None])
        return attend(
            query, keys, values, layer.prompt_keys, layer.prompt_values, self._mask, self._places, self._step.scaling
        )


def share_prompts(
    model: Any, parts: Sequence[Prefilled], lengths: torch.Tensor, samples: int, places: int
) -> SharedPrompts | None:
    """A batch that decodes so, where the model can and gains by it.

    On accelerators the fused kernels of `scaled_dot_product_attention` stay, and everywhere for types narrower than
    float32: they add up in float32.

    Args:
        model: that read the prompts.
        parts, lengths, samples: see `SharedPrompts`.
        places: positions that any row may come to.
    """
    cache = parts[0].cache
    gains = all(weight.device.type == "cpu" and weight.dtype == torch.float32 for weight in model.parameters())
    if not gains or not shareable(cache) or model.config._attn_implementation != "sdpa":
        return None
    step = read_step(model, places)
    return None if step is None else SharedPrompts(step, parts, lengths, samples)


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    prompt_keys: torch.Tensor,
    prompt_values: torch.Tensor,
    mask: torch.Tensor | None,
    places: Places | None,
    scaling: float,
) -> torch.Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017) of one new token a row over its prompt and its own places.

    Args:
        query: (R, H, D); consecutive heads share a head of the keys.
        keys: (R, K, S, D), the rows' own.
        values: (R, K, S, E).
        prompt_keys: (P, K, L, D).
        prompt_values: (P, K, L, E).
        mask: (P * K, 1, L) to add to the prompts' scores.
        places: of the rows; None where every prompt has as many.

    Returns:
        (R, H * E).
    """
    rows, heads, size = query.shape
    prompts, shared, length, _ = prompt_keys.shape
    group = heads // shared
    own_query = query.reshape(rows * shared, group, size)
    own = torch.baddbmm(own_query.new_empty(()), own_query, keys.flatten(0, 1).transpose(1, 2), beta=0, alpha=scaling)
    together = _by_prompt(own_query, prompts, shared, places)
    transposed = prompt_keys.flatten(0, 1).transpose(1, 2)
    if mask is None:
        scores = torch.baddbmm(together.new_empty(()), together, transposed, beta=0, alpha=scaling)
    else:
        scores = torch.baddbmm(mask, together, transposed, alpha=scaling)
    scores = _by_row(scores, prompts, shared, group, places)
    weights = torch.cat([scores, own], dim=-1).softmax(dim=-1)
    given = torch.bmm(_by_prompt(weights[..., :length], prompts, shared, places), prompt_values.flatten(0, 1))
    given = _by_row(given, prompts, shared, group, places)
    return torch.baddbmm(given, weights[..., length:], values.flatten(0, 1)).view(rows, -1)


def _padding(lengths: torch.Tensor, dtype: torch.dtype, heads: int) -> torch.Tensor | None:
    """(P * heads, 1, longest) to add to scores, or None where no prompt is padded."""
    longest = int(lengths.max())
    padding = torch.arange(longest) < (longest - lengths)[:, None]
    if not bool(padding.any()):
        return None
    mask = torch.zeros(padding.shape, dtype=dtype).masked_fill(padding, torch.finfo(dtype).min)
    return mask.repeat_interleave(heads, dim=0)[:, None]


def _by_prompt(states: torch.Tensor, prompts: int, shared: int, places: Places | None) -> torch.Tensor:
    """(R * K, G, X) to (P * K, N * G, X)."""
    group, size = states.shape[1:]
    states = states.view(-1, shared, group, size)
    if places is not None:
        states = states.index_select(0, places.rows)
    return states.view(prompts, -1, shared, group, size).transpose(1, 2).reshape(prompts * shared, -1, size)


def _by_row(states: torch.Tensor, prompts: int, shared: int, group: int, places: Places | None) -> torch.Tensor:
    """(P * K, N * G, X) back to (R * K, G, X)."""
    size = states.shape[-1]
    states = states.view(prompts, shared, -1, group, size).transpose(1, 2).reshape(-1, shared * group, size)
    if places is not None:
        states = states.index_select(0, places.back)
    return states.view(-1, group, size)
