"""How many rows of what: caps, shares by temperature, a budget of tokens. Pure, and the same in any order of rows.

Decisions: which rows of a stratum stay is drawn by the digest of seed and id, so that a row which is added or taken
away moves no other. Nothing is repeated: shares are reached by leaving rows out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.prepare.config import BalanceConfig


def balanced(strata: NDArray[np.integer], draw: NDArray[np.uint64], config: BalanceConfig) -> NDArray[np.bool_]:
    """Return which rows stay. `strata`: the number of each row's stratum, from 0; `draw`: its digest."""
    counts = np.bincount(strata)
    room = allotted(counts, config)
    order = np.lexsort((draw, strata))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    place = np.arange(len(order)) - starts[strata[order]]
    stays = np.zeros(len(order), bool)
    stays[order] = place < room[strata[order]]
    return stays


def allotted(counts: NDArray[np.int64], config: BalanceConfig) -> NDArray[np.int64]:
    """Return how many rows of each stratum stay, of those that it has.

    Shares are n^(1/temperature) (as in multilingual training, Conneau and Lample 2019). What a stratum cannot fill of
    its share goes to the others, where a number of rows is asked for.
    """
    most = counts if config.cap is None else np.minimum(counts, config.cap)
    if config.temperature == 1 and config.rows is None:
        return most
    shares = np.where(most > 0, most.astype(float) ** (1 / config.temperature), 0.0)
    if config.rows is None:
        smallest = np.min(most[most > 0] / shares[most > 0], initial=np.inf)
        return np.where(most > 0, np.minimum(most, np.floor(shares * smallest + 1e-9)), 0).astype(np.int64)
    return _filled(most, shares, min(config.rows, int(most.sum())))


def _filled(most: NDArray[np.int64], shares: NDArray[np.float64], rows: int) -> NDArray[np.int64]:
    """Return whole numbers by shares, at most `most` of each, `rows` in all."""
    full = np.zeros(len(most), bool)
    for _ in range(len(most)):
        rest = rows - most[full].sum()
        wanted = np.where(full, most, shares * rest / max(shares[~full].sum(), 1e-300))
        over = (wanted >= most) & ~full
        if not over.any():
            break
        full |= over
    room = np.floor(wanted + 1e-9).astype(np.int64)
    left = np.argsort(-(wanted - room), kind="stable")
    for at in left[: rows - int(room.sum())]:
        room[at] += room[at] < most[at]
    return np.minimum(room, most)


def within_budget(tokens: NDArray[np.uint32], draw: NDArray[np.uint64], budget: int) -> NDArray[np.bool_]:
    """Return which rows fit, taken in the order of their digests until the next one does not."""
    order = np.argsort(draw, kind="stable")
    stays = np.zeros(len(order), bool)
    stays[order] = np.cumsum(tokens[order].astype(np.int64)) <= budget
    return stays
