"""What judgement remembers: overrides, pinned scenarios, figures over time, and looks at held-out scenarios.

Decisions: overrides, figures and looks are added and never changed; a pin changes only together with a line of its
trail, in one transaction. Not covered: deciding any of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, insert, select, update

from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerError
from evaluation.ledger.part import Part, read_record
from evaluation.ledger.records import (
    DecisionRecord,
    LookRecord,
    Observation,
    OverrideRecord,
    PinEvent,
    PinRecord,
    PinStatus,
)
from evaluation.ledger.schema import DecisionRow, LookRow, ObservationRow, OverrideRow, PinRow

_EVENTS = {"pinned": PinStatus.ACTIVE, "quarantined": PinStatus.QUARANTINED, "released": PinStatus.ACTIVE,
           "removed": PinStatus.REMOVED}  # fmt: skip
"""The status of a pin after each event of its trail."""


class Judgement(Part):
    """The ledger's verbs for what judgement remembers."""

    def decision(self, decision_id: str) -> DecisionRecord:
        """Return one decision by its id or the beginning of it. Raises `LedgerError` where that names none, or many."""
        query = select(*DecisionRow.__table__.c).where(DecisionRow.id.startswith(decision_id, autoescape=True))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(DecisionRow.at.desc()).limit(2)).all()
        exact = [row for row in rows if row.id == decision_id] or rows
        if len(exact) != 1 or not decision_id:
            found = "several" if exact else "none"
            raise LedgerError(
                f"expected the id of one decision, or the beginning of it, found {decision_id!r}, which names {found};"
                " `ratchet gate list` has them"
            )
        return read_record(DecisionRecord, exact[0])

    def override(self, record: OverrideRecord) -> bool:
        """Write a person's word against a decision; return False where its id is known already.

        Raises `LedgerError` where the ledger does not hold the decision.
        """
        with self._database.write() as connection:
            if connection.scalar(select(DecisionRow.id).where(DecisionRow.id == record.decision_id)) is None:
                raise LedgerError(f"No decision {record.decision_id} in the ledger {self._database.name}.")
            return insert_new(connection, OverrideRow, OverrideRow.id, [record.model_dump()]) == 1

    def overrides(self, decision_id: str) -> tuple[OverrideRecord, ...]:
        """Return what people said against a decision, the latest first: the first one holds."""
        query = select(*OverrideRow.__table__.c).where(OverrideRow.decision_id == decision_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(OverrideRow.at.desc(), OverrideRow.id.desc()))
            return tuple(read_record(OverrideRecord, row) for row in rows)

    def pin(self, records: Sequence[PinRecord]) -> int:
        """Put scenarios into the regression set, all or none; return how many were not in it.

        One that was removed is put back, with both in its trail; one that is there stays as it is.
        """
        new = 0
        with self._database.write() as connection:
            for record in records:
                known = connection.scalar(select(PinRow.body).where(PinRow.id == record.id))
                before = () if known is None else PinRecord.model_validate(known).trail
                if known is not None and PinRecord.model_validate(known).status is not PinStatus.REMOVED:
                    continue
                new += 1
                row = _pin_row(record.model_copy(update={"trail": before + record.trail}))
                connection.execute(
                    insert(PinRow).values(row)
                    if known is None
                    else update(PinRow).where(PinRow.id == record.id).values(row)
                )
        return new

    def pins(self, *statuses: PinStatus) -> tuple[PinRecord, ...]:
        """Return pinned scenarios of these statuses (none given: active and quarantined), by id."""
        wanted = statuses or (PinStatus.ACTIVE, PinStatus.QUARANTINED)
        query = select(PinRow.body).where(PinRow.status.in_([status.value for status in wanted])).order_by(PinRow.id)
        with self._database.read() as connection:
            return tuple(PinRecord.model_validate(body) for body in connection.scalars(query))

    def add_pin_event(self, scenario_id: str, event: PinEvent) -> PinRecord:
        """Add a line to a pin's trail, which gives it the line's status; return the pin.

        Raises `LedgerError` where the scenario is not pinned, or `event.what` is unknown.
        """
        if event.what not in _EVENTS:
            raise LedgerError(f"expected one of {', '.join(_EVENTS)}, found {event.what!r}")
        with self._database.write() as connection:
            known = connection.scalar(select(PinRow.body).where(PinRow.id == scenario_id))
            if known is None:
                raise LedgerError(f"expected a pinned scenario, found {scenario_id!r}; `ratchet test pins` has them")
            pin = PinRecord.model_validate(known)
            pin = pin.model_copy(update={"trail": (*pin.trail, event), "status": _EVENTS[event.what]})
            connection.execute(update(PinRow).where(PinRow.id == scenario_id).values(_pin_row(pin)))
        return pin

    def observe(self, observations: Sequence[Observation]) -> int:
        """Write figures; return how many were new. Those whose id is known stay as they are."""
        with self._database.write() as connection:
            rows = [one.model_dump() for one in observations]
            return insert_new(connection, ObservationRow, ObservationRow.id, rows)

    def observations(
        self,
        *,
        metric: str | None = None,
        subject: str | None = None,
        task_key: str | None = None,
        since: datetime | None = None,
    ) -> tuple[Observation, ...]:
        """Return the figures that match, by time and then id."""
        asked: list[ColumnElement[bool]] = []
        for column, value in (
            (ObservationRow.metric, metric),
            (ObservationRow.subject, subject),
            (ObservationRow.task_key, task_key),
        ):
            if value is not None:
                asked.append(column == value)
        if since is not None:
            asked.append(ObservationRow.at >= since)
        query = select(*ObservationRow.__table__.c).where(*asked).order_by(ObservationRow.at, ObservationRow.id)
        with self._database.read() as connection:
            return tuple(read_record(Observation, row) for row in connection.execute(query))

    def look(self, record: LookRecord) -> int:
        """Write that held-out scenarios were looked at, once per id; return how often they were, this one included."""
        with self._database.write() as connection:
            insert_new(connection, LookRow, LookRow.id, [record.model_dump()])
            counted = select(func.count()).select_from(LookRow).where(LookRow.digest == record.digest)
            return connection.scalar(counted) or 0

    def looks(self, digest: str | None = None) -> tuple[LookRecord, ...]:
        """Return looks, at these scenarios if given, the earliest first."""
        query = select(*LookRow.__table__.c).order_by(LookRow.at, LookRow.id)
        if digest is not None:
            query = query.where(LookRow.digest == digest)
        with self._database.read() as connection:
            return tuple(read_record(LookRecord, row) for row in connection.execute(query))


def _pin_row(pin: PinRecord) -> dict[str, object]:
    return {"id": pin.id, "status": pin.status.value, "body": pin.model_dump(mode="json"), "at": pin.at}
