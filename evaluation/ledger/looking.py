"""Examples by their ids, and by what was said in them.

Decisions: a search reads the rows that the filter leaves, some thousands at a time, the newest first. The database
passes over those whose body cannot hold the words, by LIKE on the part of a word that is plain ASCII; what is left is
read and looked at here. So both databases find the same, with no index of words to write, to move and to forget.
Capitals do not matter, in any script; composed and decomposed accents are the same. A word is found anywhere, inside
of others, too; of several each has to be found.
Not covered: stems, spelling, `ss` for `ß`. A search costs a pass over the bodies (docs/looking-at-data.md has figures).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, select, tuple_

from evaluation.ledger.errors import LedgerError
from evaluation.ledger.examples import in_force
from evaluation.ledger.filters import batch_query, few_match
from evaluation.ledger.part import Part, chunks
from evaluation.ledger.ratings import ratings
from evaluation.ledger.records import ExampleFilter
from evaluation.ledger.schema import ExampleRow
from evaluation.records import Example

STEP = 5_000
"""Rows that one statement of a search looks at."""
_PLAIN = re.compile(r"[ !#-:<=>?@A-HJLMNO-RT-\[\]^_a-hjlmno-rt-z{|}~]+")
"""Characters of ASCII that no other character is a capital, or a form, of, and that JSON holds as they are."""


class Hit(NamedTuple):
    """One text in which a word was found."""

    where: str
    """`query`, `response`, the role of a message, or `call` with the tool and its argument."""
    text: str
    spans: tuple[tuple[int, int], ...]
    """Where in `text`, from and to."""


class Found(NamedTuple):
    """An example in which all words were found."""

    example: Example
    hits: tuple[Hit, ...]


class Looking(Part):
    """The ledger's verbs for looking at examples."""

    def examples_by_id(self, example_ids: Sequence[str]) -> dict[str, Example]:
        """Return those of the examples that are there, by id."""
        found: dict[str, Example] = {}
        with self._database.read() as connection:
            for ids in chunks(list(dict.fromkeys(example_ids))):
                rows = connection.execute(batch_query(ExampleFilter(ids=tuple(ids)), None, len(ids), few=True)).all()
                rated = ratings(connection, [row.id for row in rows])
                found.update((row.id, in_force(row, rated)) for row in rows)
        return found

    def ids_beginning(self, beginning: str, most: int = 10) -> tuple[str, ...]:
        """Return the ids of examples that begin so, in order, at most `most`."""
        query = select(ExampleRow.id).where(ExampleRow.id.startswith(beginning, autoescape=True))
        with self._database.read() as connection:
            return tuple(connection.scalars(query.order_by(ExampleRow.id).limit(most)))

    def search(
        self,
        words: Sequence[str],
        wanted: ExampleFilter,
        looked_at: Callable[[int], None] = lambda rows: None,
    ) -> Iterator[Found]:
        """Yield the examples in which every word was said, the newest first, as many as the filter's limit.

        `looked_at` is told after each step how many rows that was. Raises `LedgerError` for no word, or an empty one.
        """
        if not words or not all(word.strip() for word in words):
            raise LedgerError("expected a word to search for, found none; give one, or use `ratchet data list`")
        patterns = [_pattern(word) for word in words]
        with self._database.read() as connection:
            few = few_match(connection, wanted)
            likes = list(_likes(connection, words))
        left, after = wanted.limit, None
        while left is None or left > 0:
            found, after, rows = self._step(wanted, after, likes, few=few)
            looked_at(rows)
            for example in found:
                hits = hits_of(example, patterns)
                if hits and left != 0:
                    yield Found(example, hits)
                    left = None if left is None else left - 1
            if rows < STEP:
                return

    def _step(
        self, wanted: ExampleFilter, after: tuple[datetime, str] | None, likes: Sequence[Any], *, few: bool
    ) -> tuple[list[Example], tuple[datetime, str] | None, int]:
        """Return what may hold the words among the next rows, the last of those, and how many they are."""
        with self._database.read() as connection:
            place = (ExampleRow.timestamp, ExampleRow.id)
            edges = batch_query(wanted, after, STEP, few=few, newest=True, columns=place)
            seen = connection.execute(edges).all()
            if not seen:
                return [], after, 0
            last = (seen[-1].timestamp, seen[-1].id)
            query: Select[Any] = batch_query(wanted, after, STEP, few=few, newest=True)
            rows = connection.execute(query.where(tuple_(*place) >= last, *likes)).all()
            rated = ratings(connection, [row.id for row in rows])
        return [in_force(row, rated) for row in rows], last, len(seen)


def hits_of(example: Example, patterns: Sequence[re.Pattern[str]]) -> tuple[Hit, ...]:
    """Return the texts of an example in which one of the patterns is found; none unless each is found somewhere."""
    missing = set(patterns)
    hits: dict[str, Hit] = {}
    for where, raw in _texts(example):
        text = _composed(raw)
        spans = []
        for pattern in patterns:
            places = [match.span() for match in pattern.finditer(text)]
            if places:
                missing.discard(pattern)
                spans += places
        if spans:
            hits.setdefault(text, Hit(where, text, tuple(sorted(spans))))
    return () if missing else tuple(hits.values())


def _texts(example: Example) -> Iterator[tuple[str, str]]:
    yield "query", example.query
    for message in example.messages:
        yield message.role, message.content
        for call in message.tool_calls:
            yield "call", call.name
            yield from _leaves(f"call {call.name}", call.arguments)
    yield "response", example.response


def _leaves(where: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each value inside of arguments, each as it stands in JSON: the database looks at that."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield where, name
            yield from _leaves(f"{where}.{name}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(where, item)
    else:
        yield where, value if isinstance(value, str) else json.dumps(value)


def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(re.escape(_composed(word)), re.IGNORECASE)


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _likes(connection: Connection, words: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    """Yield what a body has to be like to hold the words: less than they ask, never more."""
    body = cast(ExampleRow.body, Text)
    for word in words:
        sure = max(_PLAIN.findall(_composed(word)), key=len, default="")
        if len(sure) > 1:
            contains = body.icontains if connection.dialect.name == "postgresql" else body.contains
            yield contains(sure, autoescape=True)
