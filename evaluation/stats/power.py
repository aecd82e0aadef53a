"""How many scenarios are enough? The chance that a comparison of pairs ends clearly, before anything is run.

Two chances for supposed success rates and a supposed share of discordant pairs (one model succeeds, the other fails):
that the candidate is found better (McNemar's test), and that it is found not worse than a share of the base (the
whole interval of Tang, Tang and Chan's ratio above the limit, as the gate asks). The first is summed exactly over the
number of discordant pairs (Miettinen 1968); the second is simulated with a fixed seed, since its statistic depends on
all four cells, and carries a Monte Carlo error of at most 0.4 points. Limits: one attempt a scenario, scenarios
independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom

from evaluation.stats.paired import PairCounts, ratio_score

DRAWS = 20_000
"""Simulated comparisons of one chance that has no closed form."""

MOST = 1_000_000
"""Scenarios beyond which nobody is advised."""


class Supposed(NamedTuple):
    """What is supposed of two models."""

    base: float
    """Success rate of the base, 0…1."""
    difference: float = 0.0
    """Candidate − base."""
    discordant: float = 0.15
    """Share of the scenarios that one of the two solves and the other does not."""

    def cells(self) -> tuple[float, float, float, float]:
        """Return the chances of: both solve it, only the candidate, only the base, neither.

        Raises `ValueError` where no two models can be like that.
        """
        only_candidate = (self.discordant + self.difference) / 2
        only_base = (self.discordant - self.difference) / 2
        cells = (self.base - only_base, only_candidate, only_base, 1 - self.base - only_candidate)
        if min(cells) < -1e-12 or not all(map(math.isfinite, cells)):
            least, most = abs(self.difference), 2 * min(self.base, 1 - self.base) + abs(self.difference)
            raise ValueError(
                f"discordant: expected a share from {least:g} to {min(most, 1):g} for a base of {self.base:g} and a"
                f" difference of {self.difference:g}, found {self.discordant:g}"
            )
        return (max(cells[0], 0.0), max(cells[1], 0.0), max(cells[2], 0.0), max(cells[3], 0.0))


def chance_better(n: int, supposed: Supposed, alpha: float = 0.05) -> float:
    """Return the chance that the candidate is found better on `n` scenarios: two-sided McNemar, mid-p < alpha."""
    _, only_candidate, only_base, _ = supposed.cells()
    discordant = only_candidate + only_base
    if discordant <= 0:
        return 0.0
    low, high = (int(edge) for edge in binom.interval(1 - 1e-10, n, discordant))
    counts = np.arange(max(low, 0), high + 1)
    # The largest number of pairs lost at which a test of so many discordant pairs still finds a difference.
    lost = binom.ppf(alpha / 2, counts, 0.5)
    mid_p = binom.cdf(lost, counts, 0.5) + binom.cdf(lost - 1, counts, 0.5)
    lost = np.where(mid_p < alpha, lost, lost - 1)
    found = np.where(lost >= 0, binom.cdf(lost, counts, only_base / discordant), 0.0)
    return float((binom.pmf(counts, n, discordant) * found).sum())


def chance_not_worse(n: int, supposed: Supposed, ratio: float = 0.95, *, alpha: float = 0.05, seed: int = 0) -> float:
    """Return the chance that on `n` scenarios the whole interval of candidate / base lies at or above `ratio`."""
    tables, often = np.unique(
        np.random.default_rng(seed).multinomial(n, supposed.cells(), size=DRAWS), axis=0, return_counts=True
    )
    z = float(ndtri(1 - alpha / 2))

    def passed(table: PairCounts) -> bool:
        # The gate lets a candidate pass where the base never succeeds: it cannot be worse.
        return table.base == 0 or ratio_score(table, ratio) >= z

    passing = [passed(PairCounts(*map(int, table))) for table in tables]
    return float(often[passing].sum() / DRAWS)


def scenarios_for(chance: Callable[[int], float], power: float = 0.8, least: int = 10) -> int | None:
    """Return about the fewest scenarios for which `chance` reaches `power`; None: not with a million.

    Exact up to 1%: chances of discrete tests go up in a saw-tooth, so that the very first n to pass is an accident.
    Raises `ValueError` unless 0 < power < 1.
    """
    if not 0 < power < 1:
        raise ValueError(f"power: expected a number between 0 and 1, found {power:g}")
    low, high = least, least
    while chance(high) < power:
        if high >= MOST:
            return None
        low, high = high, min(high * 2, MOST)
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if chance(middle) < power else (low, middle)
    return high
