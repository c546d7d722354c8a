"""Sampling with a transformers model that hears or sees.

The loop, the sampler and the seeds are those of text. What is different is how a prompt is read: audio and images are
decoded when their chunk comes, and an encoder hears a prompt once for all of its samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from halo_forge.core.types import MediaPart, Prompt, Sampling, media_of
from halo_forge.generation.decoding import Drawn, decode
from halo_forge.generation.heard_prompts import HeardPrompts
from halo_forge.generation.transformers import TransformersGenerator

ENCODED_AT_ONCE = 8


class MediaGenerator(TransformersGenerator):
    """Draws completions from a policy in memory; see `core.protocols.Generator`."""

    def _draw(
        self,
        model: Any,
        prompts: Sequence[Prompt],
        encoded: list[list[int]],
        rooms: list[int],
        sampling: Sampling,
        seed: int,
    ) -> Drawn:
        """See `TransformersGenerator`."""
        media = [media_of(prompt.messages) for prompt in prompts]
        batch = HeardPrompts(self._inner, self._encode(media, encoded), torch.tensor(encoded), sampling.n)
        lengths = torch.tensor([len(ids) for ids in encoded])
        positions, room = (each.repeat_interleave(sampling.n) for each in (lengths, torch.tensor(rooms)))
        return decode(batch, positions, room, self._policy.chat.stop_ids, self._policy.context_length, sampling, seed)

    def _encode(self, media: Sequence[Sequence[MediaPart]], encoded: list[list[int]]) -> torch.Tensor:
        """What the encoder makes of the prompts (P, S, D), a few at a time."""
        encoder = self._inner.get_encoder()
        parts = []
        for start in range(0, len(media), ENCODED_AT_ONCE):
            some = slice(start, start + ENCODED_AT_ONCE)
            tensors = self._policy.media_tensors(media[some], torch.tensor(encoded[some]))
            heard = encoder(**{name: tensor.to(self._policy.device) for name, tensor in tensors.items()})
            parts.append(heard.last_hidden_state)
        return torch.cat(parts)
