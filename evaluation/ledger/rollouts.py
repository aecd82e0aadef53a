"""Rollouts, their audit trail and lease, and what is in production.

A rollout record changes only from the revision that its writer has read. The lease says which controller may act; it
is renewed without touching the revision, so that renewing it never makes a decision stale.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerError, StaleRecord
from evaluation.ledger.part import Part, read_record
from evaluation.ledger.records import RolloutEvent, RolloutRecord, RolloutStatus
from evaluation.ledger.schema import ProductionRow, RolloutEventRow, RolloutRow

_ROLLOUT = RolloutRow.__table__.c
_EVENT = RolloutEventRow.__table__.c


def aborted(
    paused: RolloutRecord, ref: str | None, *, actor: str, reason: str, at: datetime
) -> tuple[RolloutRecord, RolloutEvent]:
    """Return a paused rollout as `ref` in production leaves it, and the line for its audit trail.

    Traffic goes by the weights of an active rollout: one that stays paused would keep on dividing it.
    """
    weights = dict.fromkeys(paused.weights, 0.0) | ({ref: 1.0} if ref else {})
    ended = paused.model_copy(update={"status": RolloutStatus.ABORTED, "weights": weights})
    return ended, RolloutEvent(rollout_id=paused.id, kind="aborted", actor=actor, reason=reason, at=at)


class Rollouts(Part):
    """The ledger's verbs for rollouts and production."""

    def create_rollout(self, record: RolloutRecord) -> RolloutRecord:
        """Write a new rollout and return the record in force: the one that is there where the id is known already.

        Raises `LedgerError` where another rollout of the same model is active.
        """
        with self._database.write() as connection:
            known = _find(connection, record.id)
            if known is not None:
                return known
            active = _active(connection, record.model)
            if active is not None and record.status.active:
                raise LedgerError(
                    f"Model {record.model} already has an active rollout, {active.id} ({active.status.value}, "
                    f"candidate {active.candidate}). Finish or abort it before you start {record.id}."
                )
            insert_new(connection, RolloutRow, RolloutRow.id, [_row(record)])
            return record

    def rollout(self, rollout_id: str) -> RolloutRecord:
        """Return one rollout. Raises `LedgerError` where there is none."""
        with self._database.read() as connection:
            return _known(connection, rollout_id)

    def active_rollout(self, model: str) -> RolloutRecord | None:
        """Return the rollout that moves this model's traffic, if there is one."""
        with self._database.read() as connection:
            return _active(connection, model)

    def rollouts(self, model: str, limit: int | None = None) -> tuple[RolloutRecord, ...]:
        """Return a model's rollouts, the latest first."""
        query = select(*_ROLLOUT).where(RolloutRow.model == model)
        query = query.order_by(RolloutRow.created_at.desc(), RolloutRow.id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(read_record(RolloutRecord, row) for row in connection.execute(query))

    def update_rollout(
        self, record: RolloutRecord, expected_revision: int, event: RolloutEvent | None = None
    ) -> RolloutRecord:
        """Write the record if the ledger still holds `expected_revision`; return it with its new revision and time.

        The lease and the time of creation stay as they are. `event` is written in the same transaction. Raises
        `StaleRecord` where somebody else was faster, `LedgerError` where there is no such rollout.
        """
        with self._database.write() as connection:
            written = self._update(connection, record, expected_revision)
            if event is not None:
                _append(connection, event)
            return written

    def append_event(self, event: RolloutEvent) -> RolloutEvent:
        """Add a line to the audit trail; return it with its number. Raises `LedgerError` for an unknown rollout."""
        with self._database.write() as connection:
            return _append(connection, event)

    def events(self, rollout_id: str) -> tuple[RolloutEvent, ...]:
        """Return a rollout's audit trail, in order."""
        query = select(*_EVENT).where(RolloutEventRow.rollout_id == rollout_id).order_by(RolloutEventRow.seq)
        with self._database.read() as connection:
            return tuple(read_record(RolloutEvent, row) for row in connection.execute(query))

    def acquire_lease(self, rollout_id: str, owner: str, seconds: float) -> bool:
        """Take or renew the lease for `seconds` from now; return False while another owner holds it."""
        now = self._clock()
        free = or_(RolloutRow.lease_owner.is_(None), RolloutRow.lease_owner == owner, RolloutRow.lease_until <= now)
        lease = {"lease_owner": owner, "lease_until": now + timedelta(seconds=seconds)}
        with self._database.write() as connection:
            _known(connection, rollout_id)
            return (
                connection.execute(update(RolloutRow).where(RolloutRow.id == rollout_id, free).values(lease)).rowcount
                == 1
            )

    def release_lease(self, rollout_id: str, owner: str) -> None:
        """Give the lease back; nothing happens where `owner` does not hold it."""
        held = (RolloutRow.id == rollout_id, RolloutRow.lease_owner == owner)
        with self._database.write() as connection:
            connection.execute(update(RolloutRow).where(*held).values(lease_owner=None, lease_until=None))

    def champion(self, model: str) -> str | None:
        """Return the version that is in production, if there is one."""
        with self._database.read() as connection:
            return connection.scalar(select(ProductionRow.version).where(ProductionRow.model == model))

    def set_champion(
        self, model: str, version: str, rollout: RolloutRecord | None = None, *, event: RolloutEvent | None = None
    ) -> RolloutRecord | None:
        """Put `version` into production, together with the rollout's state and `event`: all or nothing.

        `rollout` carries the revision that it was made from. Returns the rollout as written. Raises `StaleRecord` and
        changes nothing where the rollout was changed meanwhile.
        """
        values = {"version": version, "rollout_id": rollout.id if rollout else None, "since": self._clock()}
        with self._database.write() as connection:
            written = None if rollout is None else self._update(connection, rollout, rollout.revision)
            if not insert_new(connection, ProductionRow, ProductionRow.model, [{"model": model, **values}]):
                connection.execute(update(ProductionRow).where(ProductionRow.model == model).values(values))
            if event is not None:
                _append(connection, event)
            return written

    def _update(self, connection: Connection, record: RolloutRecord, expected: int) -> RolloutRecord:
        known = _known(connection, record.id)
        kept = {"lease_owner", "lease_until", "created_at"}
        changed = record.model_copy(
            update={"revision": expected + 1, "updated_at": self._clock()}
            | {name: getattr(known, name) for name in kept}
        )
        values = {name: value for name, value in _row(changed).items() if name not in kept}
        statement = update(RolloutRow).where(RolloutRow.id == record.id, RolloutRow.revision == expected)
        if connection.execute(statement.values(values)).rowcount != 1:
            raise StaleRecord(
                f"Rollout {record.id} is at revision {known.revision}, the change was made from {expected}. Read the "
                "rollout again and decide anew."
            )
        return changed


def _find(connection: Connection, rollout_id: str) -> RolloutRecord | None:
    row = connection.execute(select(*_ROLLOUT).where(RolloutRow.id == rollout_id)).one_or_none()
    return None if row is None else read_record(RolloutRecord, row)


def _known(connection: Connection, rollout_id: str) -> RolloutRecord:
    record = _find(connection, rollout_id)
    if record is None:
        raise LedgerError(f"No rollout {rollout_id} in the ledger.")
    return record


def _active(connection: Connection, model: str) -> RolloutRecord | None:
    query = select(*_ROLLOUT).where(RolloutRow.model == model, RolloutRow.active.is_(True))
    row = connection.execute(query).one_or_none()
    return None if row is None else read_record(RolloutRecord, row)


def _append(connection: Connection, event: RolloutEvent) -> RolloutEvent:
    _known(connection, event.rollout_id)
    values = event.model_dump(exclude={"seq"})
    seq = connection.scalar(insert(RolloutEventRow).values(values).returning(RolloutEventRow.seq))
    return event.model_copy(update={"seq": seq})


def _row(record: RolloutRecord) -> dict[str, Any]:
    plain = {"desired": record.desired.value, "status": record.status.value, "active": record.status.active}
    return record.model_dump() | plain
