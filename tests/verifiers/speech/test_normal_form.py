"""Vectors of our own after the rules of appendix C of Radford et al. 2022; the code that is asked is the field's."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.verifiers.speech.normal_form import dropped_words, normal_form

FORMS = [
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
    ("I'll go, we're late, let's", "i will go we are late let us"),
    ("she'd gone, it's been", "she had gone it has been"),
    ("can't shan't ain't", "can not sha not aint"),
    ("Dr. Who and Mrs. Hall", "doctor who and missus hall"),
    ("I wanna go, I'm gonna, you gotta", "i want to go i am going to you got to"),
    ("the organisation analysed a grey tyre", "the organization analyzed a gray tire"),
    ("first second third twenty first", "1st 2nd 3rd 21st"),
    ("the nineteen sixties", "the 1960s"),
    ("two hundred and five", "205"),
    ("minus five degrees", "-5 degrees"),
    ("point five", ".5"),
    ("twenty two point seven one", "22.71"),
    ("six pounds fifty", "£6 50"),
    ("five euros and ten cents", "€5.10"),
    ("double oh seven", "007"),
    ("a million and a half", "a 1000000.5"),
    ("mm-hmm, right", "right"),
]


@pytest.mark.parametrize(("text", "form"), FORMS)
def test_forms(text: str, form: str) -> None:
    assert normal_form(text) == form


def test_forms_are_those_of_transformers_own_port() -> None:
    """Another port of OpenAI's code, given the same list of spellings."""
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    spellings = json.loads(files("whisper_normalizer").joinpath("normalizers/english.json").read_text())
    theirs = EnglishTextNormalizer(spellings)
    for text, form in FORMS:
        assert " ".join(theirs(text).split()) == form


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
