"""Semantic duplicates: rows whose vectors point nearly the same way.

Decisions: vectors of up to 192 dimensions are kept in 32 bits, longer ones in 16, so that a row takes at most 768
bytes for 384 dimensions. Rows without a word have no direction and resemble nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.dedup import neighbours, tfidf
from training.dedup.columns import Columns
from training.dedup.config import DedupError, SemanticConfig
from training.dedup.encoders import Encode, encoder
from training.dedup.linking import Links, Rows, Search, settle
from training.dedup.near import Similarity
from training.dedup.shingles import mixed, whole
from training.dedup.texts import Texts

_FULL = 192
_PAIRS = 1 << 14


class Directions(NamedTuple):
    """Vectors of rows, and which rows have one."""

    vectors: NDArray[np.floating]
    """Unit vectors, in the order of `rows`."""
    rows: Rows
    """Ascending: those that still stand and have a direction."""


def directions(columns: Columns, rows: Rows, config: SemanticConfig, encode: Encode | None = None) -> Directions:
    """Return the vectors of the rows that still stand (ascending). Raises `DedupError`."""
    where = np.full(len(columns.order.place), -1)
    where[rows] = np.arange(len(rows))
    place = where[columns.order.place]
    if encode is None and config.vectors == "tfidf":
        projection = tfidf.fit(_sample(columns, rows, place, config), config)
        parts = ((at, projection.vectors(texts)) for at, texts in _standing(columns.texts, place))
    else:
        chosen = encode if encode is not None else encoder(config.vectors)
        parts = ((at, _encoded(chosen, texts)) for at, texts in _standing(columns.texts, place))
    vectors: NDArray[np.floating] | None = None
    for at, part in parts:
        if vectors is None:
            kind = np.float32 if part.shape[1] <= _FULL else np.float16
            vectors = np.zeros((len(rows), part.shape[1]), kind)
        vectors[at] = part
    if vectors is None:
        return Directions(np.zeros((0, config.dims), np.float32), rows[:0])
    filled = vectors.any(axis=1)
    return Directions(vectors[filled] if not filled.all() else vectors, rows[filled])


def keepers(found: Directions, scopes: NDArray[np.uint64], config: SemanticConfig) -> Rows:
    """Return for each row who it falls to. `scopes` is by row, of all rows."""
    numbers = np.arange(len(found.rows))
    groups = []
    for scope in np.unique(scopes[found.rows]):
        members = numbers[scopes[found.rows] == scope]
        chosen = members[np.argsort(mixed(members.astype(np.uint64)))[: config.fit_rows]]
        groups.append((members, neighbours.fit(found.vectors[np.sort(chosen)], len(members), config.seed)))

    def find(search: Search) -> Links:
        links = []
        for members, centres in groups:
            part = Search(members[np.isin(members, search.rows, assume_unique=True)], search.active, search.forest)
            if config.search == "exact":
                links.append(neighbours.exact(found.vectors, part, config.threshold))
            else:
                links.append(
                    neighbours.partitioned(found.vectors, part, config.threshold, centres, probes=config.probes)
                )
        return Links.of(links)

    keeper = np.arange(len(scopes))
    keeper[found.rows] = found.rows[settle(numbers, len(numbers), config.linkage, find)]
    return keeper


def cosine(found: Directions) -> Similarity:
    """Return the cosine of rows that have a direction."""

    def similarity(left: Rows, right: Rows) -> NDArray[np.float32]:
        out = np.empty(len(left), np.float32)
        first, second = np.searchsorted(found.rows, left), np.searchsorted(found.rows, right)
        for start in range(0, len(left), _PAIRS):
            part = slice(start, start + _PAIRS)
            pair = (found.vectors[rows[part]].astype(np.float32) for rows in (first, second))
            out[part] = np.einsum("ij,ij->i", *pair)
        return np.minimum(out, np.float32(1))

    return similarity


def _standing(texts: Texts, place: Rows) -> Iterator[tuple[Rows, pa.Array]]:
    """Yield the texts of rows that still stand, and which of these they are."""
    done = 0
    for block in texts.blocks():
        at = place[done : done + len(block)]
        done += len(block)
        if (at >= 0).any():
            yield at[at >= 0], block.filter(pa.array(at >= 0))


def _sample(columns: Columns, rows: Rows, place: Rows, config: SemanticConfig) -> pa.Array:
    """Return the texts that are fitted on, in order of preference: those whose id has the least hash."""
    hashes = np.concatenate([np.empty(0, np.uint64), whole(columns.order.ids)])[rows]
    chosen = np.argsort(hashes, kind="stable")[: config.fit_rows]
    wanted = np.zeros(len(rows) + 1, np.bool_)
    wanted[chosen] = True
    parts, at = [], [np.empty(0, np.int64)]
    for numbers, texts in _standing(columns.texts, place):
        parts.append(texts.filter(pa.array(wanted[numbers])))
        at.append(numbers[wanted[numbers]])
    found = pa.chunked_array(parts, pa.large_string()).combine_chunks()
    return found.take(pa.array(np.argsort(np.concatenate(at))))


def _encoded(encode: Encode, texts: pa.Array) -> NDArray[np.float32]:
    """Return unit vectors by an encoder of others. Raises `DedupError` where it gives something else."""
    vectors = np.array(encode(texts.to_pylist()), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise DedupError(
            f"expected of the encoder a finite vector for each of {len(texts)} texts, found the shape"
            f" {vectors.shape}; take another encoder"
        )
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(norms > 0, norms, np.float32(1))
    return vectors
