"""Whether a server computes what the local model computes: log-probabilities of the same tokens, side by side.

A server with other weights, an older adapter or another precision shows here before a sample of it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Generator
from halo_forge.core.types import Completion, Sampling
from halo_forge.generation.connect import PROBE
from halo_forge.generation.sampler import log_distribution
from halo_forge.generation.server import ServerGenerator
from halo_forge.models.load import Policy

PROBES, PROBE_TOKENS, PROBE_SEED = 8, 24, 0
SHAPED = Sampling(temperature=0.7)  # asked of runs that draw from the model's own distribution only
MOST_IMPOSSIBLE = 0.1  # share of tokens at the edge of top-k or top-p that rounding may put on either side


class Gap(NamedTuple):
    """Mean distance of the server's log-probabilities from the local model's, nats a token.

    Args:
        drawn: from the distribution that is drawn from, after temperature, top-k and top-p.
        raw: from the model's own distribution.
    """

    drawn: float
    raw: float


def confirm(generator: ServerGenerator, policy: Policy, samplings: Sequence[Sampling], most: float) -> str:
    """Compare the server's weights with the local ones, and decide whether its log-probabilities are kept.

    Args:
        samplings: all the ways in which the run draws.
        most: the gap that is allowed, nats a token.

    Returns:
        What was found, for a notice.

    Raises:
        EnvironmentFault: the gap is wider.
    """
    generator.keeps_logprobs = False
    if not generator.speech.ids or not generator.speech.logprobs:
        return f"'{generator.model}' answers; its weights could not be compared with the local model's"
    generator.keeps_logprobs = True
    shaped = [sampling for sampling in samplings if _is_shaped(sampling)]
    gap = measure_gap(generator, policy, shaped[0] if shaped else SHAPED)
    told_as_drawn = gap.drawn <= gap.raw
    if (told_as_drawn or not shaped) and min(gap) <= most:
        return f"'{generator.model}' answers, {min(gap):.2g} nats a token from the local model"
    generator.keeps_logprobs = False
    if min(gap) <= most:
        return (
            f"'{generator.model}' answers, {gap.raw:.2g} nats a token from the local model; but its log-probabilities "
            f"are those before temperature, top-k and top-p, {gap.drawn:.2g} nats from those drawn with, and are not "
            "stored: start vLLM with --logprobs-mode processed_logprobs to have them"
        )
    raise EnvironmentFault(
        f"the server's log-probabilities for '{generator.model}' are {min(gap):.3g} nats a token from "
        f"the local model's, where {most:g} are allowed: it has other weights, or computes in "
        "a much coarser precision. Serve the run's own base model in its own type, or allow more with --max-logprob-gap"
    )


def measure_gap(generator: Generator, policy: Policy, sampling: Sampling) -> Gap:
    """Have a generator answer a fixed prompt as the run draws, and read the same tokens with the local model."""
    asked = sampling.model_copy(update={"n": PROBES, "max_new_tokens": min(PROBE_TOKENS, sampling.max_new_tokens)})
    completions = generator.generate([PROBE], asked, PROBE_SEED)
    theirs = torch.tensor([value for completion in completions for value in completion.logprobs])
    logits = torch.cat([_logits(policy, completion) for completion in completions])
    tokens = torch.tensor([token for completion in completions for token in completion.token_ids])
    return Gap(
        _distance(theirs, logits, tokens, asked),
        _distance(theirs, logits, tokens, Sampling(temperature=0)),
    )


def _is_shaped(sampling: Sampling) -> bool:
    """Whether what is drawn from differs from the model's own distribution, so that the two can be told apart."""
    return sampling.temperature not in (0, 1) or sampling.top_p < 1 or sampling.top_k > 0


def _distance(theirs: torch.Tensor, logits: torch.Tensor, tokens: torch.Tensor, sampling: Sampling) -> float:
    ours = log_distribution(logits, sampling).gather(1, tokens[:, None])[:, 0]
    possible = ours.isfinite()
    if possible.float().mean().item() < 1 - MOST_IMPOSSIBLE:
        return float("inf")
    return (theirs - ours)[possible].abs().mean().item()


@torch.inference_mode()
def _logits(policy: Policy, completion: Completion) -> torch.Tensor:
    """Logits (T, V) float32 on the CPU from which the completion's tokens come."""
    policy.model.eval()
    prompt = policy.chat.prompt_ids(PROBE.messages)
    ids = torch.tensor([[*prompt, *completion.token_ids]], device=policy.device)
    logits: torch.Tensor = policy.model(input_ids=ids, use_cache=False).logits
    return logits[0, len(prompt) - 1 : -1].float().cpu()
