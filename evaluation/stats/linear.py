"""A mean over clusters with Student's t interval: what a table of many small slices can afford.

The mean of all observations is a ratio, sum of the clusters' sums over sum of their sizes; its variance is the
linearised one (Cochran 1977, section 6.3), with as many degrees of freedom as there are clusters, less one. With
clusters of one observation it is the usual t interval.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evaluation.stats.intervals import Array, Estimate, finite


def linear_mean(
    values: Array,
    groups: NDArray[np.int64] | None = None,
    alpha: float = 0.05,
    *,
    low: float = -math.inf,
    high: float = math.inf,
) -> Estimate:
    """Return the mean of `values` with its interval, cut off at `low` and `high`. Both: (n,); no groups: each its own.

    None where there is no observation; no interval from a single cluster, and where nothing varied.
    Raises `ValueError` on NaN or infinity.
    """
    flat = finite(values)
    n = len(flat)
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0)
    mean = float(flat.mean())
    excess: Array = flat - mean
    if groups is not None:
        _, places = np.unique(groups, return_inverse=True)
        excess = np.bincount(places, weights=excess).astype(np.float64)
    clusters = len(excess)
    if clusters < 2:
        return Estimate(value=mean, low=None, high=None, n=n)
    if not excess.any():
        return Estimate(value=mean, low=None, high=None, n=n)
    error = math.sqrt(float((excess**2).sum()) * clusters / (clusters - 1)) / n
    half = float(stdtrit(clusters - 1, 1 - alpha / 2)) * error
    return Estimate(value=mean, low=max(low, mean - half), high=min(high, mean + half), n=n)
