"""What can go wrong with a ledger, each as one clear message.

The database's own error is classified once, where it leaves the driver (`translated`); everything above sees only
`LedgerError`: `LedgerAway` where the same may work later, `RowRefused` where it never will.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, DontWrapMixin
from sqlalchemy.exc import TimeoutError as PoolTimeout


class LedgerError(Exception, DontWrapMixin):
    """The ledger cannot do what was asked. The message says what was found and what to change."""


class StaleRecord(LedgerError):
    """The record was changed by somebody else since it was read. Read it again and decide anew."""


class LedgerAway(LedgerError):
    """The ledger cannot be reached or written now: the same may work later, and nothing was written meanwhile."""


class RowRefused(LedgerError):
    """A row that no ledger takes, now or later. Nothing of its batch was written."""


_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNWRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_URL = "the ledger's URL (stores.ledger_url, RATCHET_STORES__LEDGER_URL)"


@contextmanager
def translated(name: str, busy_s: float) -> Iterator[None]:
    """Turn errors of the database driver into `LedgerError`.

    `name` is the database as a person knows it (no password); `busy_s` is how long a lock was waited for.
    """
    try:
        yield
    except DBAPIError as error:
        raise _error(error.orig or error, name, busy_s, lost=error.connection_invalidated) from error
    except OverflowError as error:
        raise RowRefused(f"The ledger {name} does not take a value: {error}. Nothing was written.") from error
    except PoolTimeout as error:
        raise LedgerAway(f"The ledger {name} gives no further connection: {error}. Try again later.") from error
    except sqlite3.Error as error:
        raise _sqlite(error, name, busy_s) from error


def without_password(url: str) -> str:
    """Return a database URL as it may be shown, even one that cannot be read."""
    shown = re.sub(r"(?<=://)([^:@/?]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)(password|passfile|sslpassword)=[^&]*", r"\1=***", shown)


def _error(error: BaseException, name: str, busy_s: float, *, lost: bool) -> LedgerError:
    return _sqlite(error, name, busy_s) if isinstance(error, sqlite3.Error) else _postgres(error, name, busy_s, lost)


def _sqlite(error: sqlite3.Error, name: str, busy_s: float) -> LedgerError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in _LOCKED:
        return LedgerAway(
            f"The ledger {name} is locked: another writer held it for longer than {busy_s:g} s. Wait until it is done, "
            "end it, or open the ledger with a larger busy_s. Several writers at once need PostgreSQL."
        )
    if primary == sqlite3.SQLITE_FULL:
        return LedgerAway(
            f"The disk that holds the ledger {name} is full: nothing was written. Free some space and run this again."
        )
    if primary in _UNWRITABLE:
        return LedgerAway(
            f"The ledger {name} cannot be opened or written ({error}). Expected an existing folder, writable for this "
            "user, on a file system that is not read-only."
        )
    if primary in _CORRUPT:
        return LedgerError(
            f"The file {name} is damaged or no SQLite database ({error}). Restore it from a copy, or move it away to "
            "start an empty ledger."
        )
    return LedgerError(f"The ledger {name} failed: {error}")


def _postgres(error: BaseException, name: str, busy_s: float, lost: bool) -> LedgerError:
    """Return what PostgreSQL's error means. Connecting has no code: there its words are all there is."""
    code, said = getattr(error, "sqlstate", None) or "", _first_line(error)
    if code.startswith("28") or re.search(r"password|authentication|pg_hba|role .* does not exist", said):
        return LedgerError(
            f"The ledger {name} does not let this user in ({said}). Check user and password in {_URL}, or pg_hba.conf."
        )
    if code == "3D000" or re.search(r"database .* does not exist", said):
        return LedgerError(
            f"The ledger {name} is not there ({said}). Make it (`createdb NAME`), or change its name in {_URL}."
        )
    if code == "53100":
        return LedgerAway(
            f"The disk that holds the ledger {name} is full: nothing was written. Free some space and run this again."
        )
    if code in {"55P03", "40P01", "40001"}:
        return LedgerAway(
            f"The ledger {name} is locked: another writer held it for longer than {busy_s:g} s ({said}). Try again."
        )
    if code in {"42501", "25006"}:
        return LedgerError(f"The ledger {name} may not be written by this user ({said}). Grant it, or change {_URL}.")
    if code.startswith("22"):
        return RowRefused(f"The ledger {name} does not take a value: {said}. Nothing was written.")
    if lost or code.startswith(("08", "53", "57P")) or (not code and _is_operational(error)):
        return LedgerAway(
            f"The ledger {name} does not answer or went away ({said}): what was not confirmed may be missing. Start the"
            f" server, or change host and port in {_URL}; then run this again: what is there already is not doubled."
        )
    return LedgerError(f"The ledger {name} failed: {said}")


def _is_operational(error: BaseException) -> bool:
    return any(kind.__name__ in {"OperationalError", "InterfaceError"} for kind in type(error).__mro__)


def _first_line(error: BaseException) -> str:
    """Return what an error says in one line, without the hints that repeat themselves for every address tried."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")
