"""Texts as sets of hashed shingles, all texts of a block at once.

A block's texts stand in one buffer. The hash of any stretch of it is a difference of two prefix sums (a polynomial in
an odd base modulo 2⁶⁴; Karp and Rabin 1987), so that every byte is read once, every token is hashed once, and nothing
is done text by text.

Decisions: a word is a run of letters, digits and underscores, in lower case; all that is not ASCII counts as a letter,
and an East Asian character (UTF-8 that begins with E3 to ED) begins a word of its own. A text of fewer words than a
shingle has is one shingle; one without words has none and resembles nothing.
Not covered: texts made to collide, which a polynomial hash permits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2⁶⁴
_INVERSE = pow(_BASE, -1, 2**64)
_NEXT = np.uint64(0xD1342543DE82EF95)
_BYTES = np.random.default_rng(0).integers(0, 2**64, 256, np.uint64)
_BYTES_A_PIECE = 1 << 17  # what the arrays of one piece take then fits into a core's cache
_WORD = np.array([c >= 0x80 or chr(c).isalnum() or c == ord("_") for c in range(256)])
_OWN_WORD = np.array([0xE3 <= c <= 0xED for c in range(256)])


@dataclass(frozen=True)
class Shingles:
    """Hashed shingles of texts, one text after another; a shingle that occurs twice stands there twice."""

    hashes: NDArray[np.uint64]
    counts: NDArray[np.int64]
    """By text."""

    def texts(self) -> NDArray[np.int64]:
        """Return by shingle the number of its text."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


@dataclass(frozen=True)
class Buffer:
    """Texts in one buffer."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    """By text where it begins, and at last where the last one ends."""

    @classmethod
    def of(cls, texts: pa.Array) -> Buffer:
        """Return the bytes of texts (large strings) without a copy."""
        starts = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1, texts.offset * 8)
        values = texts.buffers()[2]
        data = np.frombuffer(values if values is not None else b"", np.uint8)
        return cls(data[starts[0] : starts[-1]], starts - starts[0])

    def sums(self) -> NDArray[np.uint64]:
        """Return by place the hash of all before it."""
        found = np.empty(len(self.data) + 1, np.uint64)
        found[0] = 0
        np.cumsum(np.take(_BYTES, self.data) * _powers(_BASE, len(self.data)), out=found[1:])
        return found


def pieces(texts: pa.Array) -> list[pa.Array]:
    """Cut texts (large strings) into runs that are worked on at once."""
    ends = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1, texts.offset * 8) if len(texts) else np.zeros(1)
    number = (ends[1:] - ends[0]) // _BYTES_A_PIECE
    cuts = [0, *(np.flatnonzero(np.diff(number)) + 1), len(texts)]
    return [texts.slice(start, end - start) for start, end in pairwise(cuts) if end > start]


def shingles(texts: pa.Array, kind: Literal["word", "char"], size: int) -> Shingles:
    """Return the shingles of texts (large strings): runs of `size` words or of `size` bytes of UTF-8."""
    if kind == "char":
        return windows(*_characters(texts), size)
    return windows(*words(texts), size)


def words(texts: pa.Array) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the hashes of all words, text after text, and how many each text has."""
    buffer = Buffer.of(pc.utf8_lower(texts))
    word = np.take(_WORD, buffer.data)
    begin = word.copy()
    begin[1:] &= ~word[:-1]
    if not _ascii(buffer.data):
        begin |= np.take(_OWN_WORD, buffer.data)
    inner = buffer.starts[:-1][np.diff(buffer.starts) > 0]
    begin[inner] = word[inner]
    end = word.copy()
    end[:-1] &= ~word[1:] | begin[1:]
    begins, ends = np.flatnonzero(begin), np.flatnonzero(end) + 1
    first = np.searchsorted(begins, buffer.starts)
    sums = buffer.sums()
    hashes = (sums[ends] - sums[begins]) * _powers(_INVERSE, len(buffer.data) + 1)[begins]
    return mixed(hashes), np.diff(first)


def whole(texts: pa.Array) -> NDArray[np.uint64]:
    """Return a hash of each text (large strings) as it stands."""
    buffer = Buffer.of(texts)
    sums = buffer.sums()
    starts, ends = buffer.starts[:-1], buffer.starts[1:]
    hashes = (sums[ends] - sums[starts]) * _powers(_INVERSE, len(buffer.data) + 1)[starts]
    return mixed(hashes + (ends - starts).astype(np.uint64))


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes whose bits all depend on all bits of `values` (the finaliser of SplitMix64, Steele et al. 2014)."""
    out = values ^ (values >> np.uint64(30))
    out *= np.uint64(0xBF58476D1CE4E5B9)
    out ^= out >> np.uint64(27)
    out *= np.uint64(0x94D049BB133111EB)
    out ^= out >> np.uint64(31)
    return out


def _characters(texts: pa.Array) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    spaced = pc.replace_substring_regex(pc.utf8_lower(texts), r"[\s\p{Z}]+", " ")
    buffer = Buffer.of(pc.utf8_trim_whitespace(spaced))
    return _BYTES[buffer.data], np.diff(buffer.starts)


def windows(tokens: NDArray[np.uint64], counts: NDArray[np.int64], size: int) -> Shingles:
    """Return a hash of each run of `size` tokens within a text, and of all of a text that has fewer."""
    found = np.maximum(counts - size + 1, np.minimum(counts, 1))
    starts = np.cumsum(counts) - counts
    skipped = np.repeat(starts - (np.cumsum(found) - found), found)
    begins = np.arange(len(skipped)) + skipped
    padded = np.concatenate([tokens, np.zeros(size, np.uint64)])
    hashes = padded[begins]
    left = np.repeat(np.minimum(counts, size), found) if (counts < size).any() else None
    for step in range(1, size):
        hashes *= _NEXT
        following = padded[begins + step]
        hashes += following if left is None else np.where(step < left, following, np.uint64(0))
    return Shingles(mixed(hashes), found)


def _ascii(data: NDArray[np.uint8]) -> bool:
    return not len(data) or int(data.max()) < 0x80


_kept: dict[int, NDArray[np.uint64]] = {}


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    """Return the first powers of `base` modulo 2⁶⁴, from a table that grows."""
    table = _kept.get(base)
    if table is None or len(table) < count:
        table = np.full(max(count, 2 * _BYTES_A_PIECE), base, np.uint64)
        table[0] = 1
        table = np.cumprod(table)
        if count <= 2 * _BYTES_A_PIECE:
            _kept[base] = table
    return table[:count]
