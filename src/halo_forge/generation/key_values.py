"""Keys and values of a batch that decodes: each prompt's are read once and shared out to its samples.

`transformers` joins every new token to all earlier ones in fresh memory; here there is room behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

LEAST_ROOM = 64


class Prefilled(NamedTuple):
    """Prompts read together, padded on the left to the longest of them.

    Args:
        prompts: their places in the chunk.
        logits: (B, V) after their last tokens.
    """

    prompts: list[int]
    cache: DynamicCache
    logits: torch.Tensor


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not typed here
    """A layer's keys and values, written in place; more room is made as it is needed.

    Args:
        keys: (R, H, L, D) to start with; the memory is the layer's own from then on.
        values: (R, H, L, E).
        length: places filled; those behind are free.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._all_keys, self._all_values = keys, values
        self._show(length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new places behind the others; see `DynamicLayer`."""
        start, end = self._length, self._length + key_states.shape[-2]
        if end > self._all_keys.shape[-2]:
            more = max(LEAST_ROOM, end // 4)
            self._all_keys, self._all_values = _widened(self._all_keys, more), _widened(self._all_values, more)
        self._all_keys[:, :, start:end] = key_states
        self._all_values[:, :, start:end] = value_states
        return self._show(end)

    def get_seq_length(self) -> int:
        """Places filled."""
        return self._length

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Keep the rows (R,) int64, in that order."""
        self._all_keys = self._all_keys.index_select(0, beam_idx)
        self._all_values = self._all_values.index_select(0, beam_idx)
        self._show(self._length)

    def _show(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        self._length = length
        self.keys = self._all_keys[:, :, :length]
        self.values = self._all_values[:, :, :length]
        return self.keys, self.values


def shareable(cache: DynamicCache) -> bool:
    """Whether every layer holds keys and values of all places, so that prompts read apart can be put side by side.

    Layers with a sliding window, a recurrent state or an index of their own stay as `transformers` made them.
    """
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def share_out(parts: Sequence[Prefilled], samples: int) -> tuple[DynamicCache, torch.Tensor]:
    """Give each prompt's keys and values to its samples.

    Args:
        parts: all prompts of a chunk; several only where their caches are `shareable`.

    Returns:
        One cache of the chunk's rows, by prompt, then by sample; the logits (R, V) of those rows.
    """
    order = torch.tensor([prompt for part in parts for prompt in part.prompts])
    logits = torch.cat([part.logits for part in parts])
    rows = order.argsort().repeat_interleave(samples).to(logits.device)
    cache = parts[0].cache
    if not shareable(cache):
        cache.reorder_cache(rows)
    else:
        cache.layers = [
            RoomyLayer(
                beside([part.cache.layers[layer].keys for part in parts], rows, LEAST_ROOM),
                beside([part.cache.layers[layer].values for part in parts], rows, LEAST_ROOM),
                max(part.cache.get_seq_length() for part in parts),
            )
            for layer in range(len(cache.layers))
        ]
    return cache, logits[rows]


def beside(states: Sequence[torch.Tensor], rows: torch.Tensor, room: int = 0) -> torch.Tensor:
    """Join (B, H, L, D) of several prefills along the batch, aligned on the right, with room behind; then take rows.

    Padding is zeros: what the mask leaves out is still multiplied by zero, and must be finite for that.
    """
    longest = max(part.shape[-2] for part in states)
    aligned = torch.cat([torch.nn.functional.pad(part, (0, 0, longest - part.shape[-2], 0)) for part in states])
    joined = aligned.new_empty(len(rows), aligned.shape[1], longest + room, aligned.shape[3])
    joined[:, :, :longest] = aligned[rows]
    return joined


def _widened(states: torch.Tensor, more: int) -> torch.Tensor:
    rows, heads, places, size = states.shape
    wider = states.new_empty(rows, heads, places + more, size)
    wider[:, :, :places] = states
    return wider
