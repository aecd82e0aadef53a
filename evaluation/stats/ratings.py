"""All versions ranked at once by whom they beat on the scenarios that they share (Bradley and Terry 1952).

A version beats another on a scenario where its score is higher; a tie is half a win each. Strengths are logits: a
version that is stronger by one beats the other in 73 of 100 scenarios. Decisions: half a win and half a loss against an
average version are added to each, so that a version that always wins stays finite; intervals are of the strength
against the mean of all ranked versions, robust to scenarios that are hard for several versions at once (sandwich,
clustered by scenario). Versions that share no scenario with the others, not even by way of a third, cannot be ranked
with them and get a group of their own. The same scores give the same figures, whatever their order.
Limits: ties count as half wins, which draws strengths together; strengths say who beats whom, not by how much.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, ndtri

from evaluation.records import Record
from evaluation.stats.intervals import Array, Estimate

PRIOR = 0.5
"""Wins and losses against an average version that are added to each version."""

_STEPS = 100


class Rating(Record):
    """How strong a version is among those of its group."""

    version: str
    rank: int
    """1: the strongest of its group."""
    group: int
    """Versions of one group are linked by shared scenarios; 0 is the largest group."""
    strength: Estimate
    """In logits against the mean of the group; `n` counts its scenarios that another version attempted, too."""
    wins: float
    """Comparisons won on single scenarios, ties as halves."""
    comparisons: int


class _Fit(NamedTuple):
    strengths: Array
    """(k,), mean 0."""
    information: Array
    """(k, k)."""


def fit(wins: Array, prior: float = PRIOR) -> _Fit:
    """Return the strengths that make a table of wins likeliest. `wins`: (k, k), [i, j] how often i beat j.

    Raises `ValueError` on negative or impossible numbers, and where no finite strengths exist (with `prior` 0 only).
    """
    k = len(wins)
    if wins.shape != (k, k) or not np.isfinite(wins).all() or (wins < 0).any() or np.diag(wins).any():
        raise ValueError("expected a square table of wins of at least 0, with zeros on its diagonal")
    games = wins + wins.T
    won = wins.sum(axis=1) + prior
    # Without a prior, strengths are defined up to a constant: the ones fix their mean and move nothing else.
    anchor = np.full((k, k), 1.0 if prior == 0 else 0.0)
    strengths = np.zeros(k)
    for _ in range(_STEPS):
        likely = expit(strengths[:, None] - strengths[None, :])
        average = expit(strengths)
        gradient = won - (games * likely).sum(axis=1) - 2 * prior * average
        weights = games * likely * (1 - likely)
        information = np.diag(weights.sum(axis=1) + 2 * prior * average * (1 - average)) - weights
        try:
            step = np.linalg.solve(information + anchor, gradient)
        except np.linalg.LinAlgError:
            break
        largest = float(np.abs(step).max())
        strengths = strengths + step * min(1.0, 2.0 / max(largest, 1e-12))
        if largest < 1e-9:
            return _Fit(strengths - strengths.mean(), information)
    raise ValueError("expected versions none of which wins or loses every comparison, or a prior above 0")


def ratings(scores: Mapping[str, Mapping[str, float]], alpha: float = 0.05) -> list[Rating]:
    """Rank versions by their scores: version → scenario → score. Best first, group after group.

    Raises `ValueError` on a score that is NaN or infinite.
    """
    versions = sorted(scores)
    scenarios = sorted({scenario for of in scores.values() for scenario in of})
    place = {scenario: number for number, scenario in enumerate(scenarios)}
    table = np.full((len(versions), len(scenarios)), np.nan)
    for number, version in enumerate(versions):
        for scenario, score in scores[version].items():
            if not np.isfinite(score):
                raise ValueError(f"expected finite scores, found {score} of {version} on {scenario}")
            table[number, place[scenario]] = score
    out: list[Rating] = []
    for group, members in enumerate(_groups(~np.isnan(table))):
        out += _rank([versions[m] for m in members], table[members], group, alpha)
    return out


def _groups(attempted: NDArray[np.bool_]) -> list[list[int]]:
    """Return which versions are linked by shared scenarios, the largest group first."""
    shared = attempted.astype(np.int64) @ attempted.T.astype(np.int64)
    _, labels = connected_components(shared, directed=False)
    groups = [[int(n) for n in np.flatnonzero(labels == label)] for label in np.unique(labels)]
    return sorted(groups, key=lambda members: (-len(members), members))


def _rank(names: list[str], table: Array, group: int, alpha: float) -> list[Rating]:
    outcomes, both = _outcomes(table)
    wins = outcomes.sum(axis=2)
    fitted = fit(wins)
    errors = _errors(fitted, outcomes, both) if len(names) > 1 else np.full(len(names), np.nan)
    order = sorted(range(len(names)), key=lambda i: (-round(float(fitted.strengths[i]), 9), names[i]))
    z = float(ndtri(1 - alpha / 2))
    out = []
    for rank, i in enumerate(order, start=1):
        others = both[i].any(axis=0)
        value = float(fitted.strengths[i])
        known = bool(np.isfinite(errors[i])) and int(others.sum()) > 1
        strength = Estimate(
            value=value if len(names) > 1 else None,
            low=value - z * float(errors[i]) if known else None,
            high=value + z * float(errors[i]) if known else None,
            n=int(others.sum()),
        )
        out.append(
            Rating(
                version=names[i],
                rank=rank,
                group=group,
                strength=strength,
                wins=float(wins[i].sum()),
                comparisons=int(both[i].sum()),
            )
        )
    return out


def _outcomes(table: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return who beat whom on which scenario (1, ½ or 0), and who met whom: both (k, k, scenarios)."""
    attempted = ~np.isnan(table)
    both = attempted[:, None, :] & attempted[None, :, :]
    both[np.arange(len(table)), np.arange(len(table))] = False
    with np.errstate(invalid="ignore"):
        outcomes = np.where(both, 0.5 * (1 + np.sign(table[:, None, :] - table[None, :, :])), 0.0)
    return outcomes, both


def _errors(fitted: _Fit, outcomes: Array, both: NDArray[np.bool_]) -> Array:
    """Return the standard error of each strength against the mean: (k,)."""
    k = len(fitted.strengths)
    likely = expit(fitted.strengths[:, None] - fitted.strengths[None, :])
    scores = (outcomes - both * likely[:, :, None]).sum(axis=1)
    met = int(both.any(axis=(0, 1)).sum())
    meat = scores @ scores.T * (met / max(met - 1, 1))
    bread = np.linalg.pinv(fitted.information)
    centre = np.eye(k) - 1 / k
    covariance = centre @ bread @ meat @ bread @ centre.T
    errors: Array = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return errors
