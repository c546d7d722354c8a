"""MinHash (Broder 1997): short sketches of sets of grams, and bands of them by which similar sets meet.

With a threshold of 0.8 the 126 permutations make 21 bands of 6: sets at the threshold share a band with a probability
of 99.8% (1 - (1 - 0.8^6)^21), more similar ones more surely.
"""

from __future__ import annotations

from array import array
from functools import cache

import numpy as np
from numpy.typing import NDArray

from halo_forge.data.curate.grams import Grams, Hashes

PERMUTATIONS = 126
BANDINGS = (1, 2, 3, 6, 7, 9, 14, 18, 21)  # rows a band; each divides the permutations
LEAST_RECALL = 0.995
SEED = 20_220_613


def min_hashes(grams: Grams) -> NDArray[np.uint32]:
    """Return the least hash of each text's grams under each permutation, (texts, 126)."""
    from rensa import RMinHash

    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        grams.hashes, grams.starts.astype(np.uint64), PERMUTATIONS, SEED
    )
    found = b"".join([array("I", row).tobytes() for row in matrix.to_rows()])
    return np.frombuffer(found, np.uint32).reshape(-1, PERMUTATIONS)


@cache
def rows_a_band(threshold: float) -> int:
    """Return the most rows a band with which a pair at the threshold is compared almost surely."""
    fitting = [rows for rows in BANDINGS if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= LEAST_RECALL]
    return max(fitting, default=1)


def fold_bands(hashes: NDArray[np.uint32], threshold: float) -> NDArray[np.uint32]:
    """Fold each band of (N, 126) hashes into one, (N, bands)."""
    width = PERMUTATIONS // rows_a_band(threshold)
    folded = np.zeros((len(hashes), width), np.uint64)
    for column in hashes.astype(np.uint64).reshape(len(hashes), width, PERMUTATIONS // width).transpose(2, 0, 1):
        folded = (folded ^ column) * np.uint64(0x9E3779B97F4A7C15)
    return (folded >> np.uint64(32)).astype(np.uint32)


def similarity(one: Hashes, other: Hashes) -> float:
    """Return the Jaccard similarity of two sets of grams, each sorted and without repetition, one of them not empty."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
