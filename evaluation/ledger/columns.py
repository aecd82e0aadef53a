"""The kinds of columns: times in UTC, texts that either database holds, JSON that is written once.

Texts in columns of their own may hold no NUL and no half of a surrogate pair, on either database: PostgreSQL has no
room for them, and what one database takes and the other refuses could not be moved. Bodies are JSON with escapes and
hold both; what was kept aside as it came is kept in escapes too (`AnyText`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from evaluation.ledger.errors import RowRefused

_LONGEST_SHOWN = 60


class UtcTime(TypeDecorator[datetime]):
    """A time that is UTC on both sides; the database holds it without a zone, so that text order is time order."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC without its zone; a time without a zone counts as UTC."""
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


class PlainText(TypeDecorator[str]):
    """A text that both databases can hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text. Raises `RowRefused` where it holds a NUL or half of a surrogate pair."""
        if value is None or (value.isascii() and "\x00" not in value):
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RowRefused(_unfit(value, "half of a surrogate pair")) from None
        if "\x00" in value:
            raise RowRefused(_unfit(value, "a NUL character"))
        return value


def _unfit(value: str, found: str) -> str:
    shown = ascii(value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…")
    return (
        f"expected text that a database can hold in ids, keys and names, found {found} in {shown}; take it out"
        " (messages, queries and comments may hold it)"
    )


class AnyText(TypeDecorator[str]):
    """Any text at all, kept as a JSON string in ASCII."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text in escapes."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text as it came."""
        return None if value is None else str(json.loads(value))


class Body(TypeDecorator[Any]):
    """JSON that may come written already: a text is taken for JSON and not written a second time."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Return what writes a value, where it is not a text already."""
        return lambda value: value if isinstance(value, str) else json.dumps(value)


class Base(DeclarativeBase):
    """All tables of the ledger."""

    type_annotation_map = {str: PlainText, datetime: UtcTime, dict[str, Any]: JSON}  # noqa: RUF012
