"""Sampling with a transformers model in this process.

A prompt is read once and its key-value cache then shared out to its samples; finished rows leave the batch. Both make
the same distribution as `generate(num_return_sequences=n)` with less work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import DynamicCache

from halo_forge.core.errors import DataError
from halo_forge.core.types import Completion, Prompt, Sampling
from halo_forge.models.load import Policy

RETIRE_SHARE = 0.25


@dataclass
class _Row:
    """One completion in the making.

    Args:
        room: new tokens that fit behind its own prompt, at most those asked for.
    """

    prompt_id: str
    index: int
    room: int
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stopped: bool = False

    @property
    def ended(self) -> bool:
        """Whether it takes no further token."""
        return self.stopped or len(self.token_ids) == self.room


class TransformersGenerator:
    """Draws completions from a policy in memory; see `core.protocols.Generator`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
        """Answer one chunk; see the protocol.

        Raises:
            DataError: a prompt leaves no room for an answer in the model's context.
        """
        self._policy.model.eval()
        encoded = [self._policy.chat.prompt_ids(prompt.messages) for prompt in prompts]
        rows = [
            _Row(prompt.id, index, self._room(prompt, len(ids), sampling))
            for prompt, ids in zip(prompts, encoded, strict=True)
            for index in range(sampling.n)
        ]
        self._decode(rows, encoded, sampling, seed)
        return [
            Completion(
                prompt_id=row.prompt_id,
                index=row.index,
                text=self._policy.chat.decode(row.token_ids),
                token_ids=tuple(row.token_ids),
                logprobs=tuple(row.logprobs),
                finish_reason="stop" if row.stopped else "length",
                seed=seed,
            )
            for row in rows
        ]

    def _room(self, prompt: Prompt, length: int, sampling: Sampling) -> int:
        context = self._policy.context_length
        if context is None:
            return sampling.max_new_tokens
        if length >= context:
            raise DataError(
                f"prompt '{prompt.id}' has {length} tokens and the model's context is {context}: "
                "leave it out or shorten it"
            )
        return min(sampling.max_new_tokens, context - length)

    def _decode(self, rows: list[_Row], encoded: list[list[int]], sampling: Sampling, seed: int) -> None:
        device = self._policy.device
        random = torch.Generator(device=device).manual_seed(seed)
        cache, mask, logits = self._prefill(encoded)
        cache.batch_repeat_interleave(sampling.n)
        mask, logits = (tensor.repeat_interleave(sampling.n, dim=0) for tensor in (mask, logits))
        live = list(rows)
        while True:
            tokens, logprobs = draw(logits, sampling, random)
            for row, token, logprob in zip(live, tokens.tolist(), logprobs.tolist(), strict=True):
                if not row.ended:
                    row.token_ids.append(token)
                    row.logprobs.append(logprob)
                    row.stopped = token in self._policy.chat.stop_ids
            going = [i for i, row in enumerate(live) if not row.ended]
            if not going:
                return
            if len(going) <= (1 - RETIRE_SHARE) * len(live):
                chosen = torch.tensor(going, device=device)
                cache.batch_select_indices(chosen)
                mask, tokens = mask[chosen], tokens[chosen]
                live = [live[i] for i in going]
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
            logits = self._policy.model(
                input_ids=tokens[:, None],
                attention_mask=mask,
                position_ids=mask.sum(dim=1, keepdim=True) - 1,
                past_key_values=cache,
                use_cache=True,
            ).logits[:, -1]

    def _prefill(self, encoded: list[list[int]]) -> tuple[DynamicCache, torch.Tensor, torch.Tensor]:
        """Read the prompts, padded on the left.

        Returns:
            The cache; the mask (B, P) int64, 1 at real tokens; the logits after the last token (B, V).
        """
        longest = max(map(len, encoded))
        pad = self._policy.chat.pad_id
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in encoded], device=self._policy.device)
        mask = torch.tensor(
            [[0] * (longest - len(row)) + [1] * len(row) for row in encoded], device=self._policy.device
        )
        cache = DynamicCache(config=self._policy.model.config)
        logits = self._policy.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return cache, mask, logits


def draw(logits: torch.Tensor, sampling: Sampling, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token a row, at temperature 0 the likeliest.

    Args:
        logits: (R, V), any float type.

    Returns:
        Tokens (R,) int64 and their log-probabilities (R,) float32 under the distribution drawn from.
    """
    logprobs = log_distribution(logits, sampling)
    if sampling.temperature == 0:
        tokens = logits.argmax(dim=-1, keepdim=True)
    else:
        tokens = torch.multinomial(logprobs.exp(), 1, generator=random)
    return tokens[:, 0], logprobs.gather(1, tokens)[:, 0]


def log_distribution(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The distribution that tokens are drawn from: temperature, then top-k, then top-p (Holtzman et al. 2020).

    At temperature 0 it is the model's own.

    Args:
        logits: (R, V), any float type.

    Returns:
        Log-probabilities (R, V) float32.
    """
    logits = logits.float()
    if sampling.temperature == 0:
        return logits.log_softmax(dim=-1)
    logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if sampling.top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        before = ordered.softmax(dim=-1).cumsum(dim=-1) - ordered.softmax(dim=-1)
        dropped = (before >= sampling.top_p).scatter(1, order, before >= sampling.top_p)
        logits = logits.masked_fill(dropped, float("-inf"))
    return logits.log_softmax(dim=-1)
