"""A batch of an encoder and a decoder: each prompt is heard once, and what was heard is shared out to its samples."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from halo_forge.generation.key_values import Prefilled, share_out


class HeardPrompts:
    """See `decoding.Batch`.

    Args:
        model: an encoder-decoder of `transformers`.
        heard: (P, S, D), the encoder's output for each prompt.
        ids: (P, T) int64, what the decoder's rows begin with, of one length for all.
        samples: rows of each prompt.
    """

    def __init__(self, model: Any, heard: torch.Tensor, ids: torch.Tensor, samples: int) -> None:
        self._model = model
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        logits = model(
            encoder_outputs=BaseModelOutput(last_hidden_state=heard),
            decoder_input_ids=ids.to(heard.device),
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]
        own, self.logits = share_out([Prefilled(list(range(len(ids))), cache.self_attention_cache, logits)], samples)
        # The decoder's keys and values of what was heard do not grow, so they stay as `transformers` made them.
        cache.cross_attention_cache.batch_repeat_interleave(samples)
        self._cache = EncoderDecoderCache(own, cache.cross_attention_cache)
        # What was heard is in the cache; the model only asks that there be something.
        self._heard = BaseModelOutput(last_hidden_state=heard[:1, :1])

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """See `decoding.Batch`."""
        logits: torch.Tensor = self._model(
            encoder_outputs=self._heard,
            decoder_input_ids=tokens[:, None],
            decoder_position_ids=positions[:, None],
            past_key_values=self._cache,
            use_cache=True,
        ).logits
        return logits[:, -1]

    def keep(self, kept: torch.Tensor) -> None:
        """See `decoding.Batch`."""
        self._cache.reorder_cache(kept)
