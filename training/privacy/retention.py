"""Which examples are too old to be kept.

Decisions: age counts from the example's own time. Two kinds stay whatever their age, and are counted: examples that a
scenario of the regression set was made from, as long as it is pinned; and examples in the snapshot of a version that is
in production, as long as it is, so that what answers users can be traced to what it learned from. Only the ledger's
rows go; snapshots, which were scrubbed, stay. Pure: what there is comes in, what should go comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from evaluation.records import Record, Source, stable_id
from training.privacy.config import RetentionConfig


class RetentionRule(Record):
    """What one source's rule does now."""

    source: Source
    days: int
    before: datetime
    """Examples older than this go."""
    expired: int
    """Older than that, kept ones included."""
    pinned: int
    """Kept: a pinned scenario was made from them."""
    in_production: int
    """Kept: a version in production learned from them."""
    ids: tuple[str, ...]
    """Go."""

    @property
    def name(self) -> str:
        """As the trail has it: `production: 90d`."""
        return f"{self.source}: {self.days}d"

    @property
    def digest(self) -> str:
        """Of the ids that go, sorted."""
        return stable_id(sorted(self.ids))


def cutoffs(config: RetentionConfig, now: datetime) -> dict[Source, datetime]:
    """Return the time before which examples of each source are too old."""
    return {source: now - timedelta(days=days) for source, days in config.days().items()}


def retention_rules(
    config: RetentionConfig,
    now: datetime,
    *,
    expired: Mapping[Source, Sequence[str]],
    pinned: set[str],
    in_production: set[str],
) -> list[RetentionRule]:
    """Return what goes by each rule; `expired` holds the ids that are older than `cutoffs` says."""
    rules = []
    for source, days in config.days().items():
        old = expired.get(source, ())
        kept_pins = {one for one in old if one in pinned}
        kept_live = {one for one in old if one in in_production} - kept_pins
        rules.append(
            RetentionRule(
                source=source,
                days=days,
                before=now - timedelta(days=days),
                expired=len(old),
                pinned=len(kept_pins),
                in_production=len(kept_live),
                ids=tuple(one for one in old if one not in kept_pins and one not in kept_live),
            )
        )
    return rules
