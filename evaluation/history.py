"""The history of versions: figures over time, what happened, how far it has come, where it goes. Pure.

Decisions: trend, changes and forecasts rest on one basis each, figures of what was in production at the time that can
be compared: days of production where there are enough, else measurements on the same scenarios, else measurements of
one origin on different scenarios, and it is said which. Where no champion is known, or a version is asked for, the
basis is all that was seen of the most measured version. In use, promotions are steps that no line goes through: what is
foretold rests on the present champion's days alone. Figures and marks that bear a time after `now` are left out of
all of it and counted in a note: a clock was wrong. Order of what comes in does not matter.
Limits: a season can look like changes; test runs and production are never mixed in one line.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from evaluation.forecasts import Budget, Forecast, budget_forecast, days, floor_forecast
from evaluation.improvement import Improvement, improvement
from evaluation.ledger.records import Observation
from evaluation.marks import Mark, Reign, Trail, clock_set_back, marks, reigns
from evaluation.metrics import Direction, Metric
from evaluation.production import InputDrift, Production
from evaluation.records import Record
from evaluation.stats.intervals import Array, Estimate
from evaluation.stats.trends import LEAST, Drift, change_points, drift, trend

NEAR = timedelta(days=2)
"""A change this close to a mark is named with it."""


class Series(Record):
    """One version's figures of one metric, by time."""

    version: str
    points: tuple[Observation, ...]


class Basis(Record):
    """What trend, changes and forecasts of a metric rest on."""

    points: tuple[Observation, ...] = ()
    """By time."""
    what: str = ""
    """In words."""


class Slope(Record):
    """How a metric moves."""

    per_week: Estimate
    days: float
    """From the first to the last observation."""
    level: float | None = None
    """The line's value at the last observation."""
    reason: str = ""
    """Why there is none; empty where there is one."""


class Change(Record):
    """When a metric's mean changed."""

    at: datetime
    """The first observation after it."""
    before: Estimate
    after: Estimate
    p_value: float
    near: tuple[Mark, ...] = ()
    """What happened within two days of it."""


class MetricHistory(Record):
    """All that is known of one metric."""

    metric: str
    series: tuple[Series, ...]
    basis: Basis
    improvement: Improvement
    slope: Slope
    lately: Slope | None
    """The present champion's own, in use; None where the basis is something else, or it was the only champion."""
    ahead: Basis
    """What forecasts rest on: the present champion's days in use, else the basis."""
    changes: tuple[Change, ...]
    scores: Drift
    """Single figures in production, the later half of the days against the earlier."""
    floor: Forecast | None = None


class History(Record):
    """What is known of the versions of a home."""

    now: datetime
    since: datetime | None
    """What was before is left out of all but the improvement; None: nothing is."""
    metrics: tuple[MetricHistory, ...]
    """Those that were measured."""
    marks: tuple[Mark, ...]
    champions: tuple[tuple[str, datetime | None], ...]
    """Who was in production, and since when (None: from the beginning)."""
    inputs: tuple[InputDrift, ...]
    budget: Budget | None = None
    notes: tuple[str, ...] = ()
    """What the reader should know of the data."""


class Asked(NamedTuple):
    """What a history is to be of."""

    metrics: Mapping[str, Metric]
    now: datetime
    since: datetime | None = None
    version: str | None = None
    task_key: str = ""
    floors: Mapping[str, float] = {}
    """By metric."""
    budget: float | None = None


def history(seen: Sequence[Observation], production: Production, trail: Trail, asked: Asked) -> History:
    """Return the history of what the ledger has seen: `seen` from tests and comparisons, `production` from use."""
    every = _merged(seen, production.observations(asked.task_key), asked)
    past = [one for one in every if one.at <= asked.now]
    happened = marks(trail)
    known = tuple(mark for mark in happened if mark.at <= asked.now and (asked.version in (None, mark.version)))
    reigned = reigns(trail, past)
    shown = tuple(mark for mark in known if asked.since is None or mark.at >= asked.since)
    metrics = tuple(
        _metric(name, [one for one in past if one.metric == name], production, known=(reigned, shown), asked=asked)
        for name in asked.metrics
        if any(one.metric == name for one in past)
    )
    return History(
        now=asked.now,
        since=asked.since,
        metrics=metrics,
        marks=shown,
        champions=tuple((reign.version, reign.since) for reign in reigned),
        inputs=production.inputs(),
        budget=None if asked.budget is None else budget_forecast(dict(production.spending()), asked.budget, asked.now),
        notes=tuple(_notes(every, production, trail, asked)),
    )


def _merged(seen: Sequence[Observation], production: Sequence[Observation], asked: Asked) -> list[Observation]:
    """Return each figure once, by time: what production comes to now stands for what was kept of it."""
    unique = {one.id: one for one in (*seen, *production) if asked.version in (None, one.subject)}
    kept = [one for one in unique.values() if one.task_key == asked.task_key]
    return sorted(kept, key=lambda one: (one.at, one.id))


def _metric(
    name: str,
    seen: Sequence[Observation],
    production: Production,
    *,
    known: tuple[Sequence[Reign], Sequence[Mark]],
    asked: Asked,
) -> MetricHistory:
    reigned, happened = known
    whole, seen = seen, [one for one in seen if asked.since is None or one.at >= asked.since]
    by_version: dict[str, list[Observation]] = defaultdict(list)
    for one in seen:
        by_version[one.subject].append(one)
    rests = basis(seen, () if asked.version is not None else reigned)
    ahead = _ahead(rests, reigned)
    floor = asked.floors.get(name)
    falling = asked.metrics[name].direction is Direction.HIGHER
    return MetricHistory(
        metric=name,
        series=tuple(Series(version=version, points=tuple(of)) for version, of in by_version.items()),
        basis=rests,
        improvement=improvement(whole, reigned) if reigned else Improvement(reason="no version is in production yet"),
        slope=_slope(rests),
        lately=None if ahead is rests else _slope(ahead),
        ahead=ahead,
        changes=tuple(_changes(rests, happened)),
        scores=drift(*production.values(name)),
        floor=None if floor is None else floor_forecast(ahead.points, floor, asked.now, falling=falling),
    )


def _ahead(rests: Basis, reigned: Sequence[Reign]) -> Basis:
    """Return what forecasts rest on."""
    in_use = bool(rests.points) and all(one.origin == "production" for one in rests.points)
    if not in_use or len({one.subject for one in rests.points}) < 2 or not reigned:
        return rests
    champion = reigned[-1].version
    points = tuple(one for one in rests.points if one.subject == champion)
    return Basis(points=points, what=f"{champion}, {len(points)} days in use")


def _columns(rests: Basis) -> tuple[Array, Array]:
    """Return days since the first observation, and values."""
    begin = rests.points[0].at if rests.points else None
    times = [0.0 if begin is None else days(one.at - begin) for one in rests.points]
    return np.array(times, dtype=np.float64), np.array([one.value for one in rests.points], dtype=np.float64)


def _slope(rests: Basis) -> Slope:
    found = trend(*_columns(rests))
    sides = {side: getattr(found.slope, side) for side in ("value", "low", "high")}
    per_week = {side: None if value is None else 7 * value for side, value in sides.items()}
    return Slope(
        per_week=Estimate(n=found.slope.n, **per_week), days=found.days, level=found.level, reason=found.reason
    )


def basis(seen: Sequence[Observation], reigned: Sequence[Reign]) -> Basis:
    """Return the figures of one metric, by time, that a line may go through; see above for which."""
    of = _in_production_then(seen, reigned) if reigned else _most_measured(seen)
    whose = "what was in production" if reigned else f"{of[0].subject}" if of else ""
    groups: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for one in of:
        groups["origin", one.origin].append(one)
        if one.origin != "production":
            groups["scenarios", one.suite_digest].append(one)
    ranked = sorted(groups.items(), key=lambda item: (_rank(*item), item[0]))
    if not ranked:
        return Basis()
    (kind, name), points = ranked[0]
    count = f"{len(points)} {'measurements' if len(points) != 1 else 'measurement'}"
    if (kind, name) == ("origin", "production"):
        return Basis(points=tuple(points), what=f"{whose}, {len(points)} days in use")
    draws = len({one.suite_digest for one in points})
    same = "the same scenarios" if draws == 1 else f"{draws} different sets of scenarios"
    return Basis(points=tuple(points), what=f"{whose}, {count} on {same}")


def _rank(key: tuple[str, str], points: Sequence[Observation]) -> tuple[bool, int, int]:
    """Order bases: enough observations first; production, then the same scenarios, then one origin; then the most."""
    enough = len({one.at for one in points}) >= LEAST
    order = 0 if key == ("origin", "production") else 1 if key[0] == "scenarios" else 2
    return (not enough, order if enough else 0, -len(points))


def _in_production_then(seen: Sequence[Observation], reigned: Sequence[Reign]) -> list[Observation]:
    """Return the figures of each champion until the next one; in use, only while it reigned.

    What a comparison measured before a promotion counts: it is how the version came to be promoted.
    """
    out = []
    for number, reign in enumerate(reigned):
        ends = reigned[number + 1].since if number + 1 < len(reigned) else None
        for one in seen:
            if one.subject != reign.version or (ends is not None and one.at > ends):
                continue
            if one.origin == "production" and reign.since is not None and one.at < reign.since:
                continue
            out.append(one)
    unique = {one.id: one for one in out}
    return sorted(unique.values(), key=lambda one: (one.at, one.id))


def _most_measured(seen: Sequence[Observation]) -> list[Observation]:
    counts = Counter(one.subject for one in seen)
    most = max(sorted(counts), key=lambda name: counts[name], default=None)
    return [one for one in seen if one.subject == most]


def _changes(rests: Basis, happened: Sequence[Mark]) -> list[Change]:
    times, values = _columns(rests)
    at_day = dict(zip(times.tolist(), (one.at for one in rests.points), strict=True))
    return [
        Change(
            at=at_day[point.at],
            before=point.before,
            after=point.after,
            p_value=point.p_value,
            near=tuple(mark for mark in happened if abs(mark.at - at_day[point.at]) <= NEAR),
        )
        for point in change_points(times, values)
    ]


def _notes(every: Sequence[Observation], production: Production, trail: Trail, asked: Asked) -> list[str]:
    ahead = [one.at for one in every if one.at > asked.now and one.metric in asked.metrics]
    ahead_marks = [mark.at for mark in marks(trail) if mark.at > asked.now]
    notes = []
    if ahead or ahead_marks or production.ahead:
        latest = f" (the latest {max(ahead + ahead_marks):%Y-%m-%d %H:%M})" if ahead or ahead_marks else ""
        notes.append(
            f"{len(ahead)} figures, {production.ahead} requests and {len(ahead_marks)} events bear a time after"
            f" now{latest}; they are left out: a clock was wrong"
        )
    back = clock_set_back(trail.events)
    if back is not None:
        notes.append(
            f"the clock was set back while a rollout ran: a line of {back[0]:%Y-%m-%d %H:%M} is followed by one of"
            f" {back[1]:%Y-%m-%d %H:%M}; the order of marks near it may be wrong"
        )
    return notes
