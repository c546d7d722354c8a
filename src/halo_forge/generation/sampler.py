"""Drawing the next token: temperature, then top-k, then top-p (Holtzman et al. 2020), then the draw."""

from __future__ import annotations

import torch

from halo_forge.core.types import Sampling

BLOCK_STEPS = 64


def draw(logits: torch.Tensor, sampling: Sampling, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token a row.

    The token is where the cumulative distribution passes the row's uniform number: one random number a row instead of
    one a word of the vocabulary. Sums are float64, so that rare words keep their chance.

    Args:
        logits: (R, V), any float type.
        uniforms: (R,) in [0, 1); not read at temperature 0.

    Returns:
        Tokens (R,) int64 and their log-probabilities (R,) float32 under the distribution drawn from.
    """
    if sampling.temperature == 0:
        tokens = logits.argmax(dim=-1, keepdim=True)
        return tokens[:, 0], log_distribution(logits, sampling).gather(1, tokens)[:, 0]
    chances = _narrowed(logits, sampling).softmax(dim=-1)
    # MPS has no float64.
    sums = chances.cumsum(dim=-1, dtype=torch.float32 if logits.device.type == "mps" else torch.float64)
    total = sums[:, -1:]
    # Below the total even after rounding: the place found is then never a word of chance 0.
    places = torch.minimum(uniforms[:, None].to(sums.dtype) * total, torch.nextafter(total, torch.zeros_like(total)))
    # Where the logits are not numbers no place is found; the log-probability then says so.
    tokens = torch.searchsorted(sums, places, right=True).clamp(max=logits.shape[-1] - 1)
    return tokens[:, 0], chances.gather(1, tokens)[:, 0].log()


def log_distribution(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The distribution that tokens are drawn from; at temperature 0 it is the model's own.

    Args:
        logits: (R, V), any float type.

    Returns:
        Log-probabilities (R, V) float32.
    """
    if sampling.temperature == 0:
        return logits.float().log_softmax(dim=-1)
    return _narrowed(logits, sampling).log_softmax(dim=-1)


def _narrowed(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Logits after temperature, top-k and top-p, float32, -inf where nothing may be drawn."""
    logits = logits.float()
    if sampling.temperature != 1:
        logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    return _nucleus(logits, sampling.top_p) if sampling.top_p < 1 else logits


def _nucleus(logits: torch.Tensor, mass: float) -> torch.Tensor:
    """Keep the likeliest words up to the one that reaches the mass."""
    ordered, order = logits.sort(dim=-1, descending=True)
    chances = ordered.softmax(dim=-1)
    beyond = chances.cumsum(dim=-1) - chances >= mass
    return logits.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), float("-inf"))


class Uniforms:
    """Random numbers of a chunk: row i at step t has the same one whichever other rows are still in the batch.

    They are made on the CPU, so that a seed gives the same numbers on every device.

    Args:
        rows: of the whole chunk.
    """

    def __init__(self, rows: int, seed: int, device: torch.device) -> None:
        self._rows = rows
        self._device = device
        self._random = torch.Generator().manual_seed(seed)
        self._block = torch.empty(0)
        self._step = BLOCK_STEPS

    def next(self, rows: torch.Tensor) -> torch.Tensor:
        """The numbers of the next step, in [0, 1), for the rows (R,) int64 still in the batch."""
        if self._step == BLOCK_STEPS:
            dtype = torch.float32 if self._device.type == "mps" else torch.float64
            block = torch.rand(BLOCK_STEPS, self._rows, dtype=torch.float64, generator=self._random)
            # Rounded to float32 the largest of them would be 1.
            self._block = block.to(dtype).clamp(max=1 - torch.finfo(dtype).eps).to(self._device)
            self._step = 0
        self._step += 1
        return self._block[self._step - 1][rows]
