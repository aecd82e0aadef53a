"""The mean of paired differences with an interval that holds at every moment, exactly, however often it is looked at.

For a supposed mean m, a gambler who stakes a fixed share λ of his fortune on each difference x being above (or below) m
has a fortune Π(1 + λ(x − m)) that is a martingale when m is right; so is the mean over many λ. By Ville's inequality it
ever passes 1/alpha with probability alpha at most: every m against which the fortune has passed it is excluded
(Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting"; the mixture over λ is Robbins'
normal one, at several scales, because how much pairs differ is not known beforehand). Valid for every distribution on
[−1, 1]: binary outcomes, shares of attempts, or a figure divided by its range. The order of the differences does not
matter to the interval. Limits: pairs independent of each other, with one mean; unbounded figures need
`sequential.mean_difference_sequence`, which is asymptotic.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp, ndtri

from evaluation.stats.intervals import Array, Estimate, finite

SCALES = (0.02, 0.05, 0.12, 0.3)
"""Standard deviations of the mixtures over λ: tight after about 5,000, 900, 150 and 25 pairs that differ by chance."""

STAKES = 48
"""Values of λ at each scale."""

_MOST = 0.49
"""Largest |λ|: no stake can lose everything."""

_GRID = 200
"""Supposed means that are tried on each side before the outermost crossing is refined."""


def shares_staked() -> Array:
    """Return the values of λ over which the fortune is averaged: (stakes,)."""
    quantiles = ndtri((np.arange(STAKES) + 0.5) / STAKES)
    stakes: Array = np.clip(np.concatenate([scale * quantiles for scale in SCALES]), -_MOST, _MOST)
    return stakes


class PairedSequence:
    """Gathers paired differences and gives their interval; memory grows with the number of distinct values only."""

    def __init__(self, alpha: float = 0.05) -> None:
        """Make an empty sequence. Raises `ValueError` unless 0 < alpha < 1."""
        if not 0 < alpha < 1:
            raise ValueError(f"expected 0 < alpha < 1, found alpha={alpha}")
        self._limit = math.log(1 / alpha)
        self._lambdas = shares_staked()
        self._counts: dict[float, int] = {}
        self.n = 0

    def add(self, differences: Array) -> None:
        """Add differences. Raises `ValueError` on one outside −1…1, NaN or infinity; nothing is added then."""
        flat = finite(differences)
        if len(flat) and max(-flat.min(), flat.max()) > 1:
            raise ValueError(f"expected differences from -1 to 1, found {flat.min():g} to {flat.max():g}")
        for value, count in zip(*np.unique(flat, return_counts=True), strict=True):
            self._counts[float(value)] = self._counts.get(float(value), 0) + int(count)
        self.n += len(flat)

    def excludes(self, mean: float) -> bool:
        """Return whether the interval excludes this mean, which is cheaper than the interval itself."""
        return self.n > 0 and float(self._evidence(np.array([mean]))[0]) >= self._limit

    def interval(self) -> Estimate:
        """Return the mean with its always-valid interval; [−1, 1] while there is nothing."""
        if self.n == 0:
            return Estimate(value=None, low=-1.0, high=1.0, n=0)
        value = math.fsum(x * count for x, count in sorted(self._counts.items())) / self.n
        return Estimate(value=value, low=self._edge(value, -1.0), high=self._edge(value, 1.0), n=self.n)

    def _evidence(self, means: Array) -> Array:
        """Return the log of the fortune against each supposed mean: (k,) to (k,)."""
        total = np.zeros((len(self._lambdas), len(means)))
        for value, count in sorted(self._counts.items()):
            total += count * np.log1p(self._lambdas[:, None] * (value - means[None, :]))
        fortune: Array = logsumexp(total, axis=0) - math.log(len(self._lambdas))
        return fortune

    def _edge(self, value: float, end: float) -> float:
        """Return the outermost mean between `value` and `end` that is not excluded."""
        # Closer together near the value, where the edge of a long sequence lies.
        means = value + (end - value) * np.linspace(0, 1, _GRID + 1) ** 2
        kept = np.flatnonzero(self._evidence(means) < self._limit)
        last = int(kept[-1]) if len(kept) else 0
        if last == len(means) - 1:
            return end
        inner, outer = float(means[last]), float(means[last + 1])

        def left(mean: float) -> float:
            return float(self._evidence(np.array([mean]))[0]) - self._limit

        return float(brentq(left, inner, outer, xtol=1e-9)) if left(inner) < 0 < left(outer) else outer


def paired_sequence(differences: Array, alpha: float = 0.05) -> Estimate:
    """Return the mean of `differences`, each from −1 to 1, with its always-valid interval. `differences`: (n,)."""
    sequence = PairedSequence(alpha)
    sequence.add(differences)
    return sequence.interval()
