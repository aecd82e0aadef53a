"""From figures to observations: what the history of a version is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from evaluation.ledger.records import Observation
from evaluation.records import stable_id
from evaluation.stats.intervals import Estimate


class Seen(NamedTuple):
    """Where and when figures were measured."""

    origin: str
    """`test`, `compare`, `ab` or `production`."""
    origin_id: str
    """The run, the comparison, or the day."""
    suite_digest: str
    at: datetime
    task_key: str = ""


def observations(subject: str, figures: Mapping[str, Estimate], seen: Seen) -> list[Observation]:
    """Return an observation of each figure that has a value. The same figures of the same origin get the same ids."""
    return [
        Observation(
            id=stable_id(subject, metric, seen.origin, seen.origin_id, seen.task_key),
            subject=subject,
            task_key=seen.task_key,
            metric=metric,
            value=one.value,
            low=one.low,
            high=one.high,
            n=one.n,
            origin=seen.origin,
            origin_id=seen.origin_id,
            suite_digest=seen.suite_digest,
            at=seen.at,
        )
        for metric, one in figures.items()
        if one.value is not None
    ]
