"""A batch that decodes as every model of `transformers` can: each row with its own copy of the prompt's cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from halo_forge.generation.key_values import Prefilled, RoomyLayer, share_out


class CopiedPrompts:
    """See `decoding.Batch`.

    Args:
        model: what is called.
        inner: the model of `transformers` in it.
        parts: the prompts, read.
        lengths: (P,) int64, tokens of each prompt.
        samples: rows of each prompt.
        steps: most new tokens of any row.
    """

    def __init__(
        self, model: Any, inner: Any, parts: Sequence[Prefilled], lengths: torch.Tensor, samples: int, steps: int
    ) -> None:
        self._model = model
        self._cache, self.logits = share_out(parts, samples)
        self._filled = int(lengths.max())
        self._mask: torch.Tensor | None = None
        if bool((lengths < self._filled).any()):
            mask = padding_mask(lengths, self._filled, steps).repeat_interleave(samples, dim=0).to(self.logits.device)
            takes = takes_expanded_mask(inner, self._cache)
            self._mask = _expanded(mask, self._cache.layers[0].keys.dtype) if takes else mask

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """See `decoding.Batch`."""
        self._filled += 1
        logits: torch.Tensor = self._model(
            input_ids=tokens[:, None],
            attention_mask=None if self._mask is None else self._mask[..., : self._filled],
            position_ids=positions[:, None],
            past_key_values=self._cache,
            use_cache=True,
        ).logits
        return logits[:, -1]

    def keep(self, kept: torch.Tensor) -> None:
        """See `decoding.Batch`."""
        self._cache.reorder_cache(kept)
        if self._mask is not None:
            self._mask = self._mask[kept]


def takes_expanded_mask(model: Any, cache: DynamicCache) -> bool:
    """Whether a mask (R, 1, 1, L) to add to the scores may be given where the model would make it anew at each token.

    So it is in models that leave masks to `transformers.masking_utils`, while every layer sees all places.
    """
    return (
        bool(model._supports_attention_backend)
        and model.config.get_text_config()._attn_implementation in ("sdpa", "eager")
        and all(type(layer) is RoomyLayer for layer in cache.layers)
    )


def padding_mask(lengths: torch.Tensor, longest: int, behind: int = 0) -> torch.Tensor:
    """(R, longest + behind) int64: 0 in front of a row's own tokens, 1 from there on."""
    places = torch.arange(longest + behind)
    return (places >= (longest - lengths)[:, None]).long()


def _expanded(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    least = torch.finfo(dtype).min
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask == 0, least)[:, None, None]
