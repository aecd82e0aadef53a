"""Paired differences watched all the time: the interval is hardly ever wrong, and hardly wider than it must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.stats.betting import PairedSequence, paired_sequence
from evaluation.stats.intervals import Array
from evaluation.stats.sequential import robbins_radius

DIFFERENCES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=1, max_size=60)


def pairs(rng: np.random.Generator, n: int, discordant: float, difference: float = 0.0) -> Array:
    """Draw differences of binary outcomes."""
    ahead, behind = (discordant + difference) / 2, (discordant - difference) / 2
    drawn: Array = rng.choice([1.0, -1.0, 0.0], size=n, p=[ahead, behind, 1 - discordant])
    return drawn


@pytest.mark.parametrize(("discordant", "difference"), [(0.5, 0.0), (0.3, 0.1)])
def test_watched_after_each_pair_it_is_wrong_at_most_once_in_twenty(discordant: float, difference: float) -> None:
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(100):
        sequence = PairedSequence()
        for one in pairs(rng, 150, discordant, difference):
            sequence.add(np.array([one]))
            if sequence.excludes(difference):
                wrong += 1
                break
    # The 99.9% quantile of so many tries at 5%.
    assert wrong <= 13


def test_it_is_about_as_narrow_as_the_boundary_that_knows_spread_and_end() -> None:
    for discordant, n in ((0.15, 1000), (0.15, 10_000), (0.4, 300), (0.05, 3000)):
        half = round(n * discordant / 2)
        found = paired_sequence(np.array([1.0] * half + [-1.0] * half + [0.0] * (n - 2 * half)))
        assert found.high is not None
        assert found.high <= 1.3 * robbins_radius(n, math.sqrt(discordant), 0.05, n)
        assert found.low == pytest.approx(-found.high, abs=1e-6)


def test_shares_of_attempts_are_differences_too() -> None:
    rng = np.random.default_rng(2)
    values = rng.choice([-0.5, 0.0, 0.5], size=2000, p=[0.05, 0.8, 0.15])
    found = paired_sequence(values)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 0.05 < found.high < 0.1


@given(DIFFERENCES)
def test_swapping_the_arms_turns_the_interval_round(values: list[float]) -> None:
    one, other = paired_sequence(np.array(values)), paired_sequence(-np.array(values))
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-6)  # type: ignore[operator]


@given(DIFFERENCES)
def test_neither_order_nor_portions_matter(values: list[float]) -> None:
    shuffled = sorted(values)
    sequence = PairedSequence()
    for value in shuffled:
        sequence.add(np.array([value]))
    whole = paired_sequence(np.array(values))
    assert sequence.interval() == whole
    assert whole.low is not None
    assert whole.high is not None
    assert whole.value is not None
    assert -1 <= whole.low <= whole.value <= whole.high <= 1


def test_what_it_excludes_lies_outside_its_interval() -> None:
    sequence = PairedSequence()
    sequence.add(np.array([1.0] * 80 + [-1.0] * 20 + [0.0] * 300))
    found = sequence.interval()
    assert found.low is not None
    assert found.high is not None
    assert sequence.excludes(found.low - 0.001)
    assert not sequence.excludes(found.low + 0.001)
    assert not sequence.excludes(found.high - 0.001)
    assert sequence.excludes(found.high + 0.001)


def test_nothing_is_known_of_nothing() -> None:
    sequence = PairedSequence()
    assert not sequence.excludes(0.5)
    found = sequence.interval()
    assert (found.value, found.low, found.high, found.n) == (None, -1.0, 1.0, 0)


@pytest.mark.parametrize("bad", [[1.5], [-2.0], [math.nan], [math.inf]])
def test_other_differences_are_refused_and_change_nothing(bad: list[float]) -> None:
    sequence = PairedSequence()
    sequence.add(np.array([1.0, 0.0]))
    before = sequence.interval()
    with pytest.raises(ValueError, match="expected"):
        sequence.add(np.array([0.0, *bad]))
    assert sequence.interval() == before
    with pytest.raises(ValueError, match="expected 0 < alpha < 1, found alpha=2"):
        PairedSequence(2)
