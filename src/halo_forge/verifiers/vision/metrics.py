"""The metrics of answers in free words: each from 0 to 1, of an answer and those that are right."""

from __future__ import annotations

import re
from collections.abc import Sequence

from halo_forge.verifiers.vision.normal import normalised

AGREEING = 3
ANLS_THRESHOLD = 0.5
TOLERANCE = 0.05
FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


def vqa_accuracy(answer: str, annotators: Sequence[str]) -> float:
    """VQA accuracy (Antol et al. 2015; Singh et al. 2019 for TextVQA): mean of min(1, agreeing / 3).

    The mean is over the sets that leave one annotator out, so of ten that agree 4 give 1.0, 3 give 0.9, 2 give 0.6 and
    1 gives 0.3.
    """
    said = _comparable(answer)
    agrees = [_comparable(other) == said for other in annotators]
    total = sum(agrees)
    return sum(min(1.0, (total - own) / AGREEING) for own in agrees) / len(agrees)


def anls(answer: str, right: Sequence[str]) -> float:
    """Normalised Levenshtein similarity to the nearest right answer (Biten et al. 2019), 0 below a half.

    Case and the amount of white space do not count. At exactly a half the challenge's evaluation, which we follow,
    gives 0.5, and the paper 0.
    """
    best = max(_similarity(_folded(answer), _folded(other)) for other in right)
    return best if best >= ANLS_THRESHOLD else 0.0


def relaxed_accuracy(answer: str, right: Sequence[str]) -> float:
    """Relaxed accuracy (Methani et al. 2020; Masry et al. 2022 for ChartQA): numbers within 5%, else equal texts.

    `12%` is 0.12, and a right answer of 0 is compared as a text, as in the evaluation that published scores come from
    (https://github.com/google-research/pix2struct, `metrics.py`). Unlike there, words such as `inf` are no numbers.
    """
    return float(any(_relaxed(answer.strip(), other.strip()) for other in right))


def exact_accuracy(answer: str, right: Sequence[str]) -> float:
    """Whether the answer is one of the right ones, compared as TextVQA compares."""
    said = _comparable(answer)
    return float(any(_comparable(other) == said for other in right))


def _comparable(text: str) -> str:
    """Normalise a text; one that is made of articles and marks alone stays as it is, lest it equal every such text."""
    return normalised(text) or text.strip().lower()


def _relaxed(answer: str, right: str) -> bool:
    said, target = _number(answer), _number(right)
    if said is not None and target:
        return abs(said - target) / abs(target) <= TOLERANCE
    return answer.lower() == right.lower()


def _number(text: str) -> float | None:
    plain = text.rstrip("%")
    if FLOAT.fullmatch(plain) is None:
        return None
    return float(plain) / 100 if text.endswith("%") else float(plain)


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def _similarity(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return 1 - edit_distance(one, other) / longest if longest else 1.0


def edit_distance(one: str, other: str) -> int:
    """Insertions, deletions and replacements of a letter that turn one text into the other (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for deleted, letter in enumerate(one, start=1):
        before, row[0] = row[0], deleted
        for place, wanted in enumerate(other, start=1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != wanted))
    return row[-1]
