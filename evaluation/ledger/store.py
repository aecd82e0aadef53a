"""The ledger: the one narrow door to what was recorded, and the only truth for what is in production.

Tables: examples (`examples.py`; looked at in `looking.py` and `statistics.py`, brought from files in `importing.py`),
feedback (`feedback.py`) and what could not be written (`dead_letters.py`); labels (`labels.py`), review queues
(`reviews.py`), error recoveries (`recoveries.py`) and rewards (`signals.py`), which travel with their example
(`trail.py`); runs, loops, decisions and settings (`runs.py`); rollouts, their events and production (`rollouts.py`);
overrides, pinned scenarios, figures over time and looks at held-out scenarios (`judgement.py`); what is held of one
person (`privacy.py`). Whatever a verb has returned from is on disk.

Not covered: several writers at once on one SQLite file for long (one writes, the others wait up to `busy_s`); clocks
that differ between hosts by as much as a lease lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from evaluation.ledger.database import open_database
from evaluation.ledger.dead_letters import DeadLetters
from evaluation.ledger.examples import Examples
from evaluation.ledger.feedback import Feedbacks
from evaluation.ledger.importing import Importing
from evaluation.ledger.judgement import Judgement
from evaluation.ledger.labels import Labelling
from evaluation.ledger.looking import Looking
from evaluation.ledger.moving import require_whole
from evaluation.ledger.only_reading import open_for_reading
from evaluation.ledger.privacy import Privacy
from evaluation.ledger.reading import Reading
from evaluation.ledger.recoveries import Recoveries
from evaluation.ledger.reviews import Reviews
from evaluation.ledger.rollouts import Rollouts
from evaluation.ledger.runs import Decisions, Runs
from evaluation.ledger.signals import Signals
from evaluation.ledger.statistics import Statistics
from evaluation.ledger.trail import Trails


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Ledger(
    Examples,
    Feedbacks,
    Reading,
    Looking,
    Statistics,
    Importing,
    DeadLetters,
    Labelling,
    Reviews,
    Recoveries,
    Signals,
    Trails,
    Runs,
    Rollouts,
    Decisions,
    Judgement,
    Privacy,
):
    """An open ledger. Safe to use from several threads; close it, or use it as a context manager."""

    @classmethod
    def open(
        cls, url: str, busy_s: float = 30, clock: Callable[[], datetime] = utc_now, *, reads: bool = False
    ) -> Self:
        """Open the ledger at `url` (SQLAlchemy's form: SQLite file or PostgreSQL) and migrate it to this code's schema.

        A write waits up to `busy_s` seconds for another writer. Raises `LedgerError` where the database is locked,
        damaged, not writable, half moved (`moving.py`), or has a schema newer than this code. With `reads` nothing is
        written, not even beside the file, and verbs that write fail (`only_reading.py`).
        """
        database = (open_for_reading if reads else open_database)(url, busy_s)
        try:
            require_whole(database)
        except BaseException:
            database.engine.dispose()
            raise
        return cls(database, clock)

    @property
    def name(self) -> str:
        """The database: SQLite's file, or the URL without its password."""
        return self._database.name

    def close(self) -> None:
        """Give all connections back."""
        self._database.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
