"""Which slices account for the difference between two versions: parts that sum to the whole.

Every observation lies in exactly one slice (a kind, a tool). A slice's part of the difference is how much its own
figure changed, times its mean share, and how much its share changed, times its mean figure against the whole (Kitagawa
1955): with the same scenarios in both arms all shares are equal and only the figures count. The parts' intervals rest
on the paired scenarios' noise where arms are paired, else on both arms'. Limits: one division at a time; a scenario
with two tags cannot be in two slices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtri

from evaluation.records import Record
from evaluation.stats.intervals import Array, Estimate, finite


class Part(Record):
    """What one slice adds to the difference."""

    slice: str
    share_first: float
    """Of the first arm's observations, 0…1."""
    share_second: float
    value_first: float | None
    """Mean of the figure; None where the arm has none there."""
    value_second: float | None
    figure: Estimate
    """Part of the difference because the figure changed within the slice; `n` counts the smaller arm's observations."""
    mix: float
    """Part of the difference because the slice became more or less frequent."""

    @property
    def total(self) -> float:
        """Both together."""
        return (self.figure.value or 0.0) + self.mix


class Decomposition(Record):
    """The difference of two means, slice by slice."""

    first: float | None
    second: float | None
    difference: float | None
    """Second − first: the sum of all parts. None where an arm is empty."""
    parts: tuple[Part, ...]
    """The largest, whichever way, first."""


def decompose(
    first: Mapping[str, Sequence[float]], second: Mapping[str, Sequence[float]], alpha: float = 0.05
) -> Decomposition:
    """Divide the difference of the means of two independent arms. Both: values by slice.

    Raises `ValueError` on NaN or infinity.
    """
    sides = [{name: finite(np.array(values)) for name, values in arm.items() if len(values)} for arm in (first, second)]
    sizes = [sum(len(values) for values in side.values()) for side in sides]
    if not all(sizes):
        means = [float(np.concatenate(list(side.values())).mean()) if side else None for side in sides]
        return Decomposition(first=means[0], second=means[1], difference=None, parts=())
    whole = [float(np.concatenate([side[name] for name in sorted(side)]).mean()) for side in sides]
    middle = (whole[0] + whole[1]) / 2
    parts = [
        _part(name, sides[0].get(name), sides[1].get(name), sizes=sizes, middle=middle, alpha=alpha)
        for name in sorted({*sides[0], *sides[1]})
    ]
    parts.sort(key=lambda part: (-abs(part.total), part.slice))
    return Decomposition(first=whole[0], second=whole[1], difference=whole[1] - whole[0], parts=tuple(parts))


def decompose_pairs(pairs: Mapping[str, Sequence[tuple[float, float]]], alpha: float = 0.05) -> Decomposition:
    """Divide the difference of paired arms: `(first, second)` of each scenario, by slice."""
    found = decompose(
        {name: [one for one, _ in of] for name, of in pairs.items()},
        {name: [other for _, other in of] for name, of in pairs.items()},
        alpha,
    )
    parts = []
    for part in found.parts:
        moved = np.array([other - one for one, other in pairs[part.slice]])
        error = float(moved.std(ddof=1)) / math.sqrt(len(moved)) * part.share_first if len(moved) > 1 else None
        figure = _estimate(part.figure.value or 0.0, error, len(moved), alpha)
        parts.append(part.model_copy(update={"figure": figure}))
    return found.model_copy(update={"parts": tuple(parts)})


def _part(
    name: str, first: Array | None, second: Array | None, *, sizes: Sequence[int], middle: float, alpha: float
) -> Part:
    shares = [0.0 if side is None else len(side) / size for side, size in zip((first, second), sizes, strict=True)]
    means = [None if side is None else float(side.mean()) for side in (first, second)]
    known = [mean for mean in means if mean is not None]
    # A slice that only one arm has cannot have changed its figure: all of it is mix.
    figure = Estimate(value=0.0, low=None, high=None, n=0)
    if first is not None and second is not None:
        n, share = min(len(first), len(second)), (shares[0] + shares[1]) / 2
        error = math.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)) * share if n > 1 else None
        figure = _estimate((known[1] - known[0]) * share, error, n, alpha)
    return Part(
        slice=name,
        share_first=shares[0],
        share_second=shares[1],
        value_first=means[0],
        value_second=means[1],
        figure=figure,
        mix=(shares[1] - shares[0]) * (sum(known) / len(known) - middle),
    )


def _estimate(value: float, error: float | None, n: int, alpha: float) -> Estimate:
    if error is None:
        return Estimate(value=value, low=None, high=None, n=n)
    half = float(ndtri(1 - alpha / 2)) * error
    return Estimate(value=value, low=value - half, high=value + half, n=n)
