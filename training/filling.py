"""Which lengths go together into rooms of one size, so that little room is left over.

Best fit decreasing is as good as can be where lengths differ much, and wastes some per cent where they are alike: the
longest fill the first bins until none of their like fits, and nothing shorter is left that would. There, bin after bin
is filled with the longest and those of a sample of the others that together come nearest to the room that is left: a
subset sum, reckoned on the bits of one integer. What is fuller is taken; where both are, best fit decreasing.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

SAMPLE = 48
"""Lengths among which a bin's are chosen: their subsets have more sums than a bin has room."""


def fullest(lengths: Sequence[int], room: int) -> list[int]:
    """Return the places of lengths that together come nearest to `room` without going over; earlier ones if both do."""
    within = (1 << room + 1) - 1
    sums = [1]
    for length in lengths:
        sums.append((sums[-1] | sums[-1] << length) & within)
    total = sums[-1].bit_length() - 1
    chosen = []
    for place in range(len(lengths) - 1, -1, -1):
        if not sums[place] >> total & 1:
            chosen.append(place)
            total -= lengths[place]
    return chosen[::-1]


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Return bins of indices. Raises ValueError where one is longer than `capacity`."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    if order and lengths[order[0]] > capacity:
        index = order[0]
        raise ValueError(f"row {index} has {lengths[index]} tokens, more than the pack length {capacity}")
    bins = _best_fit(lengths, order, capacity)
    if len(bins) == -(-sum(lengths) // capacity):
        return bins
    return min(bins, _sampled(lengths, order, capacity), key=len)


def _best_fit(lengths: Sequence[int], order: Sequence[int], capacity: int) -> list[list[int]]:
    """Return bins: each length goes where the least room is left that suffices."""
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for index in order:
        length = lengths[index]
        at = bisect.bisect_left(room, (length, -1))
        if at < len(room):
            left, number = room.pop(at)
            bins[number].append(index)
        else:
            left, number = capacity, len(bins)
            bins.append([index])
        bisect.insort(room, (left - length, number))
    return bins


def _sampled(lengths: Sequence[int], order: Sequence[int], capacity: int) -> list[list[int]]:
    """Return bins, each with the longest of what is left and those of a sample that fill it best."""
    left = list(order)
    bins: list[list[int]] = []
    places: Sequence[int]
    while left:
        longest = left.pop(0)
        places = range(len(left))
        if len(left) > SAMPLE:
            places = [n * (len(left) - 1) // (SAMPLE - 1) for n in range(SAMPLE)]
        taken = fullest([lengths[left[place]] for place in places], capacity - lengths[longest])
        bins.append([longest, *(left[places[n]] for n in taken)])
        for n in reversed(taken):
            del left[places[n]]
    return bins
