from __future__ import annotations

import random

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.speech.distance import edit_distance

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "it", "was", "not", "at", "all", "happy", "to", "be", "there"]


def pairs(count: int) -> list[tuple[list[str], list[str]]]:
    """Sentences and what somebody may have heard: words swapped for others, left out, put in."""
    rng = random.Random(7)
    made = []
    for _ in range(count):
        said = rng.choices(WORDS, k=rng.randint(1, 40))
        heard = []
        for word in said:
            kind = rng.random()
            if kind < 0.7:
                heard.append(word)
            elif kind < 0.85:
                heard.append(rng.choice(WORDS))
            if rng.random() < 0.15:
                heard.append(rng.choice(WORDS))
        made.append((said, heard))
    return made


def test_a_thousand_pairs_have_jiwers_word_and_character_error_rates() -> None:
    edits = characters = words = length = 0
    drawn = pairs(1000)
    for said, heard in drawn:
        reference, hypothesis = " ".join(said), " ".join(heard)
        own, own_characters = edit_distance(said, heard), edit_distance(reference, hypothesis)
        assert own / len(said) == pytest.approx(jiwer.wer(reference, hypothesis))
        assert own_characters / len(reference) == pytest.approx(jiwer.cer(reference, hypothesis))
        edits, words = edits + own, words + len(said)
        characters, length = characters + own_characters, length + len(reference)
    references, hypotheses = ([" ".join(pair[side]) for pair in drawn] for side in (0, 1))
    assert edits / words == pytest.approx(jiwer.wer(references, hypotheses))
    assert characters / length == pytest.approx(jiwer.cer(references, hypotheses))


def by_definition(one: str, other: str) -> int:
    table = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, table[0] = table[0], i
        for j, b in enumerate(other, 1):
            before, table[j] = table[j], min(table[j] + 1, table[j - 1] + 1, before + (a != b))
    return table[-1]


@given(st.text(alphabet="abc ", max_size=20), st.text(alphabet="abc ", max_size=20))
def test_it_is_the_distance_of_the_definition(one: str, other: str) -> None:
    assert edit_distance(one, other) == by_definition(one, other) == edit_distance(other, one)
