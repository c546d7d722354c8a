"""Vectors of our own after the rules of appendix C of Radford et al. 2022; the code that is asked is the field's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.speech.normal_form import dropped_words, normal_form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("CHAPTER SIXTEEN", "chapter 16"),
        ("Chapter 16.", "chapter 16"),
        ("Mr. Quilter won't say", "mister quilter will not say"),
        ("He's gone, they've done it", "he has gone they have done it"),
        ("uh, I am um here", "i am here"),
        ("[laughter] yes (coughs) indeed", "yes indeed"),
        ("the colour of the theatre", "the color of the theater"),
        ("twenty five thousand dollars", "$25000"),
        ("$20 million", "$20000000"),
        ("one oh one", "101"),
        ("two and a half", "2.5"),
        ("nineteen ninety nine", "1999"),
        ("1,960,000", "1960000"),
        ("three percent", "3%"),
        ("naïve café", "naive cafe"),
        ("  a\tlot\nof   space ", "a lot of space"),
        ("the one", "the one"),
        ("", ""),
        ("?!", ""),
    ],
)
def test_forms(text: str, form: str) -> None:
    assert normal_form(text) == form


@pytest.mark.parametrize(
    "text", ["1/0", "nine " * 3000, "1" * 19_000, "[" * 30_000, "£" * 500, "one half " * 50, "\ud800"]
)
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(normal_form(text), str)


@given(st.text(alphabet="019.,$%£/ oneh'[](<>", max_size=40))
def test_nothing_near_a_number_breaks_it(text: str) -> None:
    assert isinstance(normal_form(text), str)


@pytest.mark.parametrize(
    ("text", "count"),
    [("plain words", 0), ("um so uh", 2), ("yes (no no) [not so]", 4), ("<b>bold</b>", 2), ("hum the hummus", 0)],
)
def test_words_that_are_dropped_are_counted(text: str, count: int) -> None:
    assert dropped_words(text) == count
