"""Rewards: what each example is worth under each version of the weights.

The column `reward` of an example is the value of the version that was written last. A version is the digest of its
weights (`RewardConfig.version`), so that weights which come back find their own rows again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute

from evaluation.ledger.collected import RewardRecord
from evaluation.ledger.part import Part
from evaluation.ledger.schema import ExampleRow, RewardRow
from evaluation.records import Example

_CHUNK = 500
_KEY = ("example_id", "version")


class Signals(Part):
    """The ledger's verbs for rewards."""

    def put_rewards(self, rewards: Sequence[RewardRecord], *, without: Sequence[str] = (), version: str = "") -> int:
        """Write rewards and their examples' column, all or none; return how many were new or had another signal.

        Those of `version` of the examples `without` a reward, because they can no longer be judged, are removed. An
        example that the ledger does not hold (any more) is passed over.
        """
        with self._database.write() as connection:
            held = _among(connection, ExampleRow.id, [reward.example_id for reward in rewards])
            kept = [reward for reward in rewards if reward.example_id in held]
            before = _signals(connection, kept)
            changed = [r for r in kept if before.get((r.example_id, r.version)) != r.signal.model_dump(mode="json")]
            upsert_rewards(connection, kept)
            return len(changed) + _remove(connection, without, version)

    def rewards_of(self, example_id: str) -> tuple[RewardRecord, ...]:
        """Return one example's rewards, the newest version first."""
        query = select(*RewardRow.__table__.c).where(RewardRow.example_id == example_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(RewardRow.at.desc(), RewardRow.version))
            return tuple(_reward(row) for row in rows)

    def rewards(self, version: str | None = None, batch: int = 1000) -> Iterator[RewardRecord]:
        """Yield all rewards of a version (None: the newest), by example. Holds nothing open between batches."""
        version = version if version is not None else self.reward_version()
        after = ""
        while True:
            query = select(*RewardRow.__table__.c).where(RewardRow.version == version, RewardRow.example_id > after)
            with self._database.read() as connection:
                rows = connection.execute(query.order_by(RewardRow.example_id).limit(batch)).all()
            yield from map(_reward, rows)
            if len(rows) < batch:
                return
            after = rows[-1].example_id

    def reward_version(self) -> str | None:
        """Return the version that was written last; None where there are no rewards. Looks at every reward."""
        return next(iter(self.reward_versions()), None)

    def reward_versions(self) -> dict[str, int]:
        """Return how many rewards each version has, the newest first. Looks at every reward."""
        latest = func.max(RewardRow.at)
        query = select(RewardRow.version, func.count()).group_by(RewardRow.version)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(latest.desc(), RewardRow.version))
            return {version: int(count) for version, count in rows}


def add_rewards(connection: Connection, examples: Sequence[Example], at: datetime) -> None:
    """Write the rewards that new examples bring along, in their own transaction; the first of those with the same id.

    Only of examples that have none yet: one that was there before keeps what it has.
    """
    brought = {e.id: e.reward for e in reversed(examples) if e.reward is not None and e.reward.version}
    known = _among(connection, RewardRow.example_id, list(brought))
    rows = [
        {"example_id": key, "version": one.version, "value": one.value, "at": at, "body": one.model_dump(mode="json")}
        for key, one in brought.items()
        if key not in known
    ]
    if rows:
        connection.execute(_insert(connection).on_conflict_do_nothing(index_elements=_KEY), rows)


def _insert(connection: Connection) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(RewardRow)


def _among(connection: Connection, column: InstrumentedAttribute[str], ids: Sequence[str]) -> set[str]:
    """Return those of the ids that a column holds."""
    return {
        found
        for start in range(0, len(ids), _CHUNK)
        for found in connection.scalars(select(column).where(column.in_(ids[start : start + _CHUNK])))
    }


def _signals(connection: Connection, rewards: Sequence[RewardRecord]) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for start in range(0, len(rewards), _CHUNK):
        ids = [reward.example_id for reward in rewards[start : start + _CHUNK]]
        query = select(RewardRow.example_id, RewardRow.version, RewardRow.body).where(RewardRow.example_id.in_(ids))
        found.update({(row.example_id, row.version): row.body for row in connection.execute(query)})
    return found


def upsert_rewards(connection: Connection, rewards: Sequence[RewardRecord]) -> None:
    """Write rewards of examples that are there, and the examples' column: of several of one, the last counts."""
    if not rewards:
        return
    statement = _insert(connection)
    changed = {name: statement.excluded[name] for name in ("value", "at", "body")}
    upsert = statement.on_conflict_do_update(index_elements=_KEY, set_=changed)
    connection.execute(upsert, [_values(reward) for reward in rewards])
    _columns(connection, {reward.example_id: reward.signal.value for reward in rewards})


def _remove(connection: Connection, example_ids: Sequence[str], version: str) -> int:
    removed = 0
    for start in range(0, len(example_ids), _CHUNK):
        ids = example_ids[start : start + _CHUNK]
        gone = delete(RewardRow).where(RewardRow.example_id.in_(ids), RewardRow.version == version)
        removed += connection.execute(gone).rowcount
        stale = update(ExampleRow).where(ExampleRow.id.in_(ids), ExampleRow.reward.is_not(None))
        connection.execute(stale.values(reward=None))
    return removed


def _columns(connection: Connection, values: dict[str, float]) -> None:
    table = ExampleRow.metadata.tables[ExampleRow.__tablename__]
    statement = update(table).where(table.c.id == bindparam("key")).values(reward=bindparam("worth"))
    connection.execute(statement, [{"key": key, "worth": value} for key, value in values.items()])


def _reward(row: Row[Any]) -> RewardRecord:
    return RewardRecord(example_id=row.example_id, version=row.version, signal=row.body, at=row.at)


def _values(reward: RewardRecord) -> dict[str, Any]:
    plain = reward.model_dump(include={"example_id", "version", "at"})
    return plain | {"value": reward.signal.value, "body": reward.signal.model_dump(mode="json")}
