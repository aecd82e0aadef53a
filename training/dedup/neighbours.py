"""Pairs of vectors whose cosine is at least a threshold, cell by cell.

Each row lives in the cell of the centre that it is nearest to. Two rows at most δ = √(2 − 2·threshold) apart that live
in different cells lie on both sides of the border between these, so that one of them is at most δ/2 from it; hence it
is enough that a row visits the cells whose border is that near, and that every cell compares those who live there with
all who are there. So no pair is missed, unless a row is near more borders than `probes`.

Decisions: centres come from a few rounds of spherical k-means (Dhillon and Modha 2001) on a part of the rows. In a cell
rows are compared in order of preference, and one that was linked leads no more (`linking.py`), so that many equal rows
cost one comparison each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.dedup.linking import Forest, Links, Rows, Search

CELL = 256
"""Rows that live in a cell, on average."""
_ROUNDS = 6
_BLOCK = 512  # leaders that are compared at once
_AT_ONCE = 1 << 23  # cosines that are held at once

Vectors = NDArray[np.floating]


class Cells(NamedTuple):
    """Who is in which cell. Cell by cell, those who live there before those who visit, each ascending."""

    rows: Rows
    starts: Rows
    """By cell, and at last the number of all."""
    living: Rows
    """By cell how many live there."""


def exact(vectors: Vectors, search: Search, threshold: float) -> Links:
    """Compare all pairs that are of interest."""
    chained = search.forest is not None
    return _linked(vectors, search.rows, len(search.rows), threshold=threshold, chained=chained)


def partitioned(vectors: Vectors, search: Search, threshold: float, centres: Vectors, *, probes: int) -> Links:
    """Compare the pairs that share a cell of `centres`."""
    cells = assign(vectors, search.rows, centres, threshold=threshold, probes=probes)
    found = []
    for number, (start, end) in enumerate(zip(cells.starts, cells.starts[1:], strict=False)):
        rows = cells.rows[start:end]
        if len(rows) < 2 or (search.active is not None and not search.active[rows].any()):
            continue
        chained = search.forest is not None
        found.append(_linked(vectors, rows, int(cells.living[number]), threshold=threshold, chained=chained))
    return Links.of(found)


def fit(vectors: Vectors, count: int, seed: int) -> NDArray[np.float32]:
    """Return centres (unit vectors) for `count` rows, fitted on the rows that are given."""
    wanted = max(1, min(round(count / CELL), len(vectors) // 4))
    data = vectors.astype(np.float32)
    centres = data[np.random.default_rng(seed).choice(len(data), wanted, replace=False)] if len(data) else data
    for _ in range(_ROUNDS if wanted > 1 else 0):
        nearest = np.concatenate([(data[part] @ centres.T).argmax(axis=1) for part in _parts(len(data), wanted)])
        order = np.argsort(nearest, kind="stable")
        filled, starts = np.unique(nearest[order], return_index=True)
        sums = np.add.reduceat(data[order], starts, axis=0)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres[filled] = np.where(norms > 0, sums / np.maximum(norms, 1e-12), centres[filled])
    return centres


def assign(vectors: Vectors, rows: Rows, centres: Vectors, *, threshold: float, probes: int) -> Cells:
    """Put each row into the cell where it lives and into those that it visits."""
    reach = np.float32(np.sqrt(max(2 - 2 * threshold, 0)) / 2 + 1e-4)
    between = np.sqrt(np.maximum(2 - 2 * (centres @ centres.T), np.float32(1e-12)))
    home, visits = np.empty(len(rows), np.int64), []
    for part in _parts(len(rows), len(centres)):
        near = vectors[rows[part]].astype(np.float32, copy=False) @ centres.T
        home[part] = near.argmax(axis=1)
        own = near[np.arange(len(near)), home[part]][:, None]
        near = (own - near) / between[home[part]]
        close = near <= reach
        close[np.arange(len(near)), home[part]] = False
        visits.append(_few(near, close, probes) + np.array([[part.start], [0]]))
    visitor, cell = np.concatenate(visits, axis=1) if visits else np.empty((2, 0), np.int64)
    cells, who = np.concatenate([home, cell]), np.concatenate([rows, rows[visitor]])
    visiting = np.arange(len(cells)) >= len(rows)
    order = np.lexsort((who, visiting, cells))
    starts = np.searchsorted(cells[order], np.arange(len(centres) + 1))
    return Cells(who[order], starts, np.bincount(home, minlength=len(centres)))


def _few(distance: Vectors, close: NDArray[np.bool_], probes: int) -> NDArray[np.int64]:
    """Return row and cell of the nearest borders, at most `probes` for each row."""
    many = np.flatnonzero(np.count_nonzero(close, axis=1) > probes)
    if len(many):
        bound = np.partition(np.where(close[many], distance[many], np.inf), probes - 1, axis=1)[:, probes - 1, None]
        close[many] &= distance[many] <= bound
    return np.array(np.nonzero(close))


def _linked(vectors: Vectors, rows: Rows, living: int, *, threshold: float, chained: bool) -> Links:
    """Return the links of one cell: the first `living` of `rows` live there, the others visit."""
    order = np.argsort(rows, kind="stable")
    local, lives = rows[order], order < living
    data = vectors[local].astype(np.float32, copy=False)
    free = np.ones(len(local), np.bool_)
    found: list[tuple[int, Rows]] = []
    done = 0
    while done < len(local):
        others = done + np.flatnonzero(free[done:])
        leaders = others[: min(_BLOCK, max(16, _AT_ONCE // max(len(others), 1)))]
        for leader, against, alike in _alike(data, leaders, others, lives, threshold=threshold):
            if free[leader]:
                fell = against[alike]
                fell = fell[free[fell] & (fell > leader)]
                free[fell] = False
                found.append((leader, fell))
        done = int(leaders[-1]) + 1 if len(leaders) else len(local)
    links = Links.of([Links(np.full(len(fell), leader), fell) for leader, fell in found])
    if chained:
        links = _chained(data, links, lives, threshold)
    return Links(local[links.leader], local[links.member])


def _chained(data: NDArray[np.float32], stars: Links, lives: NDArray[np.bool_], threshold: float) -> Links:
    """Return the links of a cell and those by which rows that fell to a leader bring others along.

    A tree's rows are compared with those of other trees alone, and of what they link one link each is enough.
    """
    forest, found = Forest(len(data)), [stars]
    forest.join(stars)
    begins = np.flatnonzero(np.diff(stars.leader, prepend=-1))
    for fell in np.split(stars.member, begins[1:]) if len(begins) else []:
        done = 0
        while done < len(fell):
            labels = forest.labels()
            others = np.flatnonzero(labels != labels[fell[0]])
            some = fell[done : done + max(16, _AT_ONCE // max(len(others), 1))]
            done += len(some)
            alike = data[some] @ data[others].T >= np.float32(threshold - 1e-6)
            alike &= lives[some][:, None] | lives[others]
            hit = np.flatnonzero(alike.any(axis=0))
            first, second = some[alike.argmax(axis=0)[hit]], others[hit]
            found.append(Links(np.minimum(first, second), np.maximum(first, second)))
            forest.join(found[-1])
    return Links.of(found)


def _alike(
    data: NDArray[np.float32], leaders: Rows, others: Rows, lives: NDArray[np.bool_], *, threshold: float
) -> list[tuple[int, Rows, NDArray[np.bool_]]]:
    """Return each leader that resembles another row, in order, and which of whom; of two visitors nobody asks here."""
    least = np.float32(threshold - 1e-6)
    at_home = lives[leaders]
    found = []
    for some, against in ((leaders[at_home], others), (leaders[~at_home], others[lives[others]])):
        alike = data[some] @ data[against].T >= least
        itself = 1 if against is others else 0
        hits = np.flatnonzero(np.count_nonzero(alike, axis=1) > itself)
        found += [(int(some[hit]), against, alike[hit]) for hit in hits]
    return sorted(found, key=lambda one: one[0])


def _parts(count: int, width: int) -> list[slice]:
    size = max(64, _AT_ONCE // max(width, 1))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
