import math

import numpy as np
import pytest

from evaluation.stats.sequential import (
    Arm,
    Concentrations,
    Moments,
    concentrations,
    difference_sequence,
    log_evidence,
    mean_difference_sequence,
    mean_sequence,
    proportion_sequence,
    robbins_radius,
)

TUNING = Concentrations(base=160.0, candidate=4.0)


def share_ever_excluded(
    p: float, weight: float, tuning: Concentrations, *, runs: int = 2000, steps: int = 200
) -> float:
    """Share of A/A runs in which, after any observation, either side's evidence against the truth passes its limit.

    The interval can only exclude the true difference where this happens, so it bounds the interval's error.
    """
    rng = np.random.default_rng(round(1000 * p + 10 * weight))
    to_candidate = rng.random((runs, steps)) < weight
    success = rng.random((runs, steps)) < p
    n1, s1 = to_candidate.cumsum(1), (to_candidate & success).cumsum(1)
    n0, s0 = (~to_candidate).cumsum(1), (~to_candidate & success).cumsum(1)
    wrong = np.zeros(runs, dtype=bool)
    for above in (True, False):
        against = log_evidence(s1, n1, np.array(p), above=above, concentration=tuning.candidate)
        against = against + log_evidence(s0, n0, np.array(p), above=not above, concentration=tuning.base)
        wrong |= (against >= math.log(2 / 0.05)).any(1)
    return float(wrong.mean())


@pytest.mark.parametrize("p", [0.05, 0.4, 0.85, 0.99])
@pytest.mark.parametrize(("weight", "tuning"), [(0.1, TUNING), (0.5, concentrations(200, 200))])
def test_equal_arms_watched_after_every_observation_keep_the_level(p, weight, tuning):
    assert share_ever_excluded(p, weight, tuning) <= 0.05


def test_the_interval_itself_keeps_the_level_when_watched():
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(40):
        to_candidate, success = rng.random(200) < 0.2, rng.random(200) < 0.6
        s1, n1 = (to_candidate & success).cumsum(), to_candidate.cumsum()
        s0, n0 = (~to_candidate & success).cumsum(), (~to_candidate).cumsum()
        looks = [
            difference_sequence(Arm(int(s0[t]), int(n0[t])), Arm(int(s1[t]), int(n1[t])), 0.05, TUNING)
            for t in range(3, 200, 8)
        ]
        wrong += any(not look.low <= 0 <= look.high for look in looks)
    assert wrong <= 5


def test_the_interval_is_no_tighter_than_its_evidence():
    """Whatever the grid does, an excluded difference is one that every pair of rates at that difference contradicts."""
    base, candidate = Arm(52, 130), Arm(14, 16)
    low = difference_sequence(base, candidate, 0.05, TUNING).low
    rates = np.linspace(1e-6, 1 - 1e-6, 20_001)
    for delta, excluded in ((low - 1e-3, True), (low + 1e-3, False)):
        inside = rates[(rates + delta > 0) & (rates + delta < 1)]
        total = log_evidence(np.array(base.successes), np.array(base.n), inside, above=False, concentration=TUNING.base)
        total = total + log_evidence(
            np.array(candidate.successes),
            np.array(candidate.n),
            inside + delta,
            above=True,
            concentration=TUNING.candidate,
        )
        assert bool(total.min() >= math.log(40)) == excluded


def test_the_width_is_close_to_robbins_boundary_tuned_at_the_same_n():
    for n in (100, 400, 2000):
        estimate = difference_sequence(Arm(n // 2, n), Arm(n // 2, n), 0.05, concentrations(n, n))
        robbins = robbins_radius(n, math.sqrt(0.5), 0.05, tuned_at=n)
        assert (estimate.high - estimate.low) / 2 <= 1.3 * robbins


def test_swapping_the_arms_flips_the_interval():
    forth = difference_sequence(Arm(40, 100), Arm(17, 20), 0.05, TUNING)
    back = difference_sequence(Arm(17, 20), Arm(40, 100), 0.05, Concentrations(TUNING.candidate, TUNING.base))
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-4)


def test_edges():
    empty = difference_sequence(Arm(0, 0), Arm(3, 5), 0.05, TUNING)
    assert (empty.value, empty.low, empty.high) == (None, -1.0, 1.0)
    apart = difference_sequence(Arm(0, 1000), Arm(1000, 1000), 0.05, TUNING)
    assert apart.low > 0.95
    assert apart.high == pytest.approx(1.0, abs=1e-3)
    assert proportion_sequence(Arm(0, 40)).low == 0.0
    assert proportion_sequence(Arm(40, 40)).high == 1.0
    assert proportion_sequence(Arm(0, 0)).value is None
    with pytest.raises(ValueError, match="successes=3, n=2"):
        proportion_sequence(Arm(3, 2))


def test_bounded_means_keep_the_level_when_watched():
    values = np.random.default_rng(4).random((1000, 500)) < 0.5
    means = values.cumsum(1) / np.arange(1, 501)
    radii = np.array([robbins_radius(n, 0.5, 0.05, tuned_at=100) for n in range(1, 501)])
    assert (np.abs(means - 0.5) > radii).any(1).mean() <= 0.05
    assert mean_sequence(0.5, 100).high == pytest.approx(0.5 + radii[99])


def test_latency_differences_keep_the_level_when_watched_from_twenty_on():
    draws = np.random.default_rng(6).gamma(4.0, 25.0, (2, 200, 300))
    wrong = 0
    for first, second in zip(*draws, strict=True):
        looks = (
            mean_difference_sequence(
                *(Moments(n, arm[:n].mean(), arm[:n].std(ddof=1)) for arm in (first, second)), 0.05, 60
            )
            for n in range(20, 301, 10)
        )
        wrong += any(not look.low <= 0 <= look.high for look in looks)
    assert wrong / 200 <= 0.05
