"""Hashes of the words of many texts, and of their n-grams, computed for a batch of texts at once.

A word is a run of letters, digits and underscores in lower case; a character of Chinese, Japanese or Korean is a word
of its own, as these are written without spaces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

GRAM_BASE = np.uint64(0xD6E8FEB86659FD93)
BLOCK_BASE = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
# A longer word, such as a picture in base 64, is hashed on its own.
LONGEST_WORD = 256
BLOCK = 8
MASKS = np.array([(1 << (8 * size)) - 1 for size in range(BLOCK + 1)], np.uint64)

WRITTEN_TOGETHER = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
WORD = re.compile(rf"[{WRITTEN_TOGETHER}]|[^\W{WRITTEN_TOGETHER}]+")
WORD_BYTES = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz_").union(range(0x80, 0x100))
IS_WORD = bytes(byte in WORD_BYTES for byte in range(256))


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
    encoded = [text.encode().lower() if text.isascii() else _spaced(text) for text in texts]
    # A block of 8 bytes may be read at the last word.
    content = b"\n".join([*encoded, bytes(BLOCK)])
    inside = np.frombuffer(content.translate(IS_WORD), np.uint8)
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if inside[0]:
        edges = np.concatenate([np.zeros(1, np.int64), edges])
    begins, ends = edges[::2], edges[1::2]
    lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    borders = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths + 1)])
    return Words(_hash_runs(content, begins, ends - begins), np.searchsorted(begins, borders))


def _hash_runs(content: bytes, begins: Places, lengths: Places) -> Hashes:
    """Hash runs of bytes: a polynomial over their blocks of 8, the last filled up with zeros, which no word holds."""
    blocks = np.ndarray((len(content) - BLOCK + 1,), "<u8", content, strides=(1,))
    hashes = (blocks[begins] & MASKS[np.minimum(lengths, BLOCK)]).astype(np.uint64)
    longer = np.flatnonzero((lengths > BLOCK) & (lengths <= LONGEST_WORD))
    done = BLOCK
    while len(longer):
        block = blocks[begins[longer] + done] & MASKS[np.minimum(lengths[longer] - done, BLOCK)]
        hashes[longer] = hashes[longer] * BLOCK_BASE + block
        done += BLOCK
        longer = longer[lengths[longer] > done]
    for place in np.flatnonzero(lengths > LONGEST_WORD).tolist():
        run = content[begins[place] : begins[place] + lengths[place]]
        hashes[place] = int.from_bytes(blake2b(run, digest_size=8).digest(), "little")
    return _mixed(hashes)


def hash_grams(words: Words, n: int, *, short: bool = True) -> Grams:
    """Hash every run of `n` words within a text.

    Args:
        short: whether a text of fewer words, but at least one, gives one gram of all its words.
    """
    hashes, starts = words
    lengths = np.diff(starts)
    counts = np.maximum(lengths - n + 1, 0)
    # The run from every word on, across the ends of texts as well: those are left out afterwards.
    padded = np.concatenate([hashes, np.zeros(n, np.uint64)])
    found = np.zeros(len(hashes), np.uint64)
    for offset in range(n):
        found *= GRAM_BASE
        found += padded[offset : offset + len(hashes)]
    if short:
        few = np.flatnonzero((lengths > 0) & (counts == 0))
        counts[few] = 1
        for text in few.tolist():
            found[starts[text]] = _short_gram(hashes[starts[text] : starts[text + 1]], n)
    borders = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    first = np.arange(borders[-1]) + np.repeat(starts[:-1] - borders[:-1], counts)
    return Grams(_mixed(found[first]), borders)


def _short_gram(words: Hashes, n: int) -> np.uint64:
    """The one gram of a text of fewer than `n` words, as if words of hash 0 followed."""
    found = np.zeros(1, np.uint64)
    for place in range(n):
        found = found * GRAM_BASE + (words[place] if place < len(words) else np.uint64(0))
    return np.uint64(found[0])


def _spaced(text: str) -> bytes:
    """A text in lower case in which every byte beyond ASCII belongs to a word."""
    return " ".join(WORD.findall(text.lower())).encode("utf-8", "replace")


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit of a value over all of its hash, as the finaliser of splitmix64 does (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * MIX_1
    values = (values ^ (values >> np.uint64(27))) * MIX_2
    return values ^ (values >> np.uint64(31))
