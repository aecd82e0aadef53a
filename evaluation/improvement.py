"""How far a model has come: what was in production at first, after some months or turns, and now. Pure.

Decisions: the baseline is the first figure of the first champion, of one origin (comparisons before test runs before
production, whichever knows most champions). Each further line is the last figure, up to then, of the version that was
in production then; turns are counted that brought a new champion. A figure of other scenarios is marked: a difference
to it may be theirs. Where each champion shares scenarios with the next, the steps between them can be added up
(`linked`), which no change of scenarios moves; its interval adds the arms' variances, so it is rather too wide, since
arms on the same scenarios move together.
Limits: an interval of a relative change is left out where the baseline's own includes zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from evaluation.ledger.records import Observation
from evaluation.marks import Reign
from evaluation.records import Record
from evaluation.stats.intervals import Estimate

MONTH = timedelta(days=30.4375)
MONTHS = (1, 3, 6)
ORIGINS = ("compare", "ab", "test", "production")
"""Where figures of champions come from, the best to compare by first."""


class Milestone(Record):
    """A line of the improvement table."""

    label: str
    """`baseline`, `after 3 months`, `after 2 turns`, `latest`."""
    version: str
    at: datetime
    estimate: Estimate
    relative: Estimate
    """Change relative to the baseline, −1…; of independent figures. `n` is that of the figure."""
    comparable: bool
    """Measured on the baseline's scenarios."""


class Improvement(Record):
    """How far a model has come in one metric."""

    lines: tuple[Milestone, ...] = ()
    origin: str = ""
    """Where all figures of the table come from."""
    linked: Estimate | None = None
    """The difference of the latest to the baseline, step by step on shared scenarios; None where a step has none."""
    reason: str = ""
    """Why there is no table; empty where there is one."""


class _Place(NamedTuple):
    label: str
    until: datetime | None
    """None: no limit."""


def improvement(seen: Sequence[Observation], reigned: Sequence[Reign]) -> Improvement:
    """Return the table for figures of one metric, by time, given who was in production."""
    champions = {reign.version for reign in reigned}
    of_champions = [one for one in seen if one.subject in champions]
    if not of_champions:
        return Improvement(reason="no figure of a version that was in production")
    origin = _origin(of_champions)
    known = [one for one in of_champions if one.origin == origin]
    first = next((one for one in known if one.subject == reigned[0].version), None)
    if first is None:
        return Improvement(reason=f"the first champion, {reigned[0].version}, was not measured as later ones were")
    lines = [_line("baseline", first, first)]
    for place in _places(first, known[-1].at, reigned):
        found = _champions_figure(known, reigned, place.until)
        if found is not None and found.at >= first.at and found.id not in {first.id}:
            lines.append(_line(place.label, found, first))
    return Improvement(lines=_without_twins(lines), origin=origin, linked=_linked(known, reigned, origin))


def _origin(seen: Sequence[Observation]) -> str:
    counts = {name: len({one.subject for one in seen if one.origin == name}) for name in {one.origin for one in seen}}
    rank = {name: place for place, name in enumerate(ORIGINS)}
    return max(sorted(counts, key=lambda name: rank.get(name, len(rank))), key=lambda name: counts[name])


def _places(first: Observation, last: datetime, reigned: Sequence[Reign]) -> list[_Place]:
    months = [
        _Place(f"after {n} month{'s' if n > 1 else ''}", first.at + n * MONTH)
        for n in MONTHS
        if last >= first.at + n * MONTH
    ]
    turns = []
    for n, (_, after) in enumerate(pairwise(reigned[1:]), start=1):
        if after.since is not None:
            turns.append(_Place(f"after {n} turn{'s' if n > 1 else ''}", after.since))
    return [*months, *turns, _Place("latest", None)]


def _champions_figure(
    known: Sequence[Observation], reigned: Sequence[Reign], until: datetime | None
) -> Observation | None:
    """Return the last figure, up to then, of the version that was in production then."""
    champion = [reign for reign in reigned if until is None or reign.since is None or reign.since < until][-1]
    of_it = [one for one in known if one.subject == champion.version and (until is None or one.at <= until)]
    return of_it[-1] if of_it else None


def _line(label: str, one: Observation, first: Observation) -> Milestone:
    return Milestone(
        label=label,
        version=one.subject,
        at=one.at,
        estimate=estimate_of(one),
        relative=_relative(one, first),
        comparable=one.suite_digest == first.suite_digest,
    )


def _without_twins(lines: Sequence[Milestone]) -> tuple[Milestone, ...]:
    """Return the lines, of several with the same figure the months' first and `latest` where nothing else says it."""
    kept: dict[tuple[str, datetime], Milestone] = {}
    for line in lines:
        kept.setdefault((line.version, line.at), line)
    # The last line is the latest figure, whatever else it is.
    latest = lines[-1]
    if latest.label == "latest":
        kept[latest.version, latest.at] = latest
    return tuple(sorted(kept.values(), key=lambda line: (line.label == "latest", line.at)))


def _relative(one: Observation, first: Observation) -> Estimate:
    if one.id == first.id or first.value == 0:
        return Estimate(value=0.0 if one.id == first.id else None, low=None, high=None, n=one.n)
    value = one.value / first.value - 1
    errors = [_error(side) for side in (one, first)]
    if None in errors or first.low is None or first.high is None or first.low <= 0 <= first.high:
        return Estimate(value=value, low=None, high=None, n=one.n)
    # The delta method for a ratio of independent figures.
    top, bottom = (error or 0.0 for error in errors)
    half = 1.959963984540054 * math.hypot(top / first.value, one.value * bottom / first.value**2)
    return Estimate(value=value, low=value - half, high=value + half, n=one.n)


def _linked(known: Sequence[Observation], reigned: Sequence[Reign], origin: str) -> Estimate | None:
    """Add the steps from each champion to the next, each on scenarios that both were measured on."""
    if origin == "production" or len(reigned) < 2:
        return None
    total, variance, fewest = 0.0, 0.0, []
    for before, after in pairwise(reigned):
        sides = [{one.suite_digest: one for one in known if one.subject == side.version} for side in (before, after)]
        shared = [one for digest, one in sides[1].items() if digest in sides[0]]
        if not shared:
            return None
        later = min(shared, key=lambda one: (one.at, one.id))
        earlier = sides[0][later.suite_digest]
        total += later.value - earlier.value
        variance += sum((_error(one) or math.inf) ** 2 if _error(one) != 0 else 0.0 for one in (later, earlier))
        fewest.append(min(later.n, earlier.n))
    half = 1.959963984540054 * math.sqrt(variance)
    known_half = math.isfinite(half)
    return Estimate(
        value=total, low=total - half if known_half else None, high=total + half if known_half else None, n=min(fewest)
    )


def _error(one: Observation) -> float | None:
    """Return the standard error that a 95% interval stands for."""
    if one.low is None or one.high is None:
        return None
    return (one.high - one.low) / (2 * 1.959963984540054)


def estimate_of(one: Observation) -> Estimate:
    """Return the figure and its interval."""
    return Estimate(value=one.value, low=one.low, high=one.high, n=one.n)
