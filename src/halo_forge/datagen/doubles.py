"""Answers that are there already: the same task, the same program, or nearly the same words.

Nearly the same is what `data dedup` calls so: task and answer share at least 80% of their runs of five words. MinHash
finds the pairs, their exact Jaccard similarity decides, and only what is kept is compared with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from halo_forge.data.curate.grams import Grams, Hashes, hash_grams, hash_words
from halo_forge.data.curate.minhash import fold_bands, min_hashes, similarity
from halo_forge.datagen.sections import Sections
from halo_forge.verifiers.program_digest import program_digest, text_digest

NGRAM = 5
SAME_TASK, SAME_PROGRAM = "the same task as an earlier row", "the same program as an earlier row"
NEAR = "nearly the same as an earlier row"


class Doubles:
    """The answers that were kept so far.

    Args:
        threshold: similarity from which two are nearly the same, 0.5 to 1.
        read: gives an answer that was kept again, by its item; their words are not held.
    """

    def __init__(self, threshold: float, read: Callable[[int], Sections]) -> None:
        self._threshold = threshold
        self._read = read
        self._digests: set[str] = set()
        self._buckets: defaultdict[tuple[int, int], list[int]] = defaultdict(list)

    def why(self, item: int, sections: Sections) -> str | None:
        """Say why an answer is none of its own; keep in mind one that is.

        Comments, white space and the task's letter case make no difference to the first two reasons.
        """
        task, program = "task " + text_digest(sections.task.casefold()), "program " + program_digest(sections.answer)
        if task in self._digests:
            return SAME_TASK
        if program in self._digests:
            return SAME_PROGRAM
        grams = _grams(sections)
        bands = fold_bands(min_hashes(grams), self._threshold)[0].tolist() if len(grams.hashes) else []
        candidates = {earlier for band in enumerate(bands) for earlier in self._buckets.get(band, ())}
        words = np.unique(grams.hashes)
        if any(self._resembles(words, earlier) for earlier in sorted(candidates)):
            return NEAR
        self._digests |= {task, program}
        for band in enumerate(bands):
            self._buckets[band].append(item)
        return None

    def _resembles(self, words: Hashes, earlier: int) -> bool:
        return similarity(words, np.unique(_grams(self._read(earlier)).hashes)) >= self._threshold


def _grams(sections: Sections) -> Grams:
    return hash_grams(hash_words([f"{sections.task}\n{sections.answer}"]), NGRAM)
