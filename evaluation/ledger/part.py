"""What the parts of the ledger share: the database, the clock, and records made of rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row

from evaluation.ledger.database import Database
from evaluation.records import Record

R = TypeVar("R", bound=Record)


class Part:
    """One subject of the ledger, over the shared database."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock


def read_record(record: type[R], row: Row[Any]) -> R:
    """Return the record that a row holds; columns that the record does not know are left out."""
    return record.model_validate({name: value for name, value in row._mapping.items() if name in record.model_fields})
