from __future__ import annotations

from math import exp

import pytest
import torch

from halo_forge.training.objectives import OBJECTIVES, LearntTokens, divergence

CLIP = 0.2
RATIO_OBJECTIVES = [name for name in OBJECTIVES if name != "raft"]


def tokens(
    logprobs: list[float], weights: list[float], old: list[float], drawn: list[bool] | None = None
) -> LearntTokens:
    return LearntTokens(
        torch.tensor(logprobs, dtype=torch.float64, requires_grad=True),
        torch.tensor(weights, dtype=torch.float64),
        torch.tensor(old, dtype=torch.float64),
        torch.tensor(drawn or [True] * len(logprobs)),
    )


def value(name: str, given: LearntTokens) -> float:
    return float(OBJECTIVES[name](given, CLIP).detach())


def gradient(name: str, given: LearntTokens) -> list[float]:
    OBJECTIVES[name](given, CLIP).backward()
    assert given.logprobs.grad is not None
    return given.logprobs.grad.tolist()


def test_raft_is_the_weighted_likelihood() -> None:
    given = tokens([-1.0, -2.0], [1.0, 0.5], [-9.0, -9.0])
    assert value("raft", given) == pytest.approx(2.0)
    assert gradient("raft", given) == [-1.0, -0.5]


@pytest.mark.parametrize("name", RATIO_OBJECTIVES)
def test_ratios_are_clipped_on_the_side_that_would_go_on(name: str) -> None:
    #         ratio:  e^.1    e^.5    e^-.5   e^.5     e^-.5
    now, old = [-0.9, -0.5, -1.5, -0.5, -1.5], [-1.0] * 5
    weights = [1.0, 1.0, 1.0, -2.0, -2.0]
    given = tokens(now, weights, old)
    by_hand = -(exp(0.1) + 1.2 + exp(-0.5) - 2 * exp(0.5) - 2 * 0.8)
    assert value(name, given) == pytest.approx(by_hand)
    assert gradient(name, given) == pytest.approx([-exp(0.1), 0.0, -exp(-0.5), 2 * exp(0.5), 0.0])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    given = tokens([-0.9, -0.45, -1.6, -0.5, -2.2], [1.0, 0.7, -0.3, -2.0, 1.0], [-1.0] * 5, [True] * 4 + [False])
    assert torch.autograd.gradcheck(lambda lp: OBJECTIVES[name](given._replace(logprobs=lp), CLIP), given.logprobs)
    reference = torch.tensor([-1.2, -0.4, -1.0, -3.0, -1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda lp: divergence(given._replace(logprobs=lp, reference=reference)), given.logprobs
    )


@pytest.mark.parametrize("name", RATIO_OBJECTIVES)
def test_at_ratio_one_the_gradient_is_rafts_weighted_by_advantage(name: str) -> None:
    now, weights = [-0.3, -2.0, -1.1], [1.0, -0.5, 0.25]
    assert gradient(name, tokens(now, weights, now)) == pytest.approx(gradient("raft", tokens(now, weights, now)))


@pytest.mark.parametrize("name", RATIO_OBJECTIVES)
def test_tokens_no_policy_drew_are_learnt_by_likelihood(name: str) -> None:
    given = tokens([-3.0], [1.0], [0.0], [False])
    assert value(name, given) == pytest.approx(3.0)
    assert gradient(name, given) == [-1.0]


def test_the_divergence_is_nothing_at_the_start_and_unbiased() -> None:
    generator = torch.Generator().manual_seed(0)
    policy = torch.randn(6, generator=generator).log_softmax(0).double()
    start = torch.randn(6, generator=generator).log_softmax(0).double()
    true = float((policy.exp() * (policy - start)).sum())
    one = torch.ones(6, dtype=torch.float64)
    given = LearntTokens(policy, one, policy, one.bool(), start)
    each = [float(divergence(LearntTokens(*(part[i : i + 1] for part in given)))) for i in range(6)]  # type: ignore[index]
    assert sum(p * value for p, value in zip(policy.exp().tolist(), each, strict=True)) == pytest.approx(true)
    assert min(each) >= 0
    assert float(divergence(given._replace(reference=policy))) == 0
    assert float(divergence(given._replace(drawn=~one.bool()))) == 0
