"""Sampling with a transformers model that sees: one that reads images among the tokens of its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from halo_forge.core.types import MediaPart, Prompt, Sampling, media_of
from halo_forge.generation.copied_prompts import CopiedPrompts, padding_mask
from halo_forge.generation.decoding import Drawn, decode
from halo_forge.generation.key_values import Prefilled
from halo_forge.generation.transformers import TransformersGenerator, read_together


class SeeingGenerator(TransformersGenerator):
    """Draws completions from a policy in memory; see `core.protocols.Generator`.

    The loop, the sampler and the seeds are those of text. Images are decoded when their chunk comes, and a prompt is
    read once for all of its samples. The tokens of an image stand side by side in two dimensions, so a text behind one
    goes on at a lower position than its place in the row; how much lower is found when the prompt is read.
    """

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
        lengths = torch.tensor([len(ids) for ids in encoded])
        starts = lengths.clone()
        parts = []
        for group in read_together(model, encoded):
            part, shift = self._see(model, group, [encoded[i] for i in group], [media[i] for i in group])
            starts[group] += shift
            parts.append(part)
        batch = CopiedPrompts(model, self._inner, parts, lengths, sampling.n, max(rooms))
        positions, room = (each.repeat_interleave(sampling.n) for each in (starts, torch.tensor(rooms)))
        return decode(batch, positions, room, self._policy.chat.stop_ids, self._policy.context_length, sampling, seed)

    def _see(
        self, model: Any, prompts: list[int], encoded: list[list[int]], media: Sequence[Sequence[MediaPart]]
    ) -> tuple[Prefilled, torch.Tensor]:
        """Read prompts together.

        Returns:
            What was read, and (B,) int64 what is to be added to each prompt's length for the position behind it.
        """
        lengths = torch.tensor([len(ids) for ids in encoded])
        longest, pad = int(lengths.max()), self._policy.chat.pad_id
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in encoded])
        mask, device = padding_mask(lengths, longest), self._policy.device
        inputs = self._policy.media_tensors(media, ids)
        if not inputs:
            inputs = {"position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)}
        cache = DynamicCache(config=model.config)
        logits = model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **{name: tensor.to(device) for name, tensor in inputs.items()},
        ).logits[:, -1]
        shift = torch.zeros(len(ids), dtype=torch.int64)
        if "pixel_values" in inputs:
            shift = self._inner.model.rope_deltas[:, 0].cpu()
        return Prefilled(prompts, cache, logits), shift
