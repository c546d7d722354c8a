"""Whether a text holds a problem of a benchmark, or its solution.

A row holds a problem when it shares a run of 13 words with the problem's text, as in Brown et al. 2020, *Language
models are few-shot learners* (arXiv 2005.14165, appendix C): lower case, punctuation aside, and runs found in more than
ten problems do not count, since they are the benchmark's own turns of phrase. Deviations:

- A problem of 8 to 12 words must be there whole (there the length falls to 8 by data set); a shorter one only counts
  where it is all that the row asks.
- A run counts only if at least half of its words hold a letter: `1 2 3 4 5 …` is in everybody's examples.
- A row that has 80% of a problem's 5-word runs holds it as well, though a changed word breaks each of its 13-word runs.
  Solutions of at least 13 words are compared in this way alone: a run of 13 words of code may be an idiom.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from halo_forge.data.curate.benchmarks import Benchmark
from halo_forge.data.curate.grams import Hashes, Words, hash_grams, hash_words, words_of

SHORTEST = 8
NEAR_GRAM = 5
MOST_ITEMS = 10
TABLE_BITS = 20

ItemPlace = tuple[int, int]  # benchmark, item


class Hit(NamedTuple):
    """A problem that a text holds.

    Args:
        benchmark: its place among the benchmarks.
        item: the problem's id.
        kind: `gram` (a shared run), `whole` (a short problem as it is), `near question` or `near solution`.
        gram: the shared run; for the last two, the share of the problem's runs that are there.
    """

    benchmark: int
    item: str
    kind: str
    gram: str


class _Piece(NamedTuple):
    """A question or solution and how many of its 5-word runs make a hit."""

    place: ItemPlace
    kind: str
    runs: int
    needed: int


class OverlapIndex:
    """The runs of words of benchmarks.

    Args:
        ngram: words of a run that must be shared.
        near: share of the 5-word runs that must be there, above 0 to 1.
    """

    def __init__(self, benchmarks: Sequence[Benchmark], ngram: int = 13, near: float = 0.8) -> None:
        self._ids = [[item.id for item in benchmark.items] for benchmark in benchmarks]
        self._ngram = ngram
        self._grams: dict[int, dict[str, list[ItemPlace]]] = defaultdict(dict)
        self._asked: dict[str, ItemPlace] = {}
        self._pieces: list[_Piece] = []
        self._runs: dict[str, list[int]] = defaultdict(list)
        for number, benchmark in enumerate(benchmarks):
            self._add(number, benchmark, near)
        self._known = {length: _Known(list(grams), length) for length, grams in self._grams.items()}
        self._known_runs = _Known(list(self._runs), NEAR_GRAM)
        self._fewest = min((piece.needed for piece in self._pieces), default=1)

    def suspects(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Tell which texts may hold a problem: all that do and few others; short questions are not looked for."""
        words = hash_words(texts)
        suspected = self._known_runs.counts(words) >= self._fewest
        for known in self._known.values():
            suspected |= known.counts(words) > 0
        return suspected

    def asks_short(self, question: str) -> bool:
        """Tell whether a question is one of the problems that are too short to be looked for in a text."""
        return bool(self._asked) and len(question) < 200 and " ".join(words_of(question)) in self._asked

    def hits(self, text: str, question: str) -> list[Hit]:
        """Return the problems that a text holds, each once, in the order of the benchmarks."""
        words = words_of(text)
        found: dict[ItemPlace, tuple[str, str]] = {}
        for length in sorted(self._grams, reverse=True):
            grams = self._grams[length]
            kind = "gram" if length == self._ngram else "whole"
            for gram in _runs(words, length):
                for place in grams.get(gram, ()):
                    found.setdefault(place, (kind, gram))
        asked = " ".join(words_of(question)) if self._asked and len(question) < 200 else ""
        if asked in self._asked:
            found.setdefault(self._asked[asked], ("whole", asked))
        there = Counter(piece for run in set(_runs(words, NEAR_GRAM)) for piece in self._runs.get(run, ()))
        for number, count in sorted(there.items()):
            piece = self._pieces[number]
            if count >= piece.needed:
                found.setdefault(piece.place, (piece.kind, f"{count} of {piece.runs} runs"))
        return [Hit(number, self._ids[number][place], *found[(number, place)]) for number, place in sorted(found)]

    def _add(self, number: int, benchmark: Benchmark, near: float) -> None:
        grams: dict[str, dict[int, None]] = defaultdict(dict)
        usual: Counter[str] = Counter()
        pieces: list[tuple[int, str, set[str]]] = []
        for place, item in enumerate(benchmark.items):
            texts = [words_of(segment) for segment in item.segments]
            if texts and len(texts[0]) < SHORTEST:
                self._asked.setdefault(" ".join(texts[0]), (number, place))
            for words in texts:
                for gram in _runs(words, min(self._ngram, max(len(words), SHORTEST))):
                    grams[gram][place] = None
            pieces += [(place, "near question", set(_runs(words, NEAR_GRAM))) for words in texts]
            pieces.append((place, "near solution", set(_runs(words_of(item.solution), NEAR_GRAM))))
            usual.update(set().union(*(runs for owner, _, runs in pieces[-len(texts) - 1 :] if owner == place)))
        for gram, places in grams.items():
            if len(places) <= MOST_ITEMS and _says_something(gram):
                known = self._grams[gram.count(" ") + 1].setdefault(gram, [])
                known.extend((number, place) for place in places)
        for place, kind, runs in pieces:
            telling = sorted(run for run in runs if usual[run] <= MOST_ITEMS and _says_something(run))
            if len(telling) > self._ngram - NEAR_GRAM:
                for run in telling:
                    self._runs[run].append(len(self._pieces))
                self._pieces.append(_Piece((number, place), kind, len(telling), math.ceil(near * len(telling))))


def _runs(words: Sequence[str], n: int) -> Iterator[str]:
    return (" ".join(words[start : start + n]) for start in range(len(words) - n + 1))


def _says_something(gram: str) -> bool:
    words = gram.split()
    return 2 * sum(any(map(str.isalpha, word)) for word in words) >= len(words)


class _Known:
    """Grams that are looked for, by their hashes.

    Args:
        n: words of each.
    """

    def __init__(self, grams: list[str], n: int) -> None:
        self._n = n
        self._hashes = np.unique(hash_grams(hash_words(grams), n, short=False).hashes)
        # Most grams of most texts are none of them: a look at a small table tells.
        self._table = np.zeros(1 << TABLE_BITS, bool)
        self._table[_slots(self._hashes)] = True

    def counts(self, words: Words) -> NDArray[np.int64]:
        """How many of a text's grams are among them, for each text."""
        grams = hash_grams(words, self._n, short=False)
        places = np.flatnonzero(self._table[_slots(grams.hashes)])
        if len(self._hashes):
            asked = grams.hashes[places]
            nearest = np.minimum(np.searchsorted(self._hashes, asked), len(self._hashes) - 1)
            places = places[self._hashes[nearest] == asked]
        owners = np.searchsorted(grams.starts, places, side="right") - 1
        return np.bincount(owners, minlength=len(grams.starts) - 1)


def _slots(hashes: Hashes) -> Hashes:
    slots: Hashes = hashes >> np.uint64(64 - TABLE_BITS)
    return slots
