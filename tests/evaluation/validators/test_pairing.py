from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from evaluation.validators.pairing import Fits, in_any_order, in_order

FITS = st.integers(0, 4).flatmap(
    lambda width: st.lists(st.lists(st.booleans(), min_size=width, max_size=width), max_size=4)
)


def most(fits: Fits) -> int:
    """Return the size of the largest pairing, by trying all."""
    found = len(fits[0]) if fits else 0
    ways = itertools.permutations([*range(found), *[None] * len(fits)], len(fits))
    return max(sum(got is not None and fits[want][got] for want, got in enumerate(way)) for way in ways)


@given(FITS)
def test_as_many_as_possible_are_paired_where_the_order_does_not_count(fits) -> None:
    paired = in_any_order(fits)
    assert len(paired) == most(fits)
    assert len(set(paired.values())) == len(paired)
    assert all(fits[want][got] for want, got in paired.items())


@given(FITS)
def test_all_are_paired_in_order_exactly_where_they_can_be(fits) -> None:
    paired = in_order(fits)
    found = range(len(fits[0]) if fits else 0)
    can = any(all(fits[w][g] for w, g in enumerate(way)) for way in itertools.combinations(found, len(fits)))
    assert (len(paired) == len(fits)) == can
    assert all(fits[want][got] for want, got in paired.items())
    assert list(paired.values()) == sorted(set(paired.values()))
