"""Runs, turns of the loop, decisions of the gate, and settings of the home."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, update

from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerError
from evaluation.ledger.part import Part, read_record
from evaluation.ledger.records import DecisionRecord, LoopRecord, RunRecord, Status
from evaluation.ledger.schema import DecisionRow, LoopRow, RunRow, SettingRow


class Runs(Part):
    """The ledger's verbs for runs and turns of the loop."""

    def start_run(self, record: RunRecord) -> RunRecord:
        """Write a run and return the record in force: the one that is there where the id is known already.

        Raises `LedgerError` where a run of this id is of another kind, suite, model or seed.
        """
        with self._database.write() as connection:
            insert_new(connection, RunRow, RunRow.id, [record.model_dump() | {"status": record.status.value}])
            row = connection.execute(select(*RunRow.__table__.c).where(RunRow.id == record.id)).one()
        known = read_record(RunRecord, row)
        for name in ("kind", "suite_digest", "model", "seed"):
            found, given = getattr(known, name), getattr(record, name)
            if found != given:
                raise LedgerError(
                    f"Run {record.id} is in the ledger with {name} {found!r}, found {given!r} now. Continue it with "
                    "the same settings, or give the new run another id."
                )
        return known

    def finish_run(self, run_id: str, status: Status, counts: Mapping[str, int]) -> RunRecord:
        """Write how a run ended; return its record. Raises `LedgerError` where there is no such run."""
        values = {"status": status.value, "counts": dict(counts), "finished_at": self._clock()}
        with self._database.write() as connection:
            connection.execute(update(RunRow).where(RunRow.id == run_id).values(values))
        return self.run(run_id)

    def run(self, run_id: str) -> RunRecord:
        """Return one run. Raises `LedgerError` where there is none."""
        with self._database.read() as connection:
            row = connection.execute(select(*RunRow.__table__.c).where(RunRow.id == run_id)).one_or_none()
        if row is None:
            raise LedgerError(f"No run {run_id} in the ledger.")
        return read_record(RunRecord, row)

    def runs(self, kind: str | None = None, limit: int | None = None) -> tuple[RunRecord, ...]:
        """Return the runs, of one kind if given, the latest first."""
        query = select(*RunRow.__table__.c).order_by(RunRow.started_at.desc(), RunRow.id.desc()).limit(limit)
        if kind is not None:
            query = query.where(RunRow.kind == kind)
        with self._database.read() as connection:
            return tuple(read_record(RunRecord, row) for row in connection.execute(query))

    def start_loop(self, record: LoopRecord) -> LoopRecord:
        """Write a turn of the loop and return the record in force."""
        with self._database.write() as connection:
            insert_new(connection, LoopRow, LoopRow.turn_id, [record.model_dump() | {"status": record.status.value}])
            row = connection.execute(select(*LoopRow.__table__.c).where(LoopRow.turn_id == record.turn_id)).one()
        return read_record(LoopRecord, row)

    def finish_loop(self, turn_id: str, status: Status, seconds: Mapping[str, float]) -> LoopRecord:
        """Write how a turn ended; return its record. Raises `LedgerError` where there is no such turn."""
        values = {"status": status.value, "seconds": dict(seconds), "finished_at": self._clock()}
        with self._database.write() as connection:
            connection.execute(update(LoopRow).where(LoopRow.turn_id == turn_id).values(values))
            row = connection.execute(select(*LoopRow.__table__.c).where(LoopRow.turn_id == turn_id)).one_or_none()
        if row is None:
            raise LedgerError(f"No turn {turn_id} in the ledger. Start it first.")
        return read_record(LoopRecord, row)

    def loops(self, limit: int | None = None) -> tuple[LoopRecord, ...]:
        """Return the turns of the loop, the latest first."""
        query = select(*LoopRow.__table__.c).order_by(LoopRow.started_at.desc(), LoopRow.turn_id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(read_record(LoopRecord, row) for row in connection.execute(query))


class Decisions(Part):
    """The ledger's verbs for decisions and settings."""

    def record_decision(self, record: DecisionRecord) -> bool:
        """Write a decision; return False where its id is known already."""
        with self._database.write() as connection:
            return insert_new(connection, DecisionRow, DecisionRow.id, [record.model_dump()]) == 1

    def decisions(self, subject: str | None = None, limit: int | None = None) -> tuple[DecisionRecord, ...]:
        """Return the decisions, on one subject if given, the latest first."""
        query = select(*DecisionRow.__table__.c).order_by(DecisionRow.at.desc(), DecisionRow.id.desc()).limit(limit)
        if subject is not None:
            query = query.where(DecisionRow.subject == subject)
        with self._database.read() as connection:
            return tuple(read_record(DecisionRecord, row) for row in connection.execute(query))

    def setting(self, key: str) -> str | None:
        """Return the value of a setting, if it was ever set."""
        with self._database.read() as connection:
            return connection.scalar(select(SettingRow.value).where(SettingRow.key == key))

    def set_once(self, key: str, value: str) -> str:
        """Set a value unless there is one; return the value now in force."""
        with self._database.write() as connection:
            insert_new(connection, SettingRow, SettingRow.key, [{"key": key, "value": value}])
            return connection.scalars(select(SettingRow.value).where(SettingRow.key == key)).one()
