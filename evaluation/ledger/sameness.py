"""The same id again: does it say the same as what the ledger holds?

Decisions: the first of an id stands, whatever comes later. What says the same is known; what says something else is
kept among the dead letters with the fields that differ, never passed over. The time does not count (a row that names
none gets that of its arrival, each time another), nor do the reward and the mean rating, which the ledger reckons
itself. Labels may be those that the row came with or those in force now, so that an export comes back as known. An
example of a test counts by what happened in it: verdicts, labels and cost are weighed anew whenever it is collected.

Not covered: the quality of a row whose sender gave none, after the weights of quality were changed meanwhile: such a
row, sent again, counts as different.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Text, bindparam, cast, select

from evaluation.ledger.bodies import read, written
from evaluation.ledger.collected import DeadLetter
from evaluation.ledger.filters import LABELS
from evaluation.ledger.part import chunks
from evaluation.ledger.schema import ExampleRow
from evaluation.records import Example, Labels, Source, stable_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JUDGED: dict[str, Any] = {"labels": Labels(), "validations": (), "analysis": "", "recovery": None}
"""Of an example of a test: what follows from the rest."""
# Made once: every batch that holds a known id asks it.
_HELD = select(
    ExampleRow.id, cast(ExampleRow.body, Text).label("body"), *(getattr(ExampleRow, name) for name in LABELS)
).where(ExampleRow.id.in_(bindparam("ids", expanding=True)))


def differences(connection: Connection, examples: Sequence[Example]) -> dict[str, tuple[str, ...]]:
    """Return by id, for those of the examples whose id the ledger holds, which fields are different there: none where
    it says the same. Of several with one id the last is compared.
    """
    given = {example.id: example for example in examples}
    found: dict[str, tuple[str, ...]] = {}
    for ids in chunks(list(given)):
        for row in connection.execute(_HELD, {"ids": list(ids)}):
            one = given[row.id]
            found[row.id] = () if row.body == written(one) else _against(one, row)
    return found


def different_fields(one: Example, other: Example) -> tuple[str, ...]:
    """Return the names of the fields in which two examples of one id say something else."""
    left, right = _content(one), _content(other)
    return tuple(name for name in Example.model_fields if getattr(left, name) != getattr(right, name))


def differing_letter(example: Example, fields: Sequence[str], *, origin: str, at: datetime) -> DeadLetter:
    """Return an example that says something else than the ledger under its id as a dead letter."""
    return DeadLetter(
        id=differing_id(example),
        kind="example",
        origin=origin,
        subject=example.id,
        reason=(
            f"expected example {example.id} as it came first, found the same id with other content"
            f" ({', '.join(fields)}); the first stays. Send this one under an id of its own, or drop it"
        ),
        text=written(example),
        at=at,
    )


def differing_id(example: Example) -> str:
    """Return the id of the dead letter: the same content again is the same letter, and one more try."""
    return f"example:{stable_id(example.id, written(_content(example)))}"


def _against(one: Example, row: Any) -> tuple[str, ...]:
    try:
        held = read(Example, row.body)
    except ValueError:  # written by another version: what it says cannot be compared
        return ("body",)
    given = read(Example, written(one))  # as JSON gives it back
    fields = different_fields(given, held)
    if "labels" not in fields:
        return fields
    in_force = held.labels.model_copy(update={name: getattr(row, name) for name in LABELS})
    return different_fields(given, held.model_copy(update={"labels": in_force}))


def _content(example: Example) -> Example:
    """Return the example without what does not count."""
    plain: dict[str, Any] = {"timestamp": _EPOCH, "reward": None}
    if example.provenance.source is Source.TEST:
        priced = {"cost": 0.0, "price_version": ""}
        plain |= _JUDGED | {"metrics": example.metrics.model_copy(update=priced)}
    else:
        plain["labels"] = example.labels.model_copy(update={"user_satisfaction": None})
    return example.model_copy(update=plain)
