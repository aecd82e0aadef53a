"""Signatures: two texts agree in a slot with a chance that is the Jaccard similarity of their sets of shingles.

One hash of each shingle chooses its slot and its value, and the least value of each slot stays (one permutation
hashing: Li, Owen and Zhang 2012, arXiv 1208.1259). An empty slot takes the value of the filled slot that stands first
in an order of the slots of its own, the same for all texts, which leaves the estimate unbiased however few shingles a
text has (optimal densification: Shrivastava 2017, arXiv 1703.04664). Of each value 16 bits are kept (b-bit minwise
hashing: Li and König 2010, arXiv 0910.3349): 2⁻¹⁶ of unequal slots look equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from training.dedup.shingles import Shingles, mixed

_EMPTY = np.uint32(0xFFFFFFFF)
_FEW = 8  # below a share of 1/8 of filled slots, all at once is faster than one after another


@dataclass(frozen=True)
class Bands:
    """How a signature is cut: a pair is looked at where all slots of one band agree."""

    count: int
    rows: int

    def recall(self, similarity: float) -> float:
        """Return the chance that a pair of this similarity is looked at (Leskovec et al. 2020, chapter 3)."""
        return float(1 - (1 - similarity**self.rows) ** self.count)


def bands(threshold: float, permutations: int, recall: float) -> Bands:
    """Return the longest bands, which let in the fewest others, with at least that recall at the threshold."""
    cuts = [Bands(permutations // rows, rows) for rows in range(permutations, 0, -1)]
    return next((cut for cut in cuts if cut.recall(threshold) >= recall), cuts[-1])


def signatures(found: Shingles, permutations: int, seed: int) -> NDArray[np.uint16]:
    """Return a row of `permutations` slots for each text; all zeros where it has no shingle."""
    n, slots = len(found.counts), np.uint64(permutations)
    hashes = mixed(found.hashes + mixed(np.array([seed], np.uint64)))
    slot = ((hashes >> np.uint64(32)) * slots) >> np.uint64(32)
    least = np.full(n * permutations, _EMPTY, np.uint32)
    at = slot.astype(np.int64) + found.texts() * permutations
    np.minimum.at(least, at, np.minimum(hashes.astype(np.uint32), _EMPTY - np.uint32(1)))
    return _short(_filled(least.reshape(n, permutations), seed))


def _short(values: NDArray[np.uint32]) -> NDArray[np.uint16]:
    scattered = values * np.uint32(0x9E3779B1)
    return (scattered >> np.uint32(16)).astype(np.uint16)


def _filled(least: NDArray[np.uint32], seed: int) -> NDArray[np.uint32]:
    """Fill the empty slots of each row that has one filled, in place."""
    empty = least == _EMPTY
    filled = least.shape[1] - np.count_nonzero(empty, axis=1)
    least[filled == 0] = 0
    order, rank = _orders(least.shape[1], seed)
    few = np.flatnonzero((filled > 0) & (filled * _FEW < least.shape[1]))
    if len(few):
        least[few] = _asked_all(least[few], ~empty[few], order, rank)
        empty[few] = False
    _asked_in_turn(least, np.flatnonzero(empty & (filled > 0)[:, None]), order)
    return least


def _asked_all(
    least: NDArray[np.uint32], filled: NDArray[np.bool_], order: NDArray[np.int64], rank: NDArray[np.integer]
) -> NDArray[np.uint32]:
    """Return rows of few filled slots filled: of those, each slot takes the one that it asks first."""
    counts = filled.sum(axis=1)
    best = np.minimum.reduceat(rank[np.nonzero(filled)[1]], np.cumsum(counts) - counts, axis=0)
    chosen = order[best, np.arange(least.shape[1])]
    return np.where(filled, least, np.take_along_axis(least, chosen, axis=1))


def _asked_in_turn(least: NDArray[np.uint32], empty: NDArray[np.int64], order: NDArray[np.int64]) -> None:
    """Fill slots, given by their places in the flat matrix, in place: each asks one slot after another."""
    flat, slots = least.reshape(-1), least.shape[1]
    slot, taken = empty % slots, np.full(len(empty), _EMPTY, np.uint32)
    base, left = empty - slot, np.arange(len(empty))
    for asked in order:
        if not len(left):
            break
        value = flat[base[left] + asked[slot[left]]]
        taken[left] = value
        left = left[value == _EMPTY]
    flat[empty] = taken


@lru_cache(maxsize=8)
def _orders(slots: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """Return `order[k, i]`, the k-th slot that slot i asks, and `rank[j, i]`, when slot i asks slot j."""
    order = np.random.default_rng([seed, slots]).permuted(np.tile(np.arange(slots), (slots, 1)), axis=1)
    rank = np.argsort(order, axis=1)
    return np.ascontiguousarray(order.T), np.ascontiguousarray(rank.T).astype(np.uint8 if slots <= 256 else np.uint16)
