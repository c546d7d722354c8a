"""Sampling with a transformers model in this process.

A prompt is read once for all of its samples; finished rows leave the batch; an adapter is folded into the weights
meanwhile. All of it makes the same distribution as `generate(num_return_sequences=n)` with
less work. Nothing of the model's own generation_config is read but the tokens that end a turn (`models.load`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import DynamicCache

from halo_forge.core.errors import DataError, ModelError
from halo_forge.core.types import Completion, Prompt, Sampling
from halo_forge.generation.copied_prompts import CopiedPrompts, padding_mask
from halo_forge.generation.decoding import Batch, Drawn, decode
from halo_forge.generation.key_values import Prefilled, shareable
from halo_forge.generation.merged import merged
from halo_forge.generation.shared_prompts import share_prompts
from halo_forge.models.load import Policy

PADDING_SHARE = 0.25
PREFILL_PLACES = 32_768


class TransformersGenerator:
    """Draws completions from a policy in memory; see `core.protocols.Generator`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
        """Answer one chunk; see the protocol.

        Raises:
            DataError: a prompt leaves no room for an answer in the model's context.
            ModelError: the model's logits are not numbers.
        """
        self._policy.model.eval()
        encoded = [self._policy.chat.prompt_ids(prompt.messages, prompt.tools) for prompt in prompts]
        rooms = [self._room(prompt, len(ids), sampling) for prompt, ids in zip(prompts, encoded, strict=True)]
        with merged(self._policy) as model:
            drawn = self._draw(model, prompts, encoded, rooms, sampling, seed)
        return self._completions(prompts, drawn, sampling.n, seed)

    def _draw(
        self,
        model: Any,
        prompts: Sequence[Prompt],
        encoded: list[list[int]],
        rooms: list[int],
        sampling: Sampling,
        seed: int,
    ) -> Drawn:
        """Draw the rows of a chunk.

        Args:
            model: what to call, see `merged`.
            encoded: ids of each prompt.
            rooms: most new tokens of each prompt's answers.
        """
        parts = list(self._prefill(model, encoded))
        return self._decode(model, parts, encoded, rooms, sampling, seed)

    @property
    def _inner(self) -> Any:
        return self._policy.inner

    def _room(self, prompt: Prompt, length: int, sampling: Sampling) -> int:
        """New tokens that fit behind a prompt, at most those asked for."""
        context = self._policy.context_length
        if context is None:
            return sampling.max_new_tokens
        if length >= context:
            raise DataError(
                f"prompt '{prompt.id}' has {length} tokens and the model's context is {context}: "
                "leave it out or shorten it"
            )
        return min(sampling.max_new_tokens, context - length)

    def _prefill(self, model: Any, encoded: list[list[int]]) -> Iterator[Prefilled]:
        """Read the prompts, those of like length together."""
        for part in read_together(model, encoded):
            yield self._read(model, part, [encoded[prompt] for prompt in part])

    def _read(self, model: Any, prompts: list[int], encoded: list[list[int]]) -> Prefilled:
        lengths = torch.tensor([len(ids) for ids in encoded])
        longest, pad = int(lengths.max()), self._policy.chat.pad_id
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in encoded])
        mask = padding_mask(lengths, longest)
        cache = DynamicCache(config=model.config)
        keep = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(self._inner.forward).parameters else {}
        device = self._policy.device
        logits = model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0).to(device),
            past_key_values=cache,
            use_cache=True,
            **keep,
        ).logits[:, -1]
        return Prefilled(prompts, cache, logits)

    def _decode(
        self,
        model: Any,
        parts: list[Prefilled],
        encoded: list[list[int]],
        rooms: list[int],
        sampling: Sampling,
        seed: int,
    ) -> Drawn:
        lengths = torch.tensor([len(ids) for ids in encoded])
        context, most = self._policy.context_length, max(rooms)
        places = int(lengths.max()) + most
        places = places if context is None else min(places, context)
        batch: Batch | None = share_prompts(model, parts, lengths, sampling.n, places)
        batch = batch or CopiedPrompts(model, self._inner, parts, lengths, sampling.n, most)
        room = torch.tensor(rooms).repeat_interleave(sampling.n)
        positions = lengths.repeat_interleave(sampling.n)
        return decode(batch, positions, room, self._policy.chat.stop_ids, context, sampling, seed)

    def _completions(self, prompts: Sequence[Prompt], drawn: Drawn, n: int, seed: int) -> list[Completion]:
        if not bool(drawn.logprobs.isfinite().all()):
            raise ModelError("the model's logits are not numbers: its weights are broken, or its type is too narrow")
        lengths, stopped = drawn.lengths.tolist(), drawn.stopped.tolist()
        tokens, logprobs = drawn.tokens.tolist(), drawn.logprobs.tolist()
        chat = self._policy.chat
        return [
            Completion(
                prompt_id=prompts[row // n].id,
                index=row % n,
                text=chat.decode(tokens[row][:length]),
                token_ids=tuple(tokens[row][:length]),
                logprobs=tuple(logprobs[row][:length]),
                finish_reason="stop" if stopped[row] else "length",
                seed=seed,
            )
            for row, length in enumerate(lengths)
        ]


def read_together(model: Any, encoded: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of the prompts that are read at once: like lengths, or all where their caches cannot be joined later."""
    if not shareable(DynamicCache(config=model.config)):
        return [list(range(len(encoded)))]
    return group_by_length([len(ids) for ids in encoded])


def group_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Cut prompts into groups that are read together.

    Args:
        lengths: tokens of each prompt.

    Returns:
        Indices of the prompts of each group, shortest first: at most a quarter of a group's longest prompt is padding
        anywhere in it, and it has at most 32,768 places, or one prompt.
    """
    groups: list[list[int]] = []
    for prompt in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        longest = lengths[prompt]
        if groups:
            shortest, size = lengths[groups[-1][0]], len(groups[-1]) + 1
            if shortest >= (1 - PADDING_SHARE) * longest and size * longest <= PREFILL_PLACES:
                groups[-1].append(prompt)
                continue
        groups.append([prompt])
    return groups
