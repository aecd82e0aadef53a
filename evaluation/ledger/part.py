"""What the parts of the ledger share: the database, the clock, and records made of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row

from evaluation.ledger.database import Database
from evaluation.records import Record

R = TypeVar("R", bound=Record)
_CHUNK = 500  # ids in one statement; drivers limit the number of parameters


class Part:
    """One subject of the ledger, over the shared database."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock


def read_record(record: type[R], row: Row[Any]) -> R:
    """Return the record that a row holds; columns that the record does not know are left out."""
    return record.model_validate({name: value for name, value in row._mapping.items() if name in record.model_fields})


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the ids, as many at a time as one statement may name."""
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
