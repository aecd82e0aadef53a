"""Many examples with their feedback, written together or not at all.

Decisions: one transaction, however many batches it takes, so that what stops halfway leaves nothing behind. On SQLite
it keeps other writers out while it lasts; they wait, or keep what they have aside, as they do when the ledger is away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection

from evaluation.ledger.collected import DeadLetter
from evaluation.ledger.dead_letters import forgotten, insert_letters, require_room
from evaluation.ledger.examples import insert_examples
from evaluation.ledger.feedback import AHEAD, feedback_row, insert_feedback, known_examples
from evaluation.ledger.part import Part
from evaluation.ledger.trail import Trail, write_trails
from evaluation.records import Example, Feedback

_NONE: Mapping[str, Trail] = {}


class ImportBatch:
    """A transaction that rows are added to."""

    def __init__(self, connection: Connection, at: datetime, name: str, origin: str) -> None:
        self._connection, self._at, self._name, self._origin = connection, at, name, origin
        self.examples = 0
        """How many were new."""
        self.known = 0
        """How many the ledger had already, saying the same."""
        self.differing = 0
        """How many it had with other content: those are among the dead letters."""
        self.forgotten = 0
        """How many were forgotten once and are not written again."""
        self.feedback = 0
        """How much feedback was new."""
        self.said = 0
        """How many labels, reviews and recoveries were new."""

    def add(
        self, examples: Sequence[Example], feedback: Sequence[Feedback], trails: Mapping[str, Trail] = _NONE
    ) -> None:
        """Write what is new of them, and of what was said, by example. Raises `RowRefused` for what no ledger takes."""
        before = known_examples(self._connection, list(trails))
        written = insert_examples(self._connection, examples, at=self._at, origin=self._origin, name=self._name)
        self.examples += written.new
        self.known += written.known
        self.differing += len(written.differing)
        self.forgotten += written.forgotten
        self._add_feedback(feedback)
        # What was said of other content than the ledger has was said of another example.
        there = set(known_examples(self._connection, list(trails))) - set(written.differing)
        self.said += write_trails(self._connection, [one for name, one in trails.items() if name in there], before)

    def keep_aside(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what cannot be written. Raises `DeadLettersFull`."""
        if letters:
            require_room(self._connection, self._name)
            insert_letters(self._connection, letters)

    def _add_feedback(self, feedback: Sequence[Feedback]) -> None:
        if feedback:
            gone = set(forgotten(self._connection, [said.id for said in feedback]))
            there = known_examples(self._connection, list({said.example_id for said in feedback}))
            rows = {
                said.id: feedback_row(said, self._at + AHEAD)
                for said in feedback
                if said.id not in gone and said.example_id in there
            }
            self.feedback += insert_feedback(self._connection, list(rows.values()))


class Importing(Part):
    """The ledger's verb for what comes from files."""

    @contextmanager
    def importing(self, origin: str = "import") -> Iterator[ImportBatch]:
        """Give a batch that is on disk when the block ends, and nowhere where it raises; `origin` is that of dead
        letters.
        """
        with self._database.write() as connection:
            yield ImportBatch(connection, self._clock(), str(self._database.name), origin)
