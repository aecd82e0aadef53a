"""Examples and feedback into the ledger, or into the outbox while the ledger is away.

Decisions: what a verb has returned from is on a disk, here or there. Both places know a row by its id, so that moving
it again writes it once. A row that no ledger takes goes to the dead letters with its reason, and the others of its
batch are written. Any other trouble with the ledger, a wrong password included, sends rows to the outbox: they are kept
first, and what is wrong is told (`trouble`).

Not covered: the order in which feedback and examples arrive; feedback that comes first waits among the dead letters.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from evaluation.ledger.bodies import first_mistake, read, written
from evaluation.ledger.collected import DeadLetter
from evaluation.ledger.dead_letters import LetterKind
from evaluation.ledger.errors import LedgerError, RowRefused
from evaluation.ledger.outbox import Outbox, Waiting
from evaluation.ledger.store import Ledger
from evaluation.records import Example, Feedback, stable_id

T = TypeVar("T")
RETRY_S = 1.0
"""Seconds before a ledger that was away is tried again by itself."""
_KINDS: dict[str, type[Example] | type[Feedback]] = {LetterKind.EXAMPLE: Example, LetterKind.FEEDBACK: Feedback}


class Kept(NamedTuple):
    """Where rows went."""

    new: int = 0
    """In the ledger, and not there before."""
    known: int = 0
    waiting: int = 0
    """In the outbox, until the ledger is back."""
    aside: int = 0
    """Among the dead letters."""
    forgotten: int = 0
    """Of a person who was forgotten: not kept."""
    differing: int = 0
    """Known ids that came with other content: the first stays, and these are among the dead letters."""

    def plus(self, other: Kept) -> Kept:
        """Return both together."""
        return Kept(*(one + two for one, two in zip(self, other, strict=True)))


class Collector:
    """Keeps rows. Safe to use from several threads; `origin` is what dead letters name as where they came in.

    `ledger`: an open one, which stays its owner's, or what opens one, which may fail for now.
    """

    def __init__(self, ledger: Ledger | Callable[[], Ledger], outbox: Outbox, *, origin: str) -> None:
        self._open = ledger if callable(ledger) else None
        self._ledger = None if callable(ledger) else ledger
        self.outbox, self._origin = outbox, origin
        self._lock = threading.Lock()
        self._retry_at = 0.0
        self.trouble: str | None = None
        """What was wrong with the ledger when it was tried last."""

    def close(self) -> None:
        """Close what was opened here. The outbox stays its owner's."""
        with self._lock:
            if self._open is not None and self._ledger is not None:
                self._ledger.close()
                self._ledger = None

    def add_examples(self, examples: Sequence[Example]) -> int:
        """Keep examples; return how many are new, in the ledger or in the outbox. Raises `OutboxError`."""
        kept = self.keep_examples(examples)
        return kept.new + kept.waiting

    def keep_examples(self, examples: Sequence[Example]) -> Kept:
        """Keep examples; say where they went. Raises `OutboxFull` and `OutboxError` where nothing takes them."""
        return self._keep(LetterKind.EXAMPLE, examples)

    def keep_feedback(self, given: Sequence[Feedback]) -> Kept:
        """Keep feedback; say where it went. Raises `OutboxFull` and `OutboxError` where nothing takes it."""
        return self._keep(LetterKind.FEEDBACK, given)

    def drain(self, batch: int = 500) -> Kept:
        """Move what waits in the outbox to the ledger; say where it went, and with `waiting` how much is left.

        Never raises for a ledger that is away: `trouble` says what is wrong with it.
        """
        moved = Kept()
        for kind in _KINDS:
            after = 0
            try:
                while rows := self.outbox.take(kind, batch, after):
                    moved = moved.plus(self._move(rows))
                    self.outbox.done([row.number for row in rows])
                    after = rows[-1].number
            except LedgerError as error:
                self._away(error)
        return moved.plus(Kept(waiting=self.outbox.counts().waiting))

    def dead_letters(self) -> int | None:
        """Return how many dead letters are open; None while the ledger is away."""
        counts = self._asked(lambda ledger: ledger.dead_letter_counts())
        return None if counts is None else sum(counts.values())

    def differences(self, examples: Sequence[Example]) -> dict[str, tuple[str, ...]] | None:
        """Return what `Ledger.differences` does; None while the ledger is away."""
        return self._asked(lambda ledger: ledger.differences(examples))

    def _asked(self, question: Callable[[Ledger], T]) -> T | None:
        if self._waits():
            return None
        try:
            answer = question(self._at_hand())
            self.trouble = None
            return answer
        except LedgerError as error:
            self._away(error)
            return None

    def _keep(self, kind: LetterKind, records: Sequence[Example] | Sequence[Feedback]) -> Kept:
        try:
            if not self._waits():
                kept = self._write(kind, records)
                return kept.plus(self.drain()) if self.outbox.counts().waiting else kept
        except LedgerError as error:
            self._away(error)
        self.outbox.put(kind, [(record.id, written(record)) for record in records])
        return Kept(waiting=len(records))

    def _move(self, rows: Sequence[Waiting]) -> Kept:
        """Write rows of one kind; what cannot be read is set aside."""
        kind, records, moved = LetterKind(rows[0].kind), [], Kept()
        for row in rows:
            try:
                records.append(read(_KINDS[kind], row.body))
            except ValueError as error:
                letter = self._letter(kind, row.id, f"cannot be read: {first_mistake(error)}", row.body)
                self._at_hand().keep_aside([letter])
                moved = moved.plus(Kept(aside=1))
        return moved.plus(self._write(kind, records)) if records else moved

    def _write(self, kind: LetterKind, records: Sequence[Example | Feedback]) -> Kept:
        """Write to the ledger; rows that it refuses are set aside, one by one. Raises `LedgerError`."""
        try:
            kept = self._written(kind, records)
            self.trouble = None
            return kept
        except RowRefused as error:
            if len(records) == 1:
                reason, text = str(error), written(records[0])
                self._at_hand().keep_aside([self._letter(kind, records[0].id, reason, text)])
                return Kept(aside=1)
        kept = Kept()
        for record in records:
            kept = kept.plus(self._write(kind, [record]))
        return kept

    def _written(self, kind: LetterKind, records: Sequence[Example | Feedback]) -> Kept:
        ledger = self._at_hand()
        if kind is LetterKind.EXAMPLE:
            examples = [record for record in records if isinstance(record, Example)]
            done = ledger.write_examples(examples, origin=self._origin)
            return Kept(done.new, done.known, forgotten=done.forgotten, differing=len(done.differing))
        given = [record for record in records if isinstance(record, Feedback)]
        taken = ledger.take_feedback(given, origin=self._origin)
        return Kept(taken.new, taken.known, aside=taken.aside, forgotten=taken.forgotten)

    def _letter(self, kind: LetterKind, name: str, reason: str, text: str) -> DeadLetter:
        # Not the row's own id, which may be the very thing that no ledger takes.
        return DeadLetter(
            id=f"{kind}:{stable_id(name)}",
            kind=kind,
            origin=self._origin,
            reason=reason,
            text=text,
            at=datetime.now(UTC),
        )

    def _at_hand(self) -> Ledger:
        with self._lock:
            if self._ledger is None:
                assert self._open is not None
                self._ledger = self._open()
            return self._ledger

    def _away(self, error: LedgerError) -> None:
        self.trouble = str(error)
        self._retry_at = time.monotonic() + RETRY_S

    def _waits(self) -> bool:
        """Whether the ledger was away just now, so that trying it again would only take time."""
        return self.trouble is not None and time.monotonic() < self._retry_at
