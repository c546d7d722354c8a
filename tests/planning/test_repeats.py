"""What is new among the answers to a prompt, with as many samples as were drawn, with fewer and with more."""

from __future__ import annotations

from random import Random

import pytest

from halo_forge.planning.repeats import Sample, find_fresh, mean_found


def drawn(prompts: int, samples: int, texts: int, seed: int) -> dict[str, list[Sample]]:
    """Every prompt has so many texts, each as likely; the even ones are right."""
    random = Random(seed)
    picks = {f"p{p}": [random.randrange(texts) for _ in range(samples)] for p in range(prompts)}
    return {prompt: [Sample(text, text % 2 == 0, 0.5) for text in chosen] for prompt, chosen in picks.items()}


def test_a_text_is_new_once_for_each_prompt() -> None:
    first = {"a": [Sample(1, True, 0.1), Sample(1, True, 0.1), Sample(2, False, 0.3)], "b": [Sample(1, True, 0.2)]}
    second = {"a": [Sample(2, False, 0.3)], "b": [Sample(1, True, 0.2)]}
    one, two = find_fresh([first, second], cap=4)
    assert (one.fresh, one.verdict_s, one.kept) == pytest.approx((3 / 4, 0.2, 1.0))
    assert (two.fresh, two.verdict_s, two.kept) == (0.0, None, 0.0)
    assert find_fresh([drawn(10, 50, 8, 0)], cap=2)[0].kept == 2.0


@pytest.mark.parametrize(("had", "wanted"), [(16, 4), (8, 16), (8, 8)])
def test_other_numbers_of_samples_are_foretold(had: int, wanted: int) -> None:
    few = [drawn(300, had, 40, seed) for seed in (1, 2)]
    many = [drawn(300, wanted, 40, seed) for seed in (3, 4)]
    for told, found in zip(mean_found(few, wanted, 4), find_fresh(many, 4), strict=True):
        assert told.fresh == pytest.approx(found.fresh, rel=0.15)
        assert told.kept == pytest.approx(found.kept, rel=0.15)
