"""What happened to versions over time: promotions, rollbacks, decisions, overrides; and which version reigned. Pure.

Decisions: a rollout's end is dated by the line of its audit trail, else by its record. The first champion is the one
that the first rollout went out from; a champion that no rollout put there reigns from its first figure after the last
promotion, since nothing says since when. Trails whose numbers and times disagree show a clock that was set back; they
are said, not corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from evaluation.ledger.records import (
    DecisionRecord,
    Observation,
    OverrideRecord,
    RolloutEvent,
    RolloutRecord,
    RolloutStatus,
)
from evaluation.records import Record


class MarkKind(StrEnum):
    """What happened."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"
    DECIDED = "gate"
    """The gate decided; `outcome` says what."""
    OVERRIDDEN = "override"
    """A person decided otherwise."""


class Mark(Record):
    """One thing that happened to one version."""

    at: datetime
    kind: MarkKind
    version: str
    outcome: str = ""
    reason: str = ""
    by: str = ""
    """The person, of an override."""


class Reign(NamedTuple):
    """A version in production."""

    version: str
    since: datetime | None
    """None: from the beginning."""


_ENDS = {
    RolloutStatus.PROMOTED: MarkKind.PROMOTED,
    RolloutStatus.ROLLED_BACK: MarkKind.ROLLED_BACK,
    RolloutStatus.ABORTED: MarkKind.ABORTED,
}

_WORDS = {"promoted", "rolled_back", "aborted"}
"""What the last line of a trail may say."""


class Trail(NamedTuple):
    """What the ledger knows of rollouts and decisions."""

    rollouts: Sequence[RolloutRecord] = ()
    events: Sequence[RolloutEvent] = ()
    """In the order of their numbers."""
    decisions: Sequence[DecisionRecord] = ()
    overrides: Sequence[OverrideRecord] = ()
    champion: str | None = None
    """Who is in production now."""


def marks(trail: Trail) -> tuple[Mark, ...]:
    """Return what happened, by time."""
    found = [
        Mark(at=_ended(rollout, trail.events), kind=_ENDS[rollout.status], version=rollout.candidate,
             reason=_reason(rollout, trail.events))
        for rollout in trail.rollouts
        if rollout.status in _ENDS
    ]  # fmt: skip
    subjects = {decision.id: decision.subject for decision in trail.decisions}
    found += [
        Mark(at=one.at, kind=MarkKind.DECIDED, version=one.subject, outcome=one.outcome,
             reason=str(one.evidence.get("reason", "")))
        for one in trail.decisions
    ]  # fmt: skip
    found += [
        Mark(at=one.at, kind=MarkKind.OVERRIDDEN, version=subjects[one.decision_id], outcome=one.outcome,
             reason=one.reason, by=one.by)
        for one in trail.overrides
        if one.decision_id in subjects
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda mark: (mark.at, mark.kind, mark.version)))


def reigns(trail: Trail, seen: Sequence[Observation]) -> tuple[Reign, ...]:
    """Return who was in production, one after the other; empty where nothing is known of it."""
    first = min(trail.rollouts, key=lambda one: (one.created_at, one.id), default=None)
    out = [Reign(first.champion, None)] if first is not None and first.champion is not None else []
    promoted = [mark for mark in marks(trail) if mark.kind is MarkKind.PROMOTED]
    out += [Reign(mark.version, mark.at) for mark in promoted]
    if trail.champion is not None and (not out or out[-1].version != trail.champion):
        last = out[-1].since if out else None
        of_it = [one.at for one in seen if one.subject == trail.champion and (last is None or one.at > last)]
        out.append(Reign(trail.champion, min(of_it, default=last) if out else None))
    return tuple(out)


def clock_set_back(events: Iterable[RolloutEvent]) -> tuple[datetime, datetime] | None:
    """Return the times of two lines of the trail of which the later one bears the earlier time; None where none do."""
    numbered = sorted(events, key=lambda event: event.seq)
    return next(((a.at, b.at) for a, b in pairwise(numbered) if b.at < a.at), None)


def _ended(rollout: RolloutRecord, events: Sequence[RolloutEvent]) -> datetime:
    last = _last(rollout, events)
    return rollout.updated_at if last is None else last.at


def _reason(rollout: RolloutRecord, events: Sequence[RolloutEvent]) -> str:
    last = _last(rollout, events)
    return "" if last is None else last.reason


def _last(rollout: RolloutRecord, events: Sequence[RolloutEvent]) -> RolloutEvent | None:
    ends = [event for event in events if event.rollout_id == rollout.id and event.kind in _WORDS]
    return max(ends, key=lambda event: event.seq, default=None)
