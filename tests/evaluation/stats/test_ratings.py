"""Versions ranked at once: a published league table, simulated strengths, and what cannot be ranked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

from evaluation.stats.ratings import fit, ratings

LEAGUE = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ],
    dtype=float,
)
"""Baseball, American League East 1987, home and away together (Agresti 2002, Categorical Data Analysis, 10.6)."""

PUBLISHED = (1.581, 1.436, 1.294, 1.248, 1.108, 0.684, 0.0)
"""Agresti's estimates: Milwaukee, Detroit, Toronto, New York, Boston, Cleveland; Baltimore is 0."""


def test_the_published_league_table_is_found_again() -> None:
    strengths = fit(LEAGUE, prior=0.0).strengths
    assert strengths - strengths[-1] == pytest.approx(PUBLISHED, abs=0.001)


def drawn(seed: int, strengths: list[float], scenarios: int) -> dict[str, dict[str, float]]:
    """Scores of versions that differ by their strength, on scenarios that are harder or easier for all."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 1, scenarios)
    return {
        f"v{number}": {f"s{n}": float(rng.random() < expit(strength - hard[n])) for n in range(scenarios)}
        for number, strength in enumerate(strengths)
    }


def test_the_stronger_rank_higher_and_say_how_sure_that_is() -> None:
    found = ratings(drawn(0, [-1.0, 1.0, 0.0], 600))
    assert [one.version for one in found] == ["v1", "v2", "v0"]
    assert [one.rank for one in found] == [1, 2, 3]
    best, worst = found[0].strength, found[-1].strength
    assert best.low is not None
    assert worst.high is not None
    assert best.low > 0 > worst.high
    assert best.n == 600
    assert found[0].comparisons == 1200
    assert sum(one.strength.value or 0 for one in found) == pytest.approx(0, abs=1e-9)


def test_equal_versions_are_told_apart_once_in_twenty() -> None:
    wrong = 0
    for seed in range(200):
        other = next(r for r in ratings(drawn(seed, [0.0, 0.0, 0.0], 120)) if r.version == "v1")
        assert other.strength.low is not None
        assert other.strength.high is not None
        wrong += not other.strength.low <= 0 <= other.strength.high
    # 5% of 200, and the Monte Carlo error of its 99.9% quantile.
    assert wrong <= 21


def test_neither_the_order_nor_a_second_run_changes_a_figure() -> None:
    scores = drawn(3, [0.5, 0.0, -0.5], 50)
    turned = {name: dict(reversed(of.items())) for name, of in reversed(scores.items())}
    assert ratings(turned) == ratings(scores) == ratings(scores)


def test_a_version_that_wins_everything_stays_finite() -> None:
    found = ratings({"all": {f"s{n}": 1.0 for n in range(20)}, "none": {f"s{n}": 0.0 for n in range(20)}})
    assert [one.version for one in found] == ["all", "none"]
    assert all(math.isfinite(one.strength.value or math.nan) for one in found)
    assert found[0].wins == found[0].comparisons == 20


def test_versions_that_nothing_links_are_groups_of_their_own() -> None:
    scores = {"a": {"x": 1.0}, "b": {"x": 0.0, "y": 1.0}, "c": {"y": 0.0}, "d": {"z": 1.0}, "e": {}}
    found = ratings(scores)
    assert [(one.version, one.group, one.rank) for one in found] == [
        ("a", 0, 1), ("b", 0, 2), ("c", 0, 3), ("d", 1, 1), ("e", 2, 1),
    ]  # fmt: skip
    alone = found[3].strength
    assert (alone.value, alone.low, alone.n) == (None, None, 0)
    assert ratings({}) == []


def test_ties_make_equals() -> None:
    found = ratings({name: {f"s{n}": 1.0 for n in range(9)} for name in ("a", "b")})
    assert [one.strength.value for one in found] == [pytest.approx(0), pytest.approx(0)]
    assert [one.version for one in found] == ["a", "b"]


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_that_are_none_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match=r"expected finite scores, found (nan|inf) of a on s"):
        ratings({"a": {"s": score}})


@pytest.mark.parametrize("wins", [[[0, -1], [1, 0]], [[1, 1], [1, 0]], [[0, math.nan], [1, 0]], [[0, 1]]])
def test_tables_that_are_none_are_refused(wins: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="expected a square table of wins"):
        fit(np.array(wins, dtype=float))


def test_without_a_prior_a_version_that_never_loses_has_no_strength() -> None:
    with pytest.raises(ValueError, match="or a prior above 0"):
        fit(np.array([[0.0, 5.0], [0.0, 0.0]]), prior=0.0)
