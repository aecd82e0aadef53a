"""Figures of observations that come in groups: those of a group resemble each other, groups are independent.

Decisions: a figure is over observations, its interval over groups, which are resampled, left out and sign-flipped as
wholes (Field and Welsh 2007; Cameron, Gelbach and Miller 2008). Groups of one observation each give exactly what
`intervals.py` and `paired.py` give. Groups are drawn in the order in which they first occur. Not covered: groups within
groups, and fewer than about 10 groups of very different sizes, where Student's interval is a little too narrow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evaluation.stats.intervals import (
    Array,
    Estimate,
    binomial_limits,
    finite,
    function_of_means,
    log_ratio_interval,
    mean_interval,
    proportion,
    share_interval,
)
from evaluation.stats.paired import permutation

Groups = NDArray[np.int64]


class _Clusters(NamedTuple):
    sums: Array
    """(clusters,), in the order in which they first occur."""
    sizes: Array


def clustered_mean(values: Array, groups: Groups, alpha: float = 0.05, seed: int = 0) -> Estimate:
    """Return the mean of the values with the interval of a ratio: sums of groups over their sizes. Both: (n,).

    The bootstrap of `mean_interval` over groups (Student's t below 10 groups, normal above 3,000); no interval from one
    group. Raises `ValueError` where lengths differ, values are not finite, or groups are no integers.
    """
    clusters = _clusters(values, groups)
    if _single(clusters):
        return mean_interval(values, alpha, seed)
    rows = np.stack(clusters, axis=1)
    return _over(function_of_means(rows, lambda means: means[..., 0] / means[..., 1], alpha, seed), values)


def clustered_log_ratio(
    numerator: Array, denominator: Array, groups: Groups, alpha: float = 0.05, *, seed: int = 0
) -> Estimate:
    """Return mean(numerator) / mean(denominator) of pairs with an interval over groups, on the log scale. All: (n,).

    Swapping the two gives the reciprocal; undefined where `log_ratio_interval` is. Raises `ValueError` as
    `clustered_mean` does.
    """
    sums = [_clusters(side, groups).sums for side in (numerator, denominator)]
    return _over(log_ratio_interval(sums[0], sums[1], alpha, seed), numerator)


def clustered_permutation(differences: Array, groups: Groups, seed: int = 0) -> float:
    """Return the two-sided p value of a mean difference of zero under sign flips of whole groups. Both: (n,).

    Exact up to 13 groups; see `permutation`. Raises `ValueError` as `clustered_mean` does.
    """
    return permutation(_clusters(differences, groups).sums, seed)


def clustered_share(values: Array, groups: Groups, alpha: float = 0.05) -> Estimate:
    """Return the mean of values in 0…1 with an interval within 0…1. Both: (n,).

    Clopper and Pearson's interval at the effective sample size that follows from how much groups differ, shrunk for few
    groups (Korn and Graubard 1998). Where all values are 0 or all are 1 nothing shows how much groups differ: a group
    then counts as one observation. Raises `ValueError` on a value outside 0…1, and as `clustered_mean` does.
    """
    clusters = _clusters(values, groups)
    if _single(clusters):
        return share_interval(values, alpha=alpha)
    flat = finite(values)
    if ((flat < 0) | (flat > 1)).any():
        raise ValueError(f"expected values of 0 to 1, found {flat.min():g} to {flat.max():g}")
    n, k = len(flat), len(clusters.sums)
    p = float(flat.mean())
    if k == 1:
        return Estimate(value=p, low=None, high=None, n=n)
    if (flat == flat[0]).all() and p in (0.0, 1.0):
        return _over(proportion(k if p else 0, k, alpha), flat)
    excess = clusters.sums - p * clusters.sizes
    variance = float((excess**2).sum()) * k / (k - 1) / n**2
    size = min(p * (1 - p) / variance, float(n)) if variance > 0 else float(n)
    shrunk = size * float(stdtrit(n - 1, 1 - alpha / 2) / stdtrit(k - 1, 1 - alpha / 2)) ** 2
    low, high = binomial_limits(p * shrunk, shrunk, alpha)
    return Estimate(value=p, low=low, high=high, n=n)


def _clusters(values: Array, groups: Groups) -> _Clusters:
    flat, codes = finite(values), np.asarray(groups).ravel()
    if len(flat) != len(codes):
        raise ValueError(f"expected a group for each value, found {len(flat)} values and {len(codes)} groups")
    if len(codes) and not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"expected integer codes of groups, found {codes.dtype}; number the groups")
    _, first, places = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    places = rank[places]
    return _Clusters(
        np.bincount(places, weights=flat, minlength=len(first)).astype(np.float64),
        np.bincount(places, minlength=len(first)).astype(np.float64),
    )


def _single(clusters: _Clusters) -> bool:
    return bool((clusters.sizes == 1).all())


def _over(estimate: Estimate, values: Array) -> Estimate:
    """Return an estimate that says how many observations, not groups, it rests on."""
    return estimate.model_copy(update={"n": int(np.size(values))})
