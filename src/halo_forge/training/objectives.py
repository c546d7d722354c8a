"""Losses on learnt tokens: pure functions of log-probabilities, summed; the trainer divides by the tokens of the batch.

All tensors are (N,) float32, one element a learnt token. Which completions come in, and with what advantage, is decided
before training (`raft/objective.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch


class LearntTokens(NamedTuple):
    """The learnt tokens of some rows.

    Args:
        logprobs: log-probability of each token now; the only one with a gradient.
        weights: advantage, or plain weight, of each token's row.
        old: log-probability when it was drawn; anything where `drawn` is False.
        drawn: bool, whether a policy drew the token; others are learnt by likelihood under every objective.
        reference: log-probability under the start model, None if nothing asks for it.
    """

    logprobs: torch.Tensor
    weights: torch.Tensor
    old: torch.Tensor
    drawn: torch.Tensor
    reference: torch.Tensor | None = None


def raft(tokens: LearntTokens, clip_range: float) -> torch.Tensor:
    """Likelihood of what was kept: -Σ w log p (RAFT, Dong et al. 2023, arXiv 2304.06767). SFT is this with w = 1."""
    return -(tokens.weights * tokens.logprobs).sum()


def raft_plus_plus(tokens: LearntTokens, clip_range: float) -> torch.Tensor:
    """RAFT with importance ratios and clipping, on kept completions alone: A = 1 (arXiv 2504.11343, section 3)."""
    return _clipped(tokens, clip_range)


def reinforce_rej(tokens: LearntTokens, clip_range: float) -> torch.Tensor:
    """Policy gradient with A = ±1, prompts all right or all wrong left out (Reinforce-Rej, arXiv 2504.11343)."""
    return _clipped(tokens, clip_range)


def grpo(tokens: LearntTokens, clip_range: float) -> torch.Tensor:
    """Policy gradient with A = reward against the prompt's mean (GRPO, arXiv 2402.03300).

    We normalise by the tokens of the batch and not by each completion's length, which would favour long wrong answers
    (Dr. GRPO, arXiv 2503.20783).
    """
    return _clipped(tokens, clip_range)


OBJECTIVES: Mapping[str, Callable[[LearntTokens, float], torch.Tensor]] = {
    "raft": raft,
    "raft++": raft_plus_plus,
    "reinforce-rej": reinforce_rej,
    "grpo": grpo,
}


def divergence(tokens: LearntTokens) -> torch.Tensor:
    """Σ of the k3 estimate of KL(policy ‖ start) on drawn tokens: e^d - d - 1 with d = log p_start - log p.

    Unbiased on tokens the policy drew, never negative, of low variance (Schulman, "Approximating KL Divergence", 2020).
    """
    assert tokens.reference is not None
    gap = tokens.reference - tokens.logprobs
    return torch.where(tokens.drawn, gap.exp() - gap - 1, 0.0).sum()


def _clipped(tokens: LearntTokens, clip_range: float) -> torch.Tensor:
    """-Σ min(r A, clip(r, 1 - ε, 1 + ε) A) with r = p / p_old (PPO, Schulman et al. 2017, arXiv 1707.06347)."""
    ratio = torch.where(tokens.drawn, tokens.logprobs - tokens.old, 0.0).exp()
    held = ratio.clamp(1 - clip_range, 1 + clip_range)
    surrogate = torch.minimum(ratio * tokens.weights, held * tokens.weights)
    return -torch.where(tokens.drawn, surrogate, tokens.weights * tokens.logprobs).sum()
