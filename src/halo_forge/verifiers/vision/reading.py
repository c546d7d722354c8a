"""One option or one number out of an answer.

Published scores of MathVista take the answer out of a text with a language model; here it has to be said so that rules
can read it: alone, or behind one `answer is` or `answer:`. What names several options or numbers names none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from halo_forge.verifiers.vision.normal import NUMBERS, normalised

MARK = re.compile(r"\banswer\s*(?:is\b\s*:?|:)", re.IGNORECASE)
LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
LETTER_AND_TEXT = re.compile(r"\(?([A-Z])[).:]?\s+(.+)", re.DOTALL)
NUMBER = re.compile(
    r"(?<![A-Za-z0-9])(?:[-−]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-−]?\.\d+)", re.ASCII
)


def final_part(text: str) -> str:
    """Return what follows the one mark of an answer; the whole text where there is none; "" where there are several."""
    pieces = MARK.split(text)
    said = pieces[-1] if len(pieces) <= 2 else ""
    return said.strip().strip("*_`\"'").strip()


def read_choice(text: str, choices: Sequence[str]) -> int | None:
    """Return which option an answer names, by its letter, its words or both; None where it names no single one.

    Args:
        choices: the options; the first is A.
    """
    said = final_part(text).removesuffix(".").strip()
    alone = LETTER.fullmatch(said)
    if alone is not None:
        return _place(alone[1], choices)
    wanted = _folded(said)
    equal = [place for place, choice in enumerate(choices) if _folded(choice) == wanted]
    if equal:
        return equal[0]
    both = LETTER_AND_TEXT.fullmatch(said)
    place = _place(both[1], choices) if both is not None else None
    if both is None or place is None:
        return None
    return place if _folded(both[2]) == _folded(choices[place]) else None


def right_choice(answer: str, choices: Sequence[str]) -> int | None:
    """Return which option a reference means: by its words, else by its letter; None where it is none of them."""
    equal = [place for place, choice in enumerate(choices) if _folded(choice) == _folded(answer)]
    if equal:
        return equal[0]
    letter = LETTER.fullmatch(answer.strip())
    return _place(letter[1], choices) if letter is not None else None


def read_number(text: str) -> str | None:
    """Return the one number that an answer names, in digits; None where it names none or several."""
    said = final_part(text)
    found = NUMBER.findall(said)
    if found:
        return str(found[0]).replace(",", "").replace("−", "-") if len(found) == 1 else None
    word = normalised(said)
    return word if word in NUMBERS.values() else None


def same_number(said: str, right: str) -> bool:
    """Whether a number is the right one, rounded to as many places as that has; a whole one must be met exactly."""
    places = len(right.partition(".")[2])
    value, target = float(said), float(right)
    return (round(value, places) if places else value) == target


def same_choice(one: int, other: int, choices: Sequence[str]) -> bool:
    """Whether two options are one, or say the same."""
    return one == other or _folded(choices[one]) == _folded(choices[other])


def _place(letter: str, choices: Sequence[str]) -> int | None:
    place = ord(letter.upper()) - ord("A")
    return place if place < len(choices) else None


def _folded(text: str) -> str:
    return " ".join(text.lower().split()).removesuffix(".")
