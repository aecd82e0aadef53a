"""Lists of tools that several scenarios share, as the requests to one agent do. Pure.

Rows that share their list of tools begin alike, and what they share is computed once in training. A list begins with
what the requests need of which most are left, goes on with what others need that go with them, and is filled up by lot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple


class Want(NamedTuple):
    """What a request asks of the tools on offer."""

    needs: frozenset[str]
    """Tools that have to be on offer."""
    bars: frozenset[str]
    """Tools that must not be."""
    within: frozenset[str]
    """Tools that may be."""

    def fits(self, tools: frozenset[str]) -> bool:
        """Return whether the request can be made where `tools` are on offer."""
        return self.needs <= tools <= self.within and self.bars.isdisjoint(tools)


class Asked(NamedTuple):
    """A request: what it asks of the tools, and what it says. No list is for two that say the same."""

    want: Want
    said: Hashable


@dataclass(frozen=True)
class Sizes:
    """How lists are made."""

    least: int
    most: int
    """Tools of a list; more only where one request needs more."""
    together: int
    """Requests that share a list at most."""


@dataclass
class _Alike:
    """Requests that ask the same of the tools, and have no list yet."""

    want: Want
    left: deque[int]
    """Their places among all."""


def shared_lists(asked: Sequence[Asked], sizes: Sizes, random: Random) -> list[tuple[str, ...]]:
    """Return the tools on offer to each request, in an order that those of one list share."""
    by_want: dict[Want, deque[int]] = {}
    for index, one in enumerate(asked):
        by_want.setdefault(one.want, deque()).append(index)
    waiting = [_Alike(want, left) for want, left in by_want.items()]
    lists: list[tuple[str, ...]] = [()] * len(asked)
    while waiting:
        first = max(waiting, key=lambda alike: len(alike.left))
        tools = _tools(first.want, [alike.want for alike in waiting], sizes, random)
        order = sorted(tools)
        random.shuffle(order)
        for index in _members(first, [one for one in waiting if one.want.fits(tools)], asked, sizes.together):
            lists[index] = tuple(order)
        waiting = [alike for alike in waiting if alike.left]
    return lists


def _tools(first: Want, wants: list[Want], sizes: Sizes, random: Random) -> frozenset[str]:
    """Return a list for `first` that serves others of `wants`, too."""
    tools, bars, within = first
    size = random.randint(sizes.least, sizes.most)
    for want in random.sample(wants, len(wants)):
        both = tools | want.needs
        if len(tools) < len(both) <= size:
            barred, allowed = bars | want.bars, within & want.within
            if both <= allowed and barred.isdisjoint(both):
                tools, bars, within = both, barred, allowed
    others = sorted(within - bars - tools)
    return tools | frozenset(random.sample(others, max(0, min(size - len(tools), len(others)))))


def _members(first: _Alike, fit: Sequence[_Alike], asked: Sequence[Asked], most: int) -> Iterator[int]:
    """Take up to `most` requests of those that `fit`, one of `first` and then of those of which most are left."""
    said: set[Hashable] = set()
    for place in range(most):
        open_to = [alike for alike in fit if alike.left and asked[alike.left[0]].said not in said]
        if not open_to:
            return
        index = (max(open_to, key=lambda alike: len(alike.left)) if place else first).left.popleft()
        said.add(asked[index].said)
        yield index
