"""Near duplicates: rows whose signatures agree in a band are candidates; those that resemble each other are linked.

Decisions: a band's slots and the row's number share one 64-bit word, so that sorting the words brings candidates
together, best first. The scope is hashed into the band, so that rows of different scopes never meet.
Not covered: in a group of more than `ROUNDS` different rows that share a band not all are compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.dedup.config import NearConfig
from training.dedup.linking import Alike, Links, Rows, Search, lead, settle
from training.dedup.minhash import Bands, bands
from training.dedup.shingles import mixed

ROUNDS = 64
_PAIRS = 1 << 15  # compared at once: what they take fits into a core's cache

Similarity = Callable[[Rows, Rows], NDArray[np.float32]]


class Sets(NamedTuple):
    """Sets of shingles, 32 bits each, sorted within a set."""

    hashes: NDArray[np.uint32]
    starts: NDArray[np.int64]
    """By row where its set begins."""
    sizes: NDArray[np.int64]
    """By row."""


def cut(config: NearConfig) -> Bands:
    """Return the bands that are given, or those that the threshold asks for."""
    if config.bands is not None and config.rows is not None:
        return Bands(config.bands, config.rows)
    return bands(config.threshold, config.permutations, config.recall)


def estimated(signatures: NDArray[np.uint16]) -> Similarity:
    """Return the share of slots that agree."""

    def similarity(left: Rows, right: Rows) -> NDArray[np.float32]:
        out = np.empty(len(left), np.float32)
        for start in range(0, len(left), _PAIRS):
            part = slice(start, start + _PAIRS)
            equal = signatures[left[part]] == signatures[right[part]]
            out[part] = np.count_nonzero(equal, axis=1) / np.float32(signatures.shape[1])
        return out

    return similarity


def true(sets: Sets) -> Similarity:
    """Return the Jaccard similarity of the sets themselves."""

    def similarity(left: Rows, right: Rows) -> NDArray[np.float32]:
        out = np.empty(len(left), np.float32)
        for start in range(0, len(left), 1024):
            part = slice(start, start + 1024)
            out[part] = _jaccard(sets, left[part], right[part])
        return out

    return similarity


def _jaccard(sets: Sets, left: Rows, right: Rows) -> NDArray[np.float32]:
    rows, pair = np.concatenate([left, right]), np.tile(np.arange(len(left)), 2)
    counts = sets.sizes[rows]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    hashes = sets.hashes[np.repeat(sets.starts[rows], counts) + within].astype(np.uint64)
    words = np.sort((np.repeat(pair, counts).astype(np.uint64) << np.uint64(32)) | hashes)
    both = words[1:][words[1:] == words[:-1]] >> np.uint64(32)
    common = np.bincount(both.astype(np.int64), minlength=len(left))
    together = sets.sizes[left] + sets.sizes[right] - common
    return np.asarray(common / np.maximum(together, 1), np.float32)


def keepers(
    signatures: NDArray[np.uint16],
    rows: Rows,
    scopes: NDArray[np.uint64],
    *,
    config: NearConfig,
    similarity: Similarity,
) -> Rows:
    """Return for each row who it falls to. `rows`, ascending: those that still stand and have shingles."""
    chosen = cut(config)
    least = np.float32(config.threshold - 1e-6)

    def find(search: Search) -> Links:
        found: list[Links] = []
        known = np.empty(0, np.int64)
        for band in range(chosen.count):
            columns = signatures[:, band * chosen.rows : (band + 1) * chosen.rows]
            members, starts = _groups(columns, search, scopes, seed=band)
            alike = _alike(similarity, least, known, len(signatures))
            links = lead(members, starts, alike, ROUNDS, forest=search.forest)
            if search.forest is None:
                found.append(links)
                known = np.union1d(known, links.leader * len(signatures) + links.member)
        return Links.of(found)

    return settle(rows, len(signatures), config.linkage, find)


def _alike(similarity: Similarity, least: np.float32, known: Rows, count: int) -> Alike:
    """Return how pairs are compared: those that are linked already are not compared again."""

    def alike(leaders: Rows, members: Rows) -> NDArray[np.bool_]:
        same: NDArray[np.bool_] = np.isin(leaders * count + members, known)
        new = np.flatnonzero(~same)
        same[new] = similarity(leaders[new], members[new]) >= least
        return same

    return alike


def _groups(columns: NDArray[np.uint16], search: Search, scopes: NDArray[np.uint64], *, seed: int) -> tuple[Rows, Rows]:
    """Return the rows whose band agrees with another's, group after group, best first, and where the groups begin."""
    factors = np.random.default_rng(seed).integers(0, 2**63, columns.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    band = scopes[search.rows].copy()
    for column, factor in zip(columns.T, factors, strict=True):
        band += (column[search.rows].astype(np.uint64) + np.uint64(1)) * factor
    bits = np.uint64(max(len(columns) - 1, 1).bit_length())
    words = (mixed(band) >> bits << bits) | search.rows.astype(np.uint64)
    words.sort()
    heads = words >> bits
    if len(words) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    same = heads[1:] == heads[:-1]
    member = np.concatenate([same, [False]]) | np.concatenate([[False], same])
    members = (words[member] & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    heads = heads[member]
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(heads), 1), np.bool_), heads[1:] != heads[:-1]]))
    if search.active is None or not len(members):
        return members, starts
    sizes = np.diff(np.append(starts, len(members)))
    wanted = np.repeat(np.logical_or.reduceat(search.active[members], starts), sizes)
    number = np.repeat(np.arange(len(starts)), sizes)[wanted]
    return members[wanted], np.flatnonzero(np.diff(number, prepend=-1))
