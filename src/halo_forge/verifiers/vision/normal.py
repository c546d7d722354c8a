"""Answers in the form in which TextVQA compares them.

These are the rules of the VQA challenge (Antol et al. 2015, https://visualqa.org/evaluation.html) as EvalAI applies
them to TextVQA (https://github.com/facebookresearch/mmf, `EvalAIAnswerProcessor`): lower case; no comma and no question
mark; a punctuation mark goes where a blank stands beside any of its kind, and becomes a blank where none does; a full
stop goes unless a digit follows; number words to ten become digits, and `none` becomes 0; no articles; contractions get
the apostrophe they lack.
"""

from __future__ import annotations

import re

PUNCTUATION = ';/[]"{}()=+\\_-><@`!'
FULL_STOP = re.compile(r"\.(?!\d)")
MOST_STOPS = 32  # the original passes a flag in the place of a count
ARTICLES = frozenset({"a", "an", "the"})
NUMBERS = {
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10",
}  # fmt: skip
CONTRACTED = (
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd "
    "he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've "
    "needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've "
    "somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll "
    "that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've "
    "weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've "
    "why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're "
    "you've"
)


def _lacking_one(word: str) -> list[str]:
    """The word without one of its apostrophes, for each of them."""
    return [word[:place] + word[place + 1 :] for place, letter in enumerate(word) if letter == "'"]


# The original maps this one the other way about.
CONTRACTIONS = {short: word for word in CONTRACTED.split() for short in _lacking_one(word)} | {
    "somebody'd": "somebodyd"
}


def normalised(text: str) -> str:
    """Return an answer in that form; "" where nothing is left of it."""
    plain = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    plain = plain.replace("\n", " ").replace("\t", " ")
    spaced = plain
    for mark in PUNCTUATION:
        beside_blank = f"{mark} " in spaced or f" {mark}" in spaced
        plain = plain.replace(mark, "" if beside_blank else " ")
    words = FULL_STOP.sub("", plain, count=MOST_STOPS).split()
    digits = [NUMBERS.get(word, word) for word in words]
    return " ".join(CONTRACTIONS.get(word, word) for word in digits if word not in ARTICLES)
