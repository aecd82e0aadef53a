"""What can go wrong with a ledger, each as one clear message.

The database's own error is classified once, where it leaves the driver (`translated`); everything above sees only
`LedgerError`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError


class LedgerError(Exception):
    """The ledger cannot do what was asked. The message says what was found and what to change."""


class StaleRecord(LedgerError):
    """The record was changed by somebody else since it was read. Read it again and decide anew."""


_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNWRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@contextmanager
def translated(name: str, busy_s: float) -> Iterator[None]:
    """Turn errors of the database driver into `LedgerError`.

    `name` is the database as a person knows it (no password); `busy_s` is how long a lock was waited for.
    """
    try:
        yield
    except DBAPIError as error:
        raise LedgerError(_message(error.orig or error, name, busy_s)) from error
    except sqlite3.Error as error:
        raise LedgerError(_message(error, name, busy_s)) from error


def _message(error: BaseException, name: str, busy_s: float) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in _LOCKED:
        return (
            f"The ledger {name} is locked: another writer held it for longer than {busy_s:g} s. Wait until it is done, "
            "end it, or open the ledger with a larger busy_s. Several writers at once need PostgreSQL."
        )
    if primary == sqlite3.SQLITE_FULL:
        return (
            f"The disk that holds the ledger {name} is full: nothing was written. Free some space and run this again."
        )
    if primary in _UNWRITABLE:
        return (
            f"The ledger {name} cannot be opened or written ({error}). Expected an existing folder, writable for this "
            "user, on a file system that is not read-only."
        )
    if primary in _CORRUPT:
        return (
            f"The file {name} is damaged or no SQLite database ({error}). Restore it from a copy, or move it away to "
            "start an empty ledger."
        )
    return f"The ledger {name} failed: {error}"
