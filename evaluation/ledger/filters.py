"""From a filter to a query that an index answers.

Decisions: rows are read in the order of time and id, a batch at a time, each batch going on after the last row of the
one before. An index that ends in time and id gives that order for nothing, if the filter fixes what stands before
them: a task key, a user, a version, success. A range (quality at least 4) or a choice of several values (two sources)
fixes nothing: its index finds the rows, but out of order, and every batch would find and sort all of them again. So
such a condition leads only where few rows match it; where many do, it is looked at on the way through the others.

Not covered: an index for tools, kinds of error and ratings, which are looked at on the way; texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, func, literal, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from evaluation.ledger.records import ExampleFilter
from evaluation.ledger.schema import ExampleRow, FeedbackRow

FEW = 20_000
"""Rows that are sorted for each batch without regret."""
LABELS = ("success", "correct_tool_selection", "response_quality", "validation_confidence")
"""Columns that hold the labels in force."""
_READ = (
    ExampleRow.id,
    ExampleRow.timestamp,
    cast(ExampleRow.body, Text).label("body"),
    *(getattr(ExampleRow, name) for name in LABELS),
)
_Column = InstrumentedAttribute[Any]


class _Unindexed(FunctionElement[Any]):
    """A column that no index of SQLite is to answer for; PostgreSQL knows its rows well enough to choose itself.

    Source: https://www.sqlite.org/optoverview.html, "Disqualifying WHERE Clause Terms using Unary +".
    """

    inherit_cache = True

    def __init__(self, column: _Column | ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(_Unindexed)
def _as_it_is(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(next(iter(element.clauses)), **options)


@compiles(_Unindexed, "sqlite")
def _with_a_plus(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return "+" + compiler.process(next(iter(element.clauses)), **options)


def conditions(wanted: ExampleFilter) -> list[ColumnElement[bool]]:
    """Return what rows have to fulfil."""
    return [*_fixed(wanted), *_loose(wanted, leads=True)]


def batch_query(
    wanted: ExampleFilter,
    after: tuple[datetime, str] | None,
    size: int,
    *,
    few: bool = False,
    newest: bool = False,
    columns: Sequence[Any] = _READ,
) -> Select[Any]:
    """Return the query for the next `size` matching rows after that time and id; or before it, the `newest` first.

    `few`: ranges and choices are matched by few rows (`few_match`), so that their indexes may lead.
    """
    query = select(*columns).where(*_fixed(wanted), *_loose(wanted, leads=few))
    order: list[ColumnElement[Any] | _Column] = [ExampleRow.timestamp, ExampleRow.id]
    if few:  # SQLite would take the index on time for the order's sake
        order = [_Unindexed(column) for column in order]
    place = tuple_(*order)
    if after is not None:
        query = query.where(place < after if newest else place > after)
    if newest:
        order = [column.desc() for column in order]
    return query.order_by(*order).limit(size)


def by_id(example_id: str) -> Select[Any]:
    """Return the query for one example."""
    return select(*_READ).where(ExampleRow.id == example_id)


def latest_ratings(*among: ColumnElement[bool]) -> Select[tuple[str, int]]:
    """Return the query for `example_id` and `rating` of each rater's latest word on each example."""
    latest = (
        func.row_number()
        .over(
            partition_by=(FeedbackRow.example_id, FeedbackRow.rater),
            order_by=(FeedbackRow.timestamp.desc(), FeedbackRow.id.desc()),
        )
        .label("latest")
    )
    each = select(FeedbackRow.example_id, FeedbackRow.rating, latest).where(*among).subquery()
    return select(each.c.example_id, each.c.rating).where(each.c.latest == 1)


def few_match(connection: Connection, wanted: ExampleFilter) -> bool:
    """Return whether at most `FEW` rows match the filter's ranges and choices; counts no further than that."""
    loose = list(_loose(wanted, leads=True))
    if not loose:
        return False
    some = select(literal(1)).select_from(ExampleRow).where(*loose).limit(FEW + 1).subquery()
    return (connection.scalar(select(func.count()).select_from(some)) or 0) <= FEW


def _fixed(wanted: ExampleFilter) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that leave the rest of their index in order, and those on time, which is that order."""
    equal: dict[_Column, object] = {
        ExampleRow.task_key: wanted.task_key,
        ExampleRow.model_version: wanted.model_version,
        ExampleRow.variant: wanted.variant,
        ExampleRow.stage: wanted.stage,
        ExampleRow.user_hash: wanted.user_hash,
        ExampleRow.conversation: wanted.conversation,
        ExampleRow.scenario_id: wanted.scenario_id,
        ExampleRow.error_kind: wanted.error_kind,
    }
    yield from (column == value for column, value in equal.items() if value is not None)
    yield from (column == values[0] for column, values in _choices(wanted) if len(values) == 1)
    flags = {
        ExampleRow.success: wanted.success,
        ExampleRow.correct_tool_selection: wanted.correct_tool_selection,
    }
    yield from (column.is_(value) for column, value in flags.items() if value is not None)
    if wanted.since is not None:
        yield ExampleRow.timestamp >= wanted.since
    if wanted.until is not None:
        yield ExampleRow.timestamp < wanted.until


def _loose(wanted: ExampleFilter, *, leads: bool) -> Iterator[ColumnElement[bool]]:
    """Yield ranges and choices; unless one `leads`, in a form that no index answers."""

    def given(column: _Column) -> _Column | ColumnElement[Any]:
        return column if leads else _Unindexed(column)

    bounds = (
        (ExampleRow.validation_confidence, wanted.min_confidence, wanted.max_confidence),
        (ExampleRow.response_quality, wanted.min_quality, wanted.max_quality),
        (ExampleRow.reward, wanted.min_reward, wanted.max_reward),
    )
    for column, least, most in bounds:
        if least is not None:
            yield given(column) >= least
        if most is not None:
            yield given(column) <= most
    yield from (given(column).in_(values) for column, values in _choices(wanted) if len(values) != 1)
    if wanted.min_rating is not None:
        said = latest_ratings().subquery()
        rated = select(said.c.example_id).group_by(said.c.example_id)
        yield given(ExampleRow.id).in_(rated.having(func.avg(said.c.rating) >= wanted.min_rating))
    if wanted.tool is not None:
        # Not LIKE, which minds capitals in PostgreSQL and not in SQLite.
        yield func.replace(ExampleRow.tools_used, json.dumps(wanted.tool), "") != ExampleRow.tools_used


def _choices(wanted: ExampleFilter) -> Iterator[tuple[_Column, Sequence[str]]]:
    among = {
        ExampleRow.id: wanted.ids,
        ExampleRow.source: wanted.sources,
        ExampleRow.run_id: wanted.run_ids,
        ExampleRow.part: wanted.parts,
        ExampleRow.model_version: wanted.model_versions,
    }
    yield from ((column, values) for column, values in among.items() if values is not None)
