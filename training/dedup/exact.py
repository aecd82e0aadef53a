"""Rows that say the same, letter by letter: 16 bytes of memory a row.

A key is XXH3's 128 bits over the fields, each after its length, so that no two lists of fields run into each other. Two
different texts share a key with a chance of about n²/2¹²⁹, which no number of rows here makes likely.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from training.dedup.config import ExactConfig
from training.dedup.intake import as_text
from training.dedup.shingles import Buffer, pieces

_NULL = b"-"
_BLANK = np.uint8(ord(" "))
_SPACE = np.array([chr(c).isspace() and c < 0x80 for c in range(256)])
KEY = np.dtype([("high", np.uint64), ("low", np.uint64)])


def normalised(texts: pa.Array, how: str) -> pa.Array:
    """Return texts (large strings) as they are compared; nulls stay null."""
    if how == "none":
        return texts
    if how == "nfkc":
        texts = pc.utf8_normalize(texts, "NFKC")
    texts = pc.utf8_lower(texts)
    beyond = pc.fill_null(pc.invert(pc.string_is_ascii(texts)), False)
    if not pc.any(beyond).as_py():
        return _spaced(texts)
    other = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts.filter(beyond), r"[\s\p{Z}]+", " "))
    return pc.replace_with_mask(_spaced(texts), beyond, other)


def _spaced(texts: pa.Array) -> pa.Array:
    """Return texts in ASCII with each run of white space as one space and none at the ends, faster than a regex."""
    buffer = Buffer.of(texts)
    space = np.take(_SPACE, buffer.data)
    drop = space.copy()
    drop[1:] &= space[:-1]
    begins = buffer.starts[:-1][np.diff(buffer.starts) > 0]
    drop[begins] = space[begins]
    starts = buffer.starts - np.searchsorted(np.flatnonzero(drop), buffer.starts)
    data = np.where(space, _BLANK, buffer.data)[~drop]
    last = starts[1:][starts[1:] > starts[:-1]] - 1
    last = last[data[last] == _BLANK]
    starts = starts - np.searchsorted(last, starts)
    buffers = [texts.is_valid().buffers()[1], pa.py_buffer(starts), pa.py_buffer(np.delete(data, last))]
    return pa.Array.from_buffers(pa.large_string(), len(texts), buffers)


def keys(batch: pa.RecordBatch, scopes: NDArray[np.uint64], config: ExactConfig) -> NDArray[np.void]:
    """Return a row's key of 16 bytes (`KEY`) for each row; rows of different scopes never share one."""
    hashes = [xxhash.xxh3_128(scope.tobytes()) for scope in scopes]
    for name in config.fields:
        row = 0
        for piece in pieces(as_text(batch[name])):
            column = normalised(piece, config.normalise)
            buffer, null = Buffer.of(column), column.is_null().to_pylist()
            data, ends = buffer.data.tobytes(), buffer.starts.tolist()
            for absent, (start, end) in zip(null, pairwise(ends), strict=True):
                hashes[row].update(_NULL if absent else b"%d " % (end - start))
                hashes[row].update(data[start:end])
                row += 1
    return np.frombuffer(b"".join([hashed.digest() for hashed in hashes]), KEY)


def keepers(found: NDArray[np.void]) -> NDArray[np.int64]:
    """Return for each row the first row (the smallest number) that has the same key."""
    order = np.lexsort((found["low"], found["high"]))
    if not len(order):
        return order
    ordered = found[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    first = np.empty(len(order), np.int64)
    first[order] = np.repeat(order[starts], np.diff(np.append(starts, len(order))))
    return first
