from __future__ import annotations

import pytest
import torch

from halo_forge.core.types import Sampling
from halo_forge.generation.sampler import BLOCK_STEPS, Uniforms, draw

CHANCES = torch.tensor([0.42, 0.22, 0.15, 0.1, 0.06, 0.04, 0.008, 0.002])
DRAWS = 60_000
# The upper 0.1% points of chi-square for 1 to 7 degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.4).
CHI_SQUARE = [10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322]


def expected_chances(sampling: Sampling) -> torch.Tensor:
    """The distribution asked for, worked out word by word in order of likelihood."""
    chances = CHANCES.double() ** (1 / sampling.temperature)
    chances /= chances.sum()
    if sampling.top_k:
        chances[sampling.top_k :] = 0
        chances /= chances.sum()
    before = 0.0
    for word, chance in enumerate(chances.tolist()):
        if before >= sampling.top_p:
            chances[word] = 0
        before += chance
    return chances / chances.sum()


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1),
        Sampling(temperature=0.5),
        Sampling(temperature=2),
        Sampling(temperature=1, top_k=3),
        Sampling(temperature=1, top_p=0.7),
        Sampling(temperature=1.4, top_k=5, top_p=0.8),
    ],
    ids=str,
)
def test_draws_follow_the_distribution_asked_for(sampling: Sampling) -> None:
    shuffle = torch.randperm(8, generator=torch.Generator().manual_seed(3))  # words are not in order of likelihood
    uniforms = torch.rand(DRAWS, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tokens, logprobs = draw(CHANCES.log()[shuffle].expand(DRAWS, 8), sampling, uniforms)
    expected = expected_chances(sampling)[shuffle]
    counts = tokens.bincount(minlength=8)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    statistic = ((counts - expected * DRAWS)[possible] ** 2 / (expected * DRAWS)[possible]).sum()
    assert float(statistic) < CHI_SQUARE[int(possible.sum()) - 2]
    torch.testing.assert_close(logprobs.double(), expected.log()[tokens], rtol=1e-5, atol=1e-6)


def test_an_impossible_word_is_not_drawn_at_either_end_of_the_unit_interval() -> None:
    logits = torch.tensor([[float("-inf"), 0.0, 0.0, float("-inf")]]).expand(2, 4)
    tokens, logprobs = draw(logits, Sampling(temperature=1), torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64))
    assert tokens.tolist() == [1, 2]
    torch.testing.assert_close(logprobs.exp(), torch.tensor([0.5, 0.5]))


def test_a_word_rarer_than_float32_resolves_keeps_its_chance() -> None:
    logits = torch.tensor([[0.0, -20.0]])  # 2e-9
    rare = 1 - 1e-9
    tokens, _ = draw(logits, Sampling(temperature=1), torch.tensor([rare], dtype=torch.float64))
    assert tokens.tolist() == [1]


def test_greedy_takes_the_likeliest_and_reports_the_models_own_logprob() -> None:
    tokens, logprobs = draw(CHANCES.log()[None], Sampling(temperature=0, top_k=2), torch.zeros(1))
    assert tokens.tolist() == [0]
    torch.testing.assert_close(logprobs.exp(), CHANCES[:1])


def test_a_rows_random_numbers_do_not_depend_on_the_rows_beside_it() -> None:
    device = torch.device("cpu")
    together, alone = Uniforms(5, 9, device), Uniforms(5, 9, device)
    everyone, third = torch.arange(5), torch.tensor([3])
    for _ in range(BLOCK_STEPS + 2):
        numbers = together.next(everyone)
        assert bool(((numbers >= 0) & (numbers < 1)).all())
        assert numbers[3] == alone.next(third)[0]
    assert not torch.equal(Uniforms(5, 9, device).next(everyone), Uniforms(5, 10, device).next(everyone))
