"""Rows too unlike the others: robust scores of their figures, over all rows at once. Pure.

Decisions: medians and deviations are exact, from one column of 4 bytes a row, so that nothing depends on the order or
the number of blocks, as it would with a sketch. Scores are of logarithms, since lengths and times are skewed. Where
half of the rows are alike, the mean deviation takes the place of the median one; where all are, nothing is an outlier.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.prepare.config import OutlierConfig

NAMES = {"chars": "length", "latency_ms": "latency", "token_ratio": "ratio of tokens out to in"}
"""Figures that have a robust score, and what a reason calls them."""


def robust_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |log x − median| / (1.4826 × MAD) for each value; 0 for those that are not positive numbers.

    1.4826 makes the MAD a standard deviation where values are normal (Iglewicz and Hoaglin 1993); of the mean absolute
    deviation that factor is 1.2533.
    """
    known = np.isfinite(values) & (values > 0)
    scores = np.zeros(len(values))
    if not known.any():
        return scores
    away = np.log(values[known])
    away -= np.median(away)
    np.abs(away, out=away)
    spread = 1.4826 * np.median(away) or 1.2533 * away.mean()
    if spread > 1e-9:
        scores[known] = away / spread
    return scores


def outliers(figures: Callable[[str], NDArray[np.float64]], rows: int, config: OutlierConfig) -> NDArray[np.object_]:
    """Return for each of `rows` why it is an outlier, or None. `figures` gives a column of the index, one at a time."""
    reasons = np.full(rows, None, dtype=object)

    def mark(mask: NDArray[np.bool_], reason: str) -> None:
        reasons[mask & (reasons == None)] = reason  # noqa: E711

    for name, called in NAMES.items():
        values = figures(name)
        known = np.isfinite(values) & (values > 0)
        if known.sum() >= config.least:
            middle = np.median(values[known])
            times = np.where(known, np.maximum(values / middle, middle / np.where(known, values, 1.0)), 1.0)
            far = (robust_scores(values) > config.cutoff) & (times >= config.factor)
            mark(far & (values > middle), f"{called} far above the others")
            mark(far & (values <= middle), f"{called} far below the others")
    mark(figures("repetition") > config.repetition, f"repeats more than {config.repetition:.0%} of its words")
    if config.scripts:
        mark(figures("other_script") > 0, "user and assistant write in different scripts")
    return reasons
