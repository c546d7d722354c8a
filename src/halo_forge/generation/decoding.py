"""The loop that draws token after token for the rows of a chunk."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

import torch

from halo_forge.core.types import Sampling
from halo_forge.generation.sampler import Uniforms, draw

RETIRE_SHARE = 0.1


class Batch(Protocol):
    """Rows that decode together: each prompt's samples side by side."""

    logits: torch.Tensor
    """(R, V) after the prompts."""

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Read a token (R,) at its position (R,) in each row; return the logits (R, V) of the next."""

    def keep(self, kept: torch.Tensor) -> None:
        """Go on with the rows (R,) int64 alone, which are in order."""


class Drawn(NamedTuple):
    """What a chunk's rows drew.

    Args:
        tokens: (R, T) int64; what lies behind a row's length means nothing.
        logprobs: (R, T) float32.
        lengths: (R,) int64, tokens of each row.
        stopped: (R,) bool, whether the last of them is a stop token.
    """

    tokens: torch.Tensor
    logprobs: torch.Tensor
    lengths: torch.Tensor
    stopped: torch.Tensor


class _Step(NamedTuple):
    """What one step drew: (R,) each, R the rows still in the batch then."""

    rows: torch.Tensor
    tokens: torch.Tensor
    logprobs: torch.Tensor


def decode(
    batch: Batch,
    positions: torch.Tensor,
    room: torch.Tensor,
    stop_ids: Collection[int],
    context: int | None,
    sampling: Sampling,
    seed: int,
) -> Drawn:
    """Draw until every row has a stop token or is full; rows that have leave the batch, a tenth of it at a time.

    Args:
        positions: (R,) int64, where each row's first new token stands.
        room: (R,) int64, most new tokens of each row.
        context: positions the model has, if that is known.
    """
    device = batch.logits.device
    positions, room = positions.to(device), room.to(device)
    stops = torch.zeros(batch.logits.shape[-1], dtype=torch.bool, device=device)
    stops[[stop for stop in stop_ids if stop < len(stops)]] = True
    most, ends = int(room.max()), set(room.tolist())
    # A row at the end of its context waits there to be retired.
    waiting = context is not None and int(positions.max()) + most > context
    rows, logits = torch.arange(len(room), device=device), batch.logits
    ended = torch.zeros(len(room), dtype=torch.bool, device=device)
    uniforms = Uniforms(len(room), seed, device)
    steps: list[_Step] = []
    while True:
        tokens, logprobs = draw(logits, sampling, uniforms.next(rows))
        steps.append(_Step(rows, tokens, logprobs))
        ended = ended | stops[tokens]
        if len(steps) in ends:
            ended = ended | (room[rows] == len(steps))
        going = len(rows) - int(ended.sum())
        if going == 0:
            return _gather(steps, stops, room)
        if going <= (1 - RETIRE_SHARE) * len(rows):
            kept = (~ended).nonzero()[:, 0]
            batch.keep(kept)
            rows, positions, tokens, ended = (t[kept] for t in (rows, positions, tokens, ended))
        logits = batch.step(tokens, positions.clamp(max=context - 1) if context is not None and waiting else positions)
        positions = positions + 1


def _gather(steps: list[_Step], stops: torch.Tensor, room: torch.Tensor) -> Drawn:
    """Put the steps side by side and find where each row ends."""
    rows, drawn, chances = (torch.cat(parts) for parts in zip(*steps, strict=True))
    counts = torch.tensor([len(step.rows) for step in steps], device=room.device)
    columns = torch.arange(len(steps), device=room.device).repeat_interleave(counts)
    tokens = torch.zeros(len(room), len(steps), dtype=torch.int64, device=room.device)
    logprobs = torch.zeros(tokens.shape, device=room.device)
    tokens[rows, columns], logprobs[rows, columns] = drawn, chances
    # Places that hold no token of the row come after its end, and the first stop is before them.
    within = torch.arange(len(steps), device=room.device) < room[:, None]
    stopping = stops[tokens] & within
    stopped = stopping.any(dim=1)
    return Drawn(tokens, logprobs, torch.where(stopped, stopping.int().argmax(dim=1) + 1, room), stopped)
