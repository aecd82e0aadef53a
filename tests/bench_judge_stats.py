"""How far intervals cover: proportions reckoned exactly, means and ratios simulated, watched ones after every look."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
from scipy.stats import binom

from evaluation.stats.betting import paired_sequence, shares_staked
from evaluation.stats.clustered import clustered_log_ratio, clustered_mean, clustered_share
from evaluation.stats.intervals import Array, Estimate, log_ratio_interval, mean_interval, proportion
from evaluation.stats.paired import PairCounts, difference_of_proportions
from evaluation.stats.quantiles import paired_quantile_difference
from evaluation.stats.sequential import robbins_radius
from tests.bench_eval_rows import Figure, NotMeasured

Answer = TypeVar("Answer")
ALPHA = 0.05
SIZES = (30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000)
RATES = tuple(round(0.02 + 0.01 * step, 2) for step in range(97))
DISCORDANT = 0.15


def chance(figure: str, found: int, n: int, *, most: float | None = None, least: float | None = None) -> Figure:
    """Return a share with its interval; met within the bar and one-sided Monte Carlo error of it.

    Raises `NotMeasured` where n is 0.
    """
    if n == 0:
        raise NotMeasured(f"{figure}: expected runs, found none")
    estimate = proportion(found, n)
    bar = most if most is not None else least
    met = None
    if bar is not None:
        slack = 1.645 * math.sqrt(bar * (1 - bar) / n)
        met = found / n <= bar + slack if most is not None else found / n >= bar - slack
    return Figure(f"{figure} (n = {n})", found / n, low=estimate.low, high=estimate.high, bar=bar, met=met)


def exact_coverage(n: int, rates: Array) -> Array:
    """Return how often the interval of a proportion holds each rate, by summing the binomial's probabilities."""
    counts = np.arange(n + 1)
    limits = np.array([(e.low, e.high) for e in (proportion(int(count), n, ALPHA) for count in counts)])
    inside = (limits[:, :1] <= rates) & (rates <= limits[:, 1:])
    covered: Array = (binom.pmf(counts[:, None], n, rates) * inside).sum(axis=0)
    return covered


def proportion_rows(sizes: tuple[int, ...] = SIZES) -> Iterator[Figure]:
    """Yield the least and the mean coverage of a proportion's interval over the grid."""
    covered = np.array([exact_coverage(n, np.array(RATES)) for n in sizes])
    least, mean = float(covered.min()), float(covered.mean())
    place = np.unravel_index(int(covered.argmin()), covered.shape)
    points = f"{covered.size} points, n = {sizes[0]} … {sizes[-1]}, p = 0.02 … 0.98, exact"
    yield Figure(f"coverage of a proportion, least ({points}; at n = {sizes[place[0]]}, p = {RATES[place[1]]})", least,
                 bar=0.94, met=least >= 0.94)  # fmt: skip
    yield Figure(f"coverage of a proportion, mean ({points})", mean, bar=0.97, met=mean <= 0.97)


def discordance_rows(sizes: tuple[int, ...] = (30, 100, 300)) -> Iterator[Figure]:
    """Yield the exact coverage of the difference of equal paired proportions, over how often pairs differ."""
    least, where = 1.0, (0, 0.0)
    for n in sizes:
        for share in (0.02, 0.05, 0.1, 0.15, 0.3, 0.6):
            covered = paired_coverage(n, share)
            if covered < least:
                least, where = covered, (n, share)
    grid = f"n = {sizes[0]} … {sizes[-1]}, 2 … 60% discordant, exact; at n = {where[0]}, {where[1]:.0%}"
    yield Figure(f"coverage of a paired difference of 0, least ({grid})", least, bar=0.94, met=least >= 0.94)


def paired_coverage(n: int, discordant: float) -> float:
    """Return how often the interval of the difference holds 0, by summing over all tables."""
    total = 0.0
    for pairs in range(n + 1):
        weight = float(binom.pmf(pairs, n, discordant))
        if weight < 1e-9:
            continue
        ahead = np.arange(pairs + 1)
        inside = [
            _holds(difference_of_proportions(PairCounts(0, int(a), pairs - int(a), n - pairs)), 0.0) for a in ahead
        ]
        total += weight * float((binom.pmf(ahead, pairs, 0.5) * inside).sum())
    return total


def _holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high


Trial = Callable[[np.random.Generator, int], bool]


def _costs(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Costs of equal arms: lognormal scenarios, lognormal noise of each arm."""
    shared = rng.lognormal(0.0, 0.8, n)
    return shared * rng.lognormal(0.0, 0.4, n), shared * rng.lognormal(0.0, 0.4, n)


def _cost_mean(rng: np.random.Generator, n: int) -> bool:
    base, _ = _costs(rng, n)
    return _holds(mean_interval(base), math.exp((0.8**2 + 0.4**2) / 2))


def _cost_difference(rng: np.random.Generator, n: int) -> bool:
    base, candidate = _costs(rng, n)
    return _holds(mean_interval(candidate - base), 0.0)


def _cost_ratio(rng: np.random.Generator, n: int) -> bool:
    base, candidate = _costs(rng, n)
    return _holds(log_ratio_interval(candidate, base), 1.0)


def _latency_quantile(rng: np.random.Generator, n: int) -> bool:
    shared = rng.gamma(4.0, 25.0, n)
    arms = [shared * rng.gamma(20.0, 1 / 20, n) for _ in range(2)]
    return _holds(paired_quantile_difference(arms[0], arms[1], 0.95), 0.0)


def _clustered_difference(rng: np.random.Generator, n: int) -> bool:
    groups = rng.integers(0, max(2, n // 6), n)
    level = rng.normal(0.0, 1.0, n)[groups]
    return _holds(clustered_mean(level + rng.normal(0.0, 1.0, n), groups), 0.0)


def _clustered_ratio(rng: np.random.Generator, n: int) -> bool:
    groups = rng.integers(0, max(2, n // 6), n)
    base, candidate = _costs(rng, n)
    return _holds(
        clustered_log_ratio(candidate * rng.lognormal(0.0, 0.4, n)[groups] / math.exp(0.08), base, groups), 1.0
    )


def _clustered_share(rng: np.random.Generator, n: int) -> bool:
    groups = rng.integers(0, max(2, n // 6), n)
    return _holds(clustered_share((rng.random(n) < rng.beta(3.0, 1.0, n)[groups]).astype(float), groups), 0.75)


TRIALS: dict[str, Trial] = {
    "mean of skewed costs": _cost_mean,
    "paired difference of skewed costs": _cost_difference,
    "paired ratio of skewed costs": _cost_ratio,
    "paired difference of a 95th percentile": _latency_quantile,
    "difference over groups": _clustered_difference,
    "ratio over groups": _clustered_ratio,
    "share over groups": _clustered_share,
}


def trial(name: str, n: int, seed: list[int]) -> bool:
    """Simulate one interval; return whether it holds the truth."""
    return TRIALS[name](np.random.default_rng(seed), n)


def simulated_rows(runs: int, seed: int, sizes: tuple[int, ...] = (50, 200, 1000)) -> Iterator[Figure]:
    """Yield the simulated coverage of each other interval at several sizes."""
    for number, name in enumerate(TRIALS):
        for n in sizes:
            seeds = [[seed, number, n, run] for run in range(runs)]
            held = sum(spread(functools.partial(trial, name, n), seeds))
            yield chance(f"coverage of a {name}, {n} scenarios", held, runs, least=0.94)


def spread(work: Callable[[list[int]], Answer], seeds: list[list[int]]) -> list[Answer]:
    """Do the same for each seed, on at most two cores."""
    cores = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    if cores == 1 or len(seeds) < 50:
        return [work(seed) for seed in seeds]
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, seeds, chunksize=25))


def watched_rows(runs: int, looks: int, seed: int) -> Iterator[Figure]:
    """Yield how often the always-valid interval is ever wrong in A/A runs looked at after each pair, and its width."""
    lambdas, limit = shares_staked(), math.log(1 / ALPHA)
    rng = np.random.default_rng([seed, 17])
    wrong = sum(ever_wrong(drawn(rng, looks), lambdas, limit) for _ in range(runs))
    yield chance(f"always-valid, looked at after each of {looks} pairs, A/A: ever wrong", wrong, runs, most=ALPHA)
    for n in (300, 1000, looks):
        values = drawn(np.random.default_rng([seed, n]), n)
        found = paired_sequence(values, ALPHA)
        if found.low is None or found.high is None:
            raise NotMeasured(f"always-valid interval after {n} pairs: none")
        robbins = 2 * robbins_radius(n, float(values.std()), ALPHA, tuned_at=n)
        ratio = (found.high - found.low) / robbins
        yield Figure(f"always-valid width after {n} pairs, beside Robbins' normal mixture tuned there",
                     found.high - found.low, robbins, ratio, bar=1.3, met=ratio <= 1.3, peer_version="Robbins 1970",
                     peer_settings="the same n and standard deviation")  # fmt: skip


def drawn(rng: np.random.Generator, n: int) -> Array:
    """Return paired differences of equal arms that differ on 15% of the scenarios."""
    values: Array = (rng.random(n) < DISCORDANT) * rng.choice([-1.0, 1.0], n)
    return values


def ever_wrong(differences: Array, lambdas: Array, limit: float) -> bool:
    """Whether the interval excludes 0 after any of the pairs: the fortune of `PairedSequence` against a mean of 0."""
    ahead, behind = np.cumsum(differences > 0), np.cumsum(differences < 0)
    # Pairs that do not differ leave every fortune as it is, so that only the others are looks of their own.
    looks = np.flatnonzero(differences)
    if not len(looks):
        return False
    fortunes = np.outer(ahead[looks], np.log1p(lambdas)) + np.outer(behind[looks], np.log1p(-lambdas))
    return bool((np.logaddexp.reduce(fortunes, axis=1) - math.log(len(lambdas)) >= limit).any())
