"""When a figure will fall below its floor, and when a budget will be spent: dates with intervals, or why none. Pure.

Decisions: a figure goes on along its robust line (`evaluation/stats/trends.py`); the interval is where the line's own
95% band meets the limit (Fieller 1954), so that level and slope both count. Costs go on at the mean of whole days,
days without traffic among them; the interval holds the rate's uncertainty and that of the days to come, as if days were
independent: sums of costs hang together too much for a line through them. The day that is not over counts as spent,
not as a day. Nothing is foretold beyond ten years. Limits: neither season nor growth of traffic is foreseen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np

from evaluation.ledger.records import Observation
from evaluation.records import Record
from evaluation.stats.intervals import Estimate, mean_interval
from evaluation.stats.trends import LEAST, crossing

_Z = 1.959963984540054

FARTHEST = 3652.5
"""Days from now beyond which nothing is foretold."""


class Forecast(Record):
    """When something is foreseen."""

    limit: float
    at: datetime | None
    """None: not foreseeable, for `reason`."""
    low: datetime | None = None
    """The earliest, at 95%."""
    high: datetime | None = None
    """The latest; None where it may never be."""
    reason: str = ""


class Budget(Record):
    """How far a budget is spent."""

    budget: float
    spent: float
    """Since the first day."""
    since: date | None
    """The first day; None where nothing was spent yet."""
    per_day: Estimate
    """Mean of whole days; `n` counts them."""
    forecast: Forecast


def floor_forecast(seen: Sequence[Observation], floor: float, now: datetime, *, falling: bool) -> Forecast:
    """Foresee when the figure passes `floor` from its better side. `falling`: lower is worse."""
    if not seen:
        return Forecast(limit=floor, at=None, reason="too little data: no observation")
    begin = min(one.at for one in seen)
    times = np.array([days(one.at - begin) for one in seen])
    values = np.array([one.value for one in seen])
    found = crossing(times, values, floor, falling=falling)
    today = days(now - begin)
    at, low, high = (_date(begin, day, today) for day in (found.day, found.low, found.high))
    reason = found.reason
    if found.day is not None and at is None:
        reason = "not within ten years, as the figure moves now"
    elif not reason and found.day is not None and found.day < today:
        reason = "by now, if it went on since the last observation as before"
    return Forecast(limit=floor, at=at, low=low if at or reason else None, high=high, reason=reason)


def budget_forecast(spending: Mapping[date, float], budget: float, now: datetime) -> Budget:
    """Foresee when the costs since the first day pass `budget`; days that are left out cost nothing."""
    past = {day: cost for day, cost in spending.items() if day <= now.date()}
    spent, first = math.fsum(past.values()), min(past, default=None)
    whole = 0 if first is None else (now.date() - first).days
    costs = np.array([past.get(first + timedelta(days=n), 0.0) for n in range(whole)]) if first else np.empty(0)
    rate = mean_interval(costs)
    per_day = Estimate(value=rate.value, low=None if rate.low is None else max(rate.low, 0.0), high=rate.high, n=whole)

    def said(**fields: object) -> Budget:
        forecast = Forecast.model_validate({"limit": budget, "at": None, **fields})
        return Budget(budget=budget, spent=spent, since=first, per_day=per_day, forecast=forecast)

    if spent >= budget:
        return said(at=now, low=now, high=now, reason="the budget is spent already")
    if whole < LEAST or rate.value is None:
        return said(reason=f"too little data: {whole} whole days, {LEAST} are needed")
    if rate.value <= 0:
        return said(reason="nothing was spent on whole days")
    left = (budget - spent) / rate.value
    # Days to come vary as days did, and the rate itself is only known so well.
    variance = float(costs.var(ddof=1))
    half = _Z * math.sqrt(left * variance + left**2 * variance / whole) / rate.value
    if left > FARTHEST:
        return said(reason="not within ten years, as costs are now")
    ends = [now + timedelta(days=max(left - half, 0.0)), _later(now, left + half)]
    return said(at=now + timedelta(days=left), low=ends[0], high=ends[1])


def days(span: timedelta) -> float:
    """Return a span in days."""
    return span.total_seconds() / 86400


def _later(now: datetime, left: float) -> datetime | None:
    return now + timedelta(days=left) if left <= FARTHEST else None


def _date(begin: datetime, day: float | None, today: float) -> datetime | None:
    """Return the date of a day counted from the beginning; None where it lies beyond what is foretold."""
    if day is None or not math.isfinite(day) or day - today > FARTHEST:
        return None
    return begin + timedelta(days=day)
