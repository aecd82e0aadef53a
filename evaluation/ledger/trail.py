"""All that was ever said of examples, as it travels with them from ledger to ledger.

Decisions: labels with who gave them, when, and what was taken back; reviews; recoveries; rewards of each version; and
the labels that the body was written with, from which all later ones count. A review travels without its lease, which
belongs to a session that is not there. What comes to an example that the ledger has already is added to what it has,
line by line by id; its body stays. Labels in force and columns follow from it, in the same transaction.
Not covered: feedback (it travels beside this), dead letters, and what was forgotten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy import Connection, select

from evaluation.ledger.collected import LabelRecord, RecoveryRecord, ReviewItem, RewardRecord
from evaluation.ledger.database import insert_new
from evaluation.ledger.labels import by_example, label_row, settle
from evaluation.ledger.part import Part, chunks, read_record
from evaluation.ledger.ratings import ratings
from evaluation.ledger.recoveries import carried_row, found_body
from evaluation.ledger.schema import ExampleRow, LabelRow, RecoveryRow, ReviewRow, RewardRow
from evaluation.ledger.signals import upsert_rewards
from evaluation.records import Labels, Record


class Trail(Record):
    """What was said of one example beside its feedback."""

    labels: tuple[LabelRecord, ...] = ()
    """The earliest first; those that were taken back among them."""
    reviews: tuple[ReviewItem, ...] = ()
    recoveries: tuple[RecoveryRecord, ...] = ()
    found: dict[str, RecoveryRecord] = Field(default_factory=dict)
    """By id: how a recovery was found, where reviewers have changed it."""
    rewards: tuple[RewardRecord, ...] = ()
    """Of all versions, the one that is in force last."""
    written: Labels | None = None
    """The labels that the example was written with, where others are in force."""

    def __bool__(self) -> bool:
        return self != _NOTHING


_NOTHING = Trail()


class Trails(Part):
    """The ledger's verb for what travels with examples."""

    def trails(self, example_ids: Sequence[str]) -> dict[str, Trail]:
        """Return what was said of several examples; those of which nothing was said are left out."""
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        with self._database.read() as connection:
            for ids in chunks(example_ids):
                for name, labels in by_example(connection, ids).items():
                    found[name]["labels"] = labels
                _add_reviews(connection, ids, found)
                _add_recoveries(connection, ids, found)
                _add_rewards(connection, ids, found)
                moved = {name for name in ids if found.get(name, {}).get("labels")} | set(ratings(connection, ids))
                _add_written(connection, sorted(moved), found)
        return {name: Trail(**told) for name, told in found.items() if told}


def write_trails(connection: Connection, trails: Sequence[Trail], known: set[str]) -> int:
    """Add what is new of it, of examples that are there; return how many labels, reviews and recoveries were new.

    `known`: examples that were there before: like their bodies, their rewards stay.
    """
    reviews = [_row_of_review(one) for trail in trails for one in trail.reviews]
    labels = [label_row(one) for trail in trails for one in trail.labels]
    recoveries = [carried_row(one, trail.found.get(one.id)) for trail in trails for one in trail.recoveries]
    # Reviews first: they say how many have to agree.
    new = insert_new(connection, ReviewRow, ReviewRow.id, reviews)
    new += insert_new(connection, LabelRow, LabelRow.id, labels)
    new += insert_new(connection, RecoveryRow, RecoveryRow.id, recoveries)
    rewards = [one for trail in trails for one in trail.rewards if one.example_id not in known]
    upsert_rewards(connection, rewards)
    settle(connection, sorted({row["example_id"] for row in labels}))
    return new


def require_about(trail: Trail, example_id: str) -> None:
    """Raise `ValueError` where something of a trail is of another example."""
    of = [one.example_id for one in trail.labels] + [one.example_id for one in trail.rewards]
    of += [one.example_id for one in trail.reviews]
    of += [one.example_id for one in (*trail.recoveries, *trail.found.values())]
    for name in of:
        if name != example_id:
            raise ValueError(f"trail: expected what was said of example {example_id}, found it of {name}")


def _row_of_review(item: ReviewItem) -> dict[str, Any]:
    return item.model_dump() | {"kind": item.kind.value, "status": item.status.value}


def _add_reviews(connection: Connection, ids: Sequence[str], found: dict[str, dict[str, Any]]) -> None:
    query = select(*ReviewRow.__table__.c).where(ReviewRow.example_id.in_(ids))
    for row in connection.execute(query.order_by(ReviewRow.enqueued_at, ReviewRow.id)):
        item = read_record(ReviewItem, row).model_copy(update={"lease_owner": None, "lease_until": None})
        _append(found, item.example_id, "reviews", item)


def _add_recoveries(connection: Connection, ids: Sequence[str], found: dict[str, dict[str, Any]]) -> None:
    query = select(RecoveryRow.example_id, RecoveryRow.body).where(RecoveryRow.example_id.in_(ids))
    for row in connection.execute(query.order_by(RecoveryRow.at, RecoveryRow.id)):
        now, before = found_body(row.body)
        _append(found, row.example_id, "recoveries", now)
        if before is not None:
            found[row.example_id].setdefault("found", {})[now.id] = before


def _add_rewards(connection: Connection, ids: Sequence[str], found: dict[str, dict[str, Any]]) -> None:
    query = select(*RewardRow.__table__.c).where(RewardRow.example_id.in_(ids))
    for row in connection.execute(query.order_by(RewardRow.at, RewardRow.version.desc())):
        reward = RewardRecord(example_id=row.example_id, version=row.version, signal=row.body, at=row.at)
        _append(found, row.example_id, "rewards", reward)


def _add_written(connection: Connection, ids: Sequence[str], found: dict[str, dict[str, Any]]) -> None:
    for row in connection.execute(select(ExampleRow.id, ExampleRow.body).where(ExampleRow.id.in_(ids))):
        found[row.id]["written"] = Labels.model_validate(row.body["labels"])


def _append(found: dict[str, dict[str, Any]], name: str, what: str, one: Record) -> None:
    found[name][what] = (*found[name].get(what, ()), one)
