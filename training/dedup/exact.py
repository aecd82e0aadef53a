"""Rows that say the same, letter by letter: 16 bytes of memory a row.

A key is XXH3's 128 bits over the fields, each after its length, so that no two lists of fields run into each other. Two
different texts share a key with a chance of about n²/2¹²⁹, which no number of rows here makes likely.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from training.dedup.config import ExactConfig
from training.dedup.intake import as_text

KEY = np.dtype([("high", np.uint64), ("low", np.uint64)])


def normalised(texts: pa.Array, how: str) -> pa.Array:
    """Return texts (large strings) as they are compared."""
    if how == "none":
        return texts
    if how == "nfkc":
        texts = pc.utf8_normalize(texts, "NFKC")
    spaced = pc.replace_substring_regex(pc.utf8_lower(texts), r"[\s\p{Z}]+", " ")
    return pc.utf8_trim_whitespace(spaced)


def keys(batch: pa.RecordBatch, scopes: NDArray[np.uint64] | None, config: ExactConfig) -> NDArray[np.void]:
    """Return a row's key of 16 bytes (`KEY`) for each row; rows of different scopes never share one."""
    columns = [normalised(as_text(batch[name]), config.normalise).to_pylist() for name in config.fields]
    heads = [b""] * batch.num_rows if scopes is None else [int(scope).to_bytes(8, "little") for scope in scopes]
    digests = bytearray()
    for head, values in zip(heads, zip(*columns, strict=True), strict=True):
        hashed = xxhash.xxh3_128(head)
        for value in values:
            said = b"" if value is None else value.encode("utf-8", "surrogatepass")
            hashed.update((-1 if value is None else len(said)).to_bytes(8, "little", signed=True) + said)
        digests += hashed.digest()
    return np.frombuffer(bytes(digests), KEY)


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
