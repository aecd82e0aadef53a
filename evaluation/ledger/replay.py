"""Trying again what went to the dead letters.

Idempotent: a row that was written in the meantime counts as known, and a kill between writing a row and closing its
letter is made good by the next replay. A letter that fails again stays, with one more try and the new reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from evaluation.ledger.bodies import first_mistake, read
from evaluation.ledger.collected import DeadLetter
from evaluation.ledger.dead_letters import LetterKind
from evaluation.ledger.errors import RowRefused
from evaluation.ledger.sameness import differing_id
from evaluation.ledger.store import Ledger
from evaluation.records import Example, Feedback


class Replayed(NamedTuple):
    """What became of letters that were tried again."""

    written: int = 0
    known: int = 0
    """The ledger had the row already."""
    still: int = 0
    """Still cannot be written."""
    forgotten: int = 0
    """About a person who was forgotten: deleted."""


def read_letter(letter: DeadLetter) -> Example | Feedback:
    """Return the record that a letter holds. Raises ValueError where it holds none."""
    kinds: dict[str, type[Example] | type[Feedback]] = {
        LetterKind.EXAMPLE: Example,
        LetterKind.FEEDBACK: Feedback,
    }
    if letter.kind not in kinds:
        raise ValueError(f"expected a letter of kind {' or '.join(kinds)}, found {letter.kind!r}")
    return read(kinds[letter.kind], letter.text)


def open_letters(ledger: Ledger, batch: int = 500) -> Iterator[DeadLetter]:
    """Yield all open letters, the oldest first."""
    last: DeadLetter | None = None
    while letters := ledger.dead_letters(after=last, limit=batch):
        yield from letters
        last = letters[-1]


def replay(
    ledger: Ledger,
    letters: Iterable[DeadLetter],
    reading: Callable[[DeadLetter], Example | Feedback] = read_letter,
) -> Replayed:
    """Try letters again, one by one. Raises `LedgerAway` where the ledger is; what was done by then stays done.

    `reading` makes a record of a letter, and raises ValueError where it cannot.
    """
    total = Replayed()
    for letter in letters:
        one = _again(ledger, letter, reading)
        total = Replayed(*(before + now for before, now in zip(total, one, strict=True)))
    return total


def _again(ledger: Ledger, letter: DeadLetter, reading: Callable[[DeadLetter], Example | Feedback]) -> Replayed:
    if letter.replayed_at is not None:
        return Replayed(known=1)
    try:
        record = reading(letter)
        done = _example(ledger, record, letter) if isinstance(record, Example) else _feedback(ledger, record, letter)
    except (ValueError, RowRefused) as error:
        reason = f"cannot be read: {first_mistake(error)}" if isinstance(error, ValueError) else str(error)
        ledger.keep_aside([letter.model_copy(update={"reason": reason})])
        return Replayed(still=1)
    if done.forgotten:
        ledger.drop_dead_letters([letter.id])
    elif not done.still:
        ledger.close_dead_letters([letter.id])
    return done


def _example(ledger: Ledger, example: Example, letter: DeadLetter) -> Replayed:
    done = ledger.write_examples([example], origin=letter.origin)
    if done.differing and letter.id != differing_id(example):
        ledger.drop_dead_letters([letter.id])  # it is kept under its usual id now
    return Replayed(done.new, done.known, len(done.differing), done.forgotten)


def _feedback(ledger: Ledger, feedback: Feedback, letter: DeadLetter) -> Replayed:
    done = ledger.take_feedback([feedback], origin=letter.origin)
    if done.aside and letter.id != f"{LetterKind.FEEDBACK}:{feedback.id}":
        ledger.drop_dead_letters([letter.id])  # it is kept under its usual id now
    return Replayed(done.new, done.known, done.aside, done.forgotten)
