"""From links between rows to who stays: union-find, and the stricter rule that what falls resembles what stays.

Rows are numbers in the order of preference: of two linked rows the smaller is the better one.

Both steps look for links in the same way, group by group (rows whose band agrees, or whose vectors share a cell): the
best row of a group is compared with the others, and those that resemble it are linked to it. By the stricter rule these
leave the group, and the best of the rest goes on; else they go on, too, until the whole group is one tree. A group of
equal rows takes one comparison each, and two rows that stay and share a group have been compared, so that what stays
falls no further when it is deduplicated again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.dedup.config import Linkage

Rows = NDArray[np.int64]
Alike = Callable[[Rows, Rows], NDArray[np.bool_]]
"""Which pairs resemble each other, the better row first."""


class Links(NamedTuple):
    """Pairs of rows that resemble each other, the better one first."""

    leader: Rows
    member: Rows

    @classmethod
    def of(cls, found: list[Links]) -> Links:
        """Return several as one."""
        none = np.empty(0, np.int64)
        return cls(
            np.concatenate([none, *(links.leader for links in found)]),
            np.concatenate([none, *(links.member for links in found)]),
        )


class Forest:
    """Union-find over flat arrays: many pairs at once; the root of a tree is its smallest row."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def roots(self, rows: Rows) -> Rows:
        """Return the roots of rows, and point the rows to them."""
        found = self._parent[rows]
        while True:
            above = self._parent[found]
            if (above == found).all():
                self._parent[rows] = found
                return found
            found = above

    def join(self, links: Links) -> None:
        """Put the two rows of each link into one tree."""
        left, right = self.roots(links.leader), self.roots(links.member)
        while (apart := left != right).any():
            left, right = left[apart], right[apart]
            low, high = np.minimum(left, right), np.maximum(left, right)
            np.minimum.at(self._parent, high, low)
            left, right = self.roots(low), self.roots(high)

    def labels(self) -> Rows:
        """Return the root of every row."""
        return self.roots(np.arange(len(self._parent)))


class Search(NamedTuple):
    """What to look for."""

    rows: Rows
    """Ascending."""
    active: NDArray[np.bool_] | None
    """By row number: only groups with such a row are of interest. None: all."""
    forest: Forest | None
    """Where links are joined as they are found; rows of one tree need no further comparison. None: all count."""


Find = Callable[[Search], Links]


def settle(rows: Rows, count: int, linkage: Linkage, find: Find) -> Rows:
    """Return who each of `count` rows falls to, itself where it stays. `rows`, ascending: those that still stand."""
    if linkage == "chained":
        forest = Forest(count)
        forest.join(find(Search(rows, None, forest)))
        return forest.labels()
    keeper, active = np.arange(count), None
    while True:
        links = find(Search(rows, active, None))
        stays, orphan = decide(links, count)
        falls = stays[links.leader] & ~stays[links.member]
        best = np.full(count, count)
        np.minimum.at(best, links.member[falls], links.leader[falls])
        keeper = np.where(best < count, best, keeper)
        rows = rows[stays[rows]]
        if not orphan.any():
            return keeper
        active = orphan


def decide(links: Links, count: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return by row whether it stays (none that it is linked to does), and whether it does although it has links.

    A row of the second kind was compared with its leaders alone, all of which fell: it has to be looked at again.
    """
    stays = np.ones(count, np.bool_)
    waiting = np.bincount(links.member, minlength=count)
    linked = waiting > 0
    ready = np.zeros(count, np.bool_)
    ready[links.leader] = True
    ready &= ~linked
    leader, member = links
    while len(leader):
        now = ready[leader]
        stays[member[now & stays[leader]]] = False
        waiting -= np.bincount(member[now], minlength=count)
        leader, member = leader[~now], member[~now]
        ready |= linked & ((waiting == 0) | ~stays)
    return stays, linked & stays


def lead(members: Rows, starts: Rows, alike: Alike, rounds: int, *, forest: Forest | None = None) -> Links:
    """Return the links of many groups at once: `members`, group after group, best first; `starts`: where each begins.

    `alike(leaders, members)` compares pairs. With a forest the links are joined as they are found, and rows of one tree
    are not compared. After `rounds` leaders a group is left as it is: of a large group whose rows do not resemble each
    other not all pairs are compared.
    """
    found = []
    number = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(members))))
    for _ in range(rounds):
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        follows = np.ones(len(members), np.bool_)
        follows[starts] = False
        sizes = np.diff(np.append(starts, len(members)))
        leaders, members, number = np.repeat(members[starts], sizes)[follows], members[follows], number[follows]
        if not len(members):
            break
        asked = np.arange(len(members))
        if forest is not None:
            asked = np.flatnonzero(forest.roots(leaders) != forest.roots(members))
        same = asked[alike(leaders[asked], members[asked])]
        found.append(Links(leaders[same], members[same]))
        left = np.ones(len(members), np.bool_)
        if forest is None:
            left[same] = False
        else:
            forest.join(found[-1])
            left = _apart(forest.roots(members), number)
        members, number = members[left], number[left]
    return Links.of(found)


def _apart(roots: Rows, number: Rows) -> NDArray[np.bool_]:
    """Return which rows stand in a group that is not one tree yet."""
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    mixed = np.minimum.reduceat(roots, starts) != np.maximum.reduceat(roots, starts)
    return np.repeat(mixed, np.diff(np.append(starts, len(roots))))
