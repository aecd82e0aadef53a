"""Which examples the rows of a snapshot are made of: the one way to ask, for lineage, for forgetting, for what is kept.

Decisions: a row names examples in three columns: `id` (a selected or chat row carries its example's own), `parent_id`
(what it corrects) and `examples` (whatever it is made of: both halves of a pair, the example behind a derived row,
whose own id says nothing). A table from before one of the columns is asked for the others.
Not covered: rows whose text came from an example that none of the columns names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

NAMING = ("id", "parent_id", "examples")
"""Columns that name the examples that a row is made of."""


def naming(names: Collection[str]) -> list[str]:
    """Return those of a table's columns that name examples."""
    return [name for name in NAMING if name in names]


def rows_made_of(table: pa.Table, ids: Collection[str], columns: Collection[str] = NAMING) -> list[int]:
    """Return the numbers of the rows that name one of the examples in one of the columns, in order."""
    wanted, numbers = pa.array(sorted(ids), pa.string()), set[int]()
    for name in naming([name for name in table.column_names if name in columns]):
        column = table.column(name).combine_chunks()
        if pa.types.is_list(column.type):
            inside = pc.is_in(column.flatten(), wanted)
            numbers.update(pc.filter(pc.list_parent_indices(column), inside).to_pylist())
        else:
            numbers.update(pc.indices_nonzero(pc.is_in(column, wanted)).to_pylist())
    return sorted(numbers)


def examples_named(table: pa.Table) -> Iterator[str]:
    """Yield the ids of all examples that a table's rows name, as often as they do."""
    for name in naming(table.column_names):
        values = table.column(name).combine_chunks()
        flat = values.flatten() if pa.types.is_list(values.type) else values
        yield from (value for value in flat.to_pylist() if value)
