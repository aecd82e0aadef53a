"""Intervals that hold at every moment, however often they are looked at (always-valid, confidence sequences).

Binary outcomes: for a supposed success rate p, the likelihood ratio of a mixture over other rates q against p is a
martingale (Robbins 1970), and so is the product of the two arms', whatever their sizes and the order of arrivals. By
Ville's inequality it ever passes 1/alpha with probability alpha at most. A side of the interval of the difference is
the least (largest) difference of all pairs (p_base, p_candidate) whose product has not passed 2/alpha. The mixture is
centred on p (Beta(c·p, c·(1 − p)) cut at p) and puts 95% on the side that is asked about, so that little is spent on
other directions; its concentration c decides where the interval is tight, not whether it is valid. With a large control
arm and a small candidate arm the control's c should be large: see `concentrations`. Exact at every n.

Unbounded figures (latency, ratings): the asymptotic confidence sequence of Waudby-Smith et al. (2024), which is not
exact for small n, so that callers ask for a minimum. Limit of all: rates that change with time are pooled.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaln, xlog1py, xlogy

from evaluation.stats.intervals import Array, Estimate

GRID = 400
"""Points of the local grid over success rates."""

AWAY = 0.05
"""Share of each mixture on the far side of p: rules out pairs of rates that are both far too low, or both too high."""


class Concentrations(NamedTuple):
    """How closely each arm's mixture lies around the supposed rate, in pseudo-observations."""

    base: float
    candidate: float


class Arm(NamedTuple):
    """Binary outcomes of one arm."""

    successes: int
    n: int


class Moments(NamedTuple):
    """Summary of a continuous figure of one arm."""

    n: int
    mean: float
    sd: float


def concentrations(base: int, candidate: int) -> Concentrations:
    """Return the concentrations that are tight when the arms have about these sizes (fix them before looking).

    The smaller arm gets a tenth of its size (about Robbins' tuning); the larger arm's mixture is narrower by the square
    of the ratio of the sizes, since its rate need only be moved that little to explain a difference.
    """
    small = max(2.0, min(base, candidate) / 10)
    ratio = max(base, 1) / max(candidate, 1)
    return Concentrations(
        base=min(small * max(ratio, 1.0) ** 2, 160.0), candidate=min(small * max(1 / ratio, 1.0) ** 2, 160.0)
    )


def log_evidence(successes: Array, n: Array, p: Array, *, above: bool, concentration: float) -> Array:
    """Return the log of the mixture's likelihood ratio against success rate `p`, mostly in favour of rates above
    (or below) it.

    Broadcasts. `p` must lie strictly between 0 and 1.
    """
    toward = _one_sided(successes, n, p, above=above, concentration=concentration)
    away = _one_sided(successes, n, p, above=not above, concentration=concentration)
    evidence: Array = np.logaddexp(math.log1p(-AWAY) + toward, math.log(AWAY) + away)
    return evidence


def _one_sided(successes: Array, n: Array, p: Array, *, above: bool, concentration: float) -> Array:
    failures = n - successes
    a, b = concentration * p, concentration * (1 - p)
    with np.errstate(divide="ignore", under="ignore"):
        if above:
            tail = np.log(betainc(failures + b, successes + a, 1 - p)) - np.log(betainc(b, a, 1 - p))
        else:
            tail = np.log(betainc(successes + a, failures + b, p)) - np.log(betainc(a, b, p))
    evidence: Array = (
        betaln(successes + a, failures + b) - betaln(a, b) - xlogy(successes, p) - xlog1py(failures, -p) + tail
    )
    return evidence


def proportion_sequence(arm: Arm, alpha: float = 0.05, concentration: float = 4.0) -> Estimate:
    """Return a success rate with its always-valid interval (alpha/2 on each side)."""
    _check(arm, alpha)
    if arm.n == 0:
        return Estimate(value=None, low=0.0, high=1.0, n=0)
    grid = _grid(arm)
    limit = math.log(2 / alpha)
    kept_low = grid[_against(arm, grid, True, concentration) < limit]
    kept_high = grid[_against(arm, grid, False, concentration) < limit]
    low = 0.0 if arm.successes == 0 else float(kept_low.min(initial=arm.successes / arm.n))
    high = 1.0 if arm.successes == arm.n else float(kept_high.max(initial=arm.successes / arm.n))
    return Estimate(value=arm.successes / arm.n, low=low, high=high, n=arm.n)


def difference_sequence(base: Arm, candidate: Arm, alpha: float, tuning: Concentrations) -> Estimate:
    """Return candidate − base of two independent arms with its always-valid interval (alpha/2 on each side).

    `n` is the smaller arm's. With an empty arm the interval is [-1, 1].
    """
    _check(base, alpha)
    _check(candidate, alpha)
    if base.n == 0 or candidate.n == 0:
        return Estimate(value=None, low=-1.0, high=1.0, n=0)
    limit = math.log(2 / alpha)
    low = -_largest_drop(base, candidate, limit, tuning)
    mirrored = Arm(base.n - base.successes, base.n), Arm(candidate.n - candidate.successes, candidate.n)
    high = _largest_drop(*mirrored, limit, tuning)
    value = candidate.successes / candidate.n - base.successes / base.n
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=min(base.n, candidate.n))


def _largest_drop(base: Arm, candidate: Arm, limit: float, tuning: Concentrations) -> float:
    """Return the largest p_base − p_candidate that the evidence for a better candidate has not yet excluded."""
    rates = _grid(base)
    spent = _against(base, rates, False, tuning.base)
    lower = _grid(candidate)
    evidence = np.minimum.accumulate(_against(candidate, lower, True, tuning.candidate))
    allowed = limit - spent
    order = np.argsort(evidence, kind="stable")
    crossing = np.interp(allowed, evidence[order], lower[order])
    crossing = np.where(allowed > evidence[0], 0.0, crossing)
    possible = allowed >= evidence[-1]
    return float((rates - crossing)[possible].max(initial=-1.0))


def _against(arm: Arm, p: Array, above: bool, concentration: float) -> Array:
    return log_evidence(
        np.asarray(float(arm.successes)), np.asarray(float(arm.n)), p, above=above, concentration=concentration
    )


def _grid(arm: Arm) -> Array:
    """Rates to try: all of (0, 1) coarsely, and ten standard errors around what was observed finely."""
    smoothed = (arm.successes + 0.5) / (arm.n + 1)
    reach = 10 * math.sqrt(smoothed * (1 - smoothed) / (arm.n + 1))
    fine = np.linspace(max(smoothed - reach, 1e-6), min(smoothed + reach, 1 - 1e-6), GRID)
    coarse = np.linspace(0.0, 1.0, GRID // 4 + 1)[1:-1]
    edges = np.array([1e-9, 1e-6, 1e-4, 1 - 1e-4, 1 - 1e-6, 1 - 1e-9])
    return np.unique(np.concatenate([fine, coarse, edges]))


def _check(arm: Arm, alpha: float) -> None:
    if not 0 <= arm.successes <= arm.n:
        raise ValueError(f"expected 0 <= successes <= n, found successes={arm.successes}, n={arm.n}")
    if not 0 < alpha < 1:
        raise ValueError(f"expected 0 < alpha < 1, found alpha={alpha}")


def robbins_radius(n: int, sigma: float, alpha: float = 0.05, tuned_at: int = 100) -> float:
    """Return the half width of Robbins' two-sided normal mixture for a mean of `n` sub-Gaussian observations.

    `sigma`: 1/2 for observations in [0, 1] (exact, Hoeffding), or the standard deviation (asymptotic). Tightest at
    about `tuned_at` observations.
    """
    if n < 1:
        return math.inf
    x = alpha * alpha
    rho = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1 - x)) / tuned_at
    scale = n * rho + 1
    return sigma * math.sqrt(2 * scale / (n * n * rho) * math.log(math.sqrt(scale) / alpha))


def mean_sequence(mean: float, n: int, alpha: float = 0.05, tuned_at: int = 100) -> Estimate:
    """Return the mean of observations in [0, 1] with an always-valid interval that is exact at every n."""
    radius = robbins_radius(n, 0.5, alpha, tuned_at)
    if n < 1:
        return Estimate(value=None, low=0.0, high=1.0, n=0)
    return Estimate(value=mean, low=max(0.0, mean - radius), high=min(1.0, mean + radius), n=n)


def mean_difference_sequence(base: Moments, candidate: Moments, alpha: float, tuned_at: int) -> Estimate:
    """Return candidate − base of two means, asymptotic and always-valid; `tuned_at`: the smaller arm's size."""
    n = min(base.n, candidate.n)
    if n < 2:
        return Estimate(value=None, low=None, high=None, n=n)
    variance = base.sd**2 / base.n + candidate.sd**2 / candidate.n
    radius = robbins_radius(n, math.sqrt(variance * n), alpha, tuned_at)
    value = candidate.mean - base.mean
    return Estimate(value=value, low=value - radius, high=value + radius, n=n)


def mean_ratio_sequence(base: Moments, candidate: Moments, alpha: float, tuned_at: int) -> Estimate:
    """Return candidate / base of two positive means with an asymptotic always-valid interval (log scale)."""
    n = min(base.n, candidate.n)
    if n < 2 or base.mean <= 0 or candidate.mean <= 0:
        return Estimate(value=None, low=None, high=None, n=n)
    logs = [Moments(arm.n, math.log(arm.mean), arm.sd / arm.mean) for arm in (base, candidate)]
    log = mean_difference_sequence(logs[0], logs[1], alpha, tuned_at)
    value, low, high = (None if part is None else math.exp(min(part, 700.0)) for part in (log.value, log.low, log.high))
    return Estimate(value=value, low=low, high=high, n=n)
