"""Hashes of words and n-grams stand for the words themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from halo_forge.data.curate.grams import hash_grams, hash_words, words_of

TEXTS = st.lists(st.text(alphabet="abA0_ .,(\n日本é—", max_size=12), max_size=6)


@given(TEXTS)
def test_equal_words_have_equal_hashes_wherever_they_stand(texts: list[str]) -> None:
    words = hash_words(texts)
    spelt = [words_of(text) for text in texts]
    assert [int(n) for n in words.starts[1:] - words.starts[:-1]] == [len(found) for found in spelt]
    known = dict(zip([word for found in spelt for word in found], words.hashes.tolist(), strict=True))
    assert [known[word] for found in spelt for word in found] == words.hashes.tolist()
    assert len(set(known.values())) == len(known)


@given(TEXTS, st.integers(1, 4), st.booleans())
def test_grams_are_the_runs_of_words_of_one_text(texts: list[str], n: int, short: bool) -> None:
    grams = hash_grams(hash_words(texts), n, short=short)
    expected = []
    for text in texts:
        words = words_of(text)
        runs = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        expected.append(runs or ([tuple(words)] if short and words else []))
    assert [int(count) for count in grams.starts[1:] - grams.starts[:-1]] == [len(runs) for runs in expected]
    known = dict(zip([run for runs in expected for run in runs], grams.hashes.tolist(), strict=True))
    assert [known[run] for runs in expected for run in runs] == grams.hashes.tolist()
    assert len(set(known.values())) == len(known)


@given(st.lists(st.text(alphabet="ab7", min_size=1, max_size=40) | st.integers(200, 300).map("x".__mul__), max_size=8))
def test_long_words_are_told_apart_and_found_again(words: list[str]) -> None:
    hashes = hash_words([" ".join(words), *words]).hashes.tolist()
    assert hashes[: len(words)] == hashes[len(words) :]
    assert len(set(hashes)) == len(set(words))


def test_a_word_has_the_same_hash_on_every_machine() -> None:
    words = ["a", "word", "of_eight", "of_nine_9", "x" * 300, "größe"]
    assert [f"{number:016x}" for number in hash_words([" ".join(words)]).hashes.tolist()] == [
        "aeff7d4b5b72ec99",
        "576c6caa78dfe123",
        "0fcf5851de5c973c",
        "c466b07438630bcd",
        "2b7a29d215c677e8",
        "546b5979d483ec98",
    ]


def test_scripts_without_spaces_are_words_by_the_character() -> None:
    assert words_of("Sum的和は x_1.") == ["sum", "的", "和", "は", "x_1"]
