"""Which rows stand together, and which groups are kept for evaluation. Pure, and the same in any order of rows.

Decisions: rows with one scenario group, one query (without case, width and white space) or one conversation are one
group, and so is what hangs together through such rows: a paraphrase of a query in somebody's conversation goes where
that goes. A group's name is the smallest of its keys; split and fold are drawn by the digest of seed and name.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from training.prepare.candidates import digest64
from training.prepare.config import SplitConfig

_RANGE = 2.0**64
_NONE = np.uint64(2**64 - 1)
_PIECE = 1 << 16  # rows that are looked up at once


def groups(columns: Iterable[NDArray[np.uint64]], alone: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the group of each row.

    `columns` are its keys, one kind after another, 0 for none; `alone` is its key where it has no other. Only keys that
    several rows have join rows; the others can do no more than give a group its name.
    """
    name = np.full(len(alone), _NONE)
    begin = np.full(len(alone), -1, np.int32)
    edges: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    count = 0
    for keys in columns:
        np.minimum(name, keys, out=name, where=keys != 0)
        place, shared = _shared(keys)
        place[place >= 0] += count
        count += shared
        linked = np.flatnonzero((place >= 0) & (begin >= 0))
        edges.append((begin[linked], place[linked]))
        np.copyto(begin, place, where=begin < 0)
    np.copyto(name, alone, where=name == _NONE)
    member = np.flatnonzero(begin >= 0)
    if len(member):
        ends = [np.concatenate(side) for side in zip(*edges, strict=True)]
        graph = coo_matrix((np.ones(len(ends[0]), np.int8), ends), (count, count))
        label = connected_components(graph, directed=False)[1][begin[member]]
        smallest = np.full(count, _NONE)
        np.minimum.at(smallest, label, name[member])
        name[member] = smallest[label]
    return name


def _shared(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int32], int]:
    """Return by row the number of its key among those that several rows have, or −1; and how many such keys are."""
    ordered = np.sort(keys)
    again = ordered[1:][(ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)]
    del ordered
    again = again[np.diff(again, prepend=np.uint64(0)) != 0]
    place = np.full(len(keys), -1, np.int32)
    for start in range(0, len(keys) if len(again) else 0, _PIECE):
        part = keys[start : start + _PIECE]
        at = np.minimum(np.searchsorted(again, part), len(again) - 1)
        place[start : start + _PIECE] = np.where(again[at] == part, at, -1)
    return place, len(again)


def drawn(group: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each group's name."""
    found = np.empty(len(group))
    for start in range(0, len(group), _PIECE):
        names, place = np.unique(group[start : start + _PIECE], return_inverse=True)
        numbers = np.array([digest64(f"split/{seed}/{name}") / _RANGE for name in names.tolist()])
        found[start : start + _PIECE] = numbers[place]
    return found


def split(group: NDArray[np.uint64], config: SplitConfig, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Return which rows are held out, and each row's fold (−1 where there are none)."""
    held = drawn(group, seed) < config.hold_out
    if config.folds is None:
        return held, np.broadcast_to(np.int32(-1), len(group))
    return held, np.floor(drawn(group, seed + 1) * config.folds).astype(np.int32)
