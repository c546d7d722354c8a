"""Hashes of the words of many texts, and of their n-grams, computed for a batch of texts at once.

A word is a run of letters, digits and underscores in lower case; a character of Chinese, Japanese or Korean is a word
of its own, as these are written without spaces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

# An odd number has an inverse modulo 2**64, so that the hash of a word does not depend on where it stands.
BASE = 0x9E3779B97F4A7C15
INVERSE = pow(BASE, -1, 1 << 64)
GRAM_BASE = np.uint64(0xD6E8FEB86659FD93)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

WRITTEN_TOGETHER = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
WORD = re.compile(rf"[{WRITTEN_TOGETHER}]|[^\W{WRITTEN_TOGETHER}]+")
IS_WORD = np.zeros(256, dtype=bool)
IS_WORD[[*range(ord("0"), ord("9") + 1), *range(ord("a"), ord("z") + 1), ord("_"), *range(0x80, 0x100)]] = True


class Words(NamedTuple):
    """The words of several texts.

    Args:
        hashes: (W,) uint64, a word after the other, text after text.
        starts: (T + 1,) int64; the words of text `t` are `hashes[starts[t] : starts[t + 1]]`.
    """

    hashes: Hashes
    starts: Places


class Grams(NamedTuple):
    """The n-grams of several texts: (G,) uint64, and the bounds of each text as in `Words`."""

    hashes: Hashes
    starts: Places


def words_of(text: str) -> list[str]:
    """Return the words of one text."""
    return WORD.findall(text.lower())


def hash_words(texts: Sequence[str]) -> Words:
    """Hash the words of texts; equal words have equal hashes, on every machine."""
    encoded = [_spaced(text).encode("utf-8", "replace") for text in texts]
    content = np.frombuffer(b"\n".join([*encoded, b""]), dtype=np.uint8)
    inside = IS_WORD[content]
    edges = np.flatnonzero(np.diff(inside, prepend=False))
    begins, ends = edges[::2], edges[1::2]
    powers, inverses = _powers(len(content))
    summed = np.concatenate([np.zeros(1, np.uint64), np.cumsum((content + np.uint64(1)) * powers, dtype=np.uint64)])
    hashes = _mixed((summed[ends] - summed[begins]) * inverses[begins])
    lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    borders = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths + 1)])
    return Words(hashes, np.searchsorted(begins, borders))


def hash_grams(words: Words, n: int, *, short: bool = True) -> Grams:
    """Hash every run of `n` words within a text.

    Args:
        short: whether a text of fewer words, but at least one, gives one gram of all its words.
    """
    hashes, starts = words
    lengths = np.diff(starts)
    counts = np.maximum(lengths - n + 1, 0)
    if short:
        counts = np.where((lengths > 0) & (counts == 0), 1, counts)
    borders = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    first = np.arange(borders[-1]) - np.repeat(borders[:-1], counts) + np.repeat(starts[:-1], counts)
    last = np.repeat(starts[1:], counts)
    padded = np.concatenate([hashes, np.zeros(n, np.uint64)])
    found = np.zeros(len(first), np.uint64)
    for offset in range(n):
        found = found * GRAM_BASE + np.where(first + offset < last, padded[first + offset], np.uint64(0))
    return Grams(_mixed(found), borders)


def _spaced(text: str) -> str:
    """A text in lower case in which every byte beyond ASCII belongs to a word."""
    text = text.lower()
    return text if text.isascii() else " ".join(WORD.findall(text))


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit of a value over all of its hash, as the finaliser of splitmix64 does (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * MIX_1
    values = (values ^ (values >> np.uint64(27))) * MIX_2
    return values ^ (values >> np.uint64(31))


class _Powers:
    """Powers of the base and of its inverse, as many as were ever asked for."""

    base: Hashes = np.zeros(0, np.uint64)
    inverse: Hashes = np.zeros(0, np.uint64)


def _powers(count: int) -> tuple[Hashes, Hashes]:
    if len(_Powers.base) < count:
        size = max(count, 1 << 16)
        _Powers.base, _Powers.inverse = (
            np.multiply.accumulate(np.concatenate([np.ones(1, np.uint64), np.full(size - 1, base, np.uint64)]))
            for base in (BASE, INVERSE)
        )
    return _Powers.base[:count], _Powers.inverse[:count]
