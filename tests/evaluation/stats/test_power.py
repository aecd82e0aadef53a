"""How many scenarios are enough: against a simulation made elsewhere, a textbook's formula and brute force."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from evaluation.stats.paired import PairCounts, mcnemar, ratio_of_proportions, ratio_score
from evaluation.stats.power import Supposed, chance_better, chance_not_worse, scenarios_for

EQUAL = Supposed(0.8)


@pytest.mark.parametrize(("n", "share"), [(200, 0.32), (600, 0.72), (1000, 0.91)])
def test_equal_models_pass_the_95_percent_rule_as_simulated_elsewhere(n: int, share: float) -> None:
    # That simulation was a first one: two digits, and another interval for small samples.
    assert chance_not_worse(n, EQUAL) == pytest.approx(share, abs=0.03)


def test_the_chance_to_be_found_better_is_that_of_trying_it_out() -> None:
    supposed = Supposed(0.8, 0.05, 0.15)
    rng = np.random.default_rng(1)
    tables = rng.multinomial(600, supposed.cells(), size=4000)
    found = np.mean([mcnemar(PairCounts(*map(int, t))) < 0.05 and t[1] > t[2] for t in tables])
    assert chance_better(600, supposed) == pytest.approx(found, abs=4 * math.sqrt(0.2 * 0.8 / 4000))


def test_the_test_keeps_its_level_without_a_difference() -> None:
    for n in (20, 100, 1000):
        assert 0 < chance_better(n, EQUAL) <= 0.025


def test_needed_scenarios_follow_the_known_approximation() -> None:
    supposed = Supposed(0.8, 0.05, 0.15)
    found = scenarios_for(functools.partial(chance_better, supposed=supposed))
    # Connor (1987), which is of the test without a correction, as mid-p nearly is.
    connor = ((1.96 * math.sqrt(0.15) + 0.8416 * math.sqrt(0.15 - 0.05**2)) / 0.05) ** 2
    assert found is not None
    assert found == pytest.approx(connor, rel=0.03)


def test_no_number_of_scenarios_shows_a_difference_that_is_not_there() -> None:
    assert scenarios_for(functools.partial(chance_better, supposed=EQUAL)) is None
    assert chance_better(100, Supposed(0.5, 0.0, 0.0)) == 0.0


def test_more_scenarios_and_a_larger_difference_make_it_likelier() -> None:
    chances = [chance_better(n, Supposed(0.7, 0.05, 0.2)) for n in (100, 300, 1000, 3000)]
    assert chances == sorted(chances)
    assert chance_better(300, Supposed(0.7, 0.1, 0.2)) > chance_better(300, Supposed(0.7, 0.05, 0.2))


@pytest.mark.parametrize("table", [(150, 10, 20, 20), (0, 3, 0, 7), (10, 0, 0, 0), (5, 1, 9, 85), (0, 0, 4, 6)])
def test_the_score_says_the_same_as_the_interval(table: tuple[int, int, int, int]) -> None:
    counts = PairCounts(*table)
    interval = ratio_of_proportions(counts)
    for ratio in (0.5, 0.9, 0.95, 1.1):
        if interval.low is not None and abs(interval.low - ratio) > 1e-6:
            assert (ratio_score(counts, ratio) >= 1.959964) == (interval.low >= ratio)


@pytest.mark.parametrize(
    "supposed", [Supposed(0.8, 0.1, 0.05), Supposed(0.9, 0.0, 0.3), Supposed(0.99, 0.05, 0.1), Supposed(0.5, math.nan)]
)
def test_models_that_cannot_be_are_refused(supposed: Supposed) -> None:
    with pytest.raises(ValueError, match="discordant: expected a share from"):
        chance_better(100, supposed)


def test_a_power_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="power: expected a number between 0 and 1, found 1"):
        scenarios_for(lambda _: 1.0, power=1.0)
