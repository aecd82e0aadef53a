"""Which rows stand together, and which groups are kept for evaluation. Pure, and the same in any order of rows.

Decisions: rows with one scenario group, one query (without case, width and white space) or one conversation are one
group, and so is what hangs together through such rows: a paraphrase of a query in somebody's conversation goes where
that goes. A group's name is the smallest of its keys; split and fold are drawn by the digest of seed and name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from training.prepare.candidates import digest64
from training.prepare.config import SplitConfig

_RANGE = 2.0**64


def groups(keys: NDArray[np.uint64], alone: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the group of each row. `keys`: rows × kinds of key, 0 for none; `alone`: the key of a row without any."""
    keys = np.where((keys == 0).all(axis=1, keepdims=True) & (np.arange(keys.shape[1]) == 0), alone[:, None], keys)
    first = np.argmax(keys != 0, axis=1)
    anchor = keys[np.arange(len(keys)), first]
    names, place = np.unique(keys, return_inverse=True)
    place = place.reshape(keys.shape).astype(np.int32)
    begin = np.searchsorted(names, anchor).astype(np.int32)
    edges = [
        (begin[linked], place[linked, kind])
        for kind in range(keys.shape[1])
        if (linked := (keys[:, kind] != 0) & (keys[:, kind] != anchor)).any()
    ]
    labels = np.arange(len(names))
    if edges:
        ends = [np.concatenate(side) for side in zip(*edges, strict=True)]
        graph = coo_matrix((np.ones(len(ends[0]), np.int8), ends), (len(names), len(names)))
        _, labels = connected_components(graph, directed=False)
    smallest = np.full(labels.max(initial=0) + 1, np.iinfo(np.uint64).max, np.uint64)
    used = names != 0
    np.minimum.at(smallest, labels[used], names[used])
    named: NDArray[np.uint64] = smallest[labels[begin]]
    return named


def drawn(group: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each group's name."""
    names, place = np.unique(group, return_inverse=True)
    return np.array([digest64(f"split/{seed}/{name}") / _RANGE for name in names.tolist()])[place]


def split(group: NDArray[np.uint64], config: SplitConfig, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which rows are held out, and each row's fold (−1 where there are none)."""
    held = drawn(group, seed) < config.hold_out
    if config.folds is None:
        return held, np.full(len(group), -1)
    return held, np.floor(drawn(group, seed + 1) * config.folds).astype(np.int64)
