"""Every filter of a full ledger is answered by an index, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.dialects import postgresql, sqlite

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.database import open_database
from evaluation.ledger.filters import FEW, batch_query, few_match
from evaluation.ledger.schema import ExampleRow
from evaluation.records import Labels, Source
from tests.evaluation.ledger.making import START, example

ROWS = 25_000
AFTER = (START + timedelta(seconds=100), "e1")


def _row(number: int) -> dict[str, Any]:
    return {
        "id": f"e{number:06d}", "task_key": f"k{number % 50}", "timestamp": START + timedelta(seconds=number),
        "source": ("test", "production", "production", "synthetic")[number % 4], "run_id": f"r{number % 100}",
        "part": "train", "model_version": f"m:{number % 40}", "variant": f"v{number % 30}", "stage": number % 4,
        "user_hash": f"u{number % 500}", "conversation": f"c{number // 3}",
        "success": None if number % 50 else number % 100 == 0, "correct_tool_selection": None if number % 70 else True,
        "response_quality": number % 500 / 100, "validation_confidence": number % 1000 / 1000,
        "reward": number % 20 / 10 - 0.5, "tools_used": '["search"]', "body": "{}",
    }  # fmt: skip


@pytest.fixture
def filled(url: str) -> Any:
    Ledger.open(url).close()
    database = open_database(url, 5)
    with database.write() as connection:
        for start in range(0, ROWS, 5000):
            connection.execute(insert(ExampleRow), [_row(n) for n in range(start, start + 5000)])
    if not database.sqlite:
        with database.write() as connection:
            connection.execute(text("ANALYZE examples"))
    yield database
    database.engine.dispose()


def _plan(connection: Connection, wanted: ExampleFilter, *, after: Any = AFTER, few: bool = False) -> str:
    lite = connection.dialect.name == "sqlite"
    dialect = sqlite.dialect() if lite else postgresql.dialect()
    query = batch_query(wanted, after, 100, few=few)
    sql = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    rows = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if lite else ''}{sql}".replace("%", "%%"))
    return " ".join(str(row[3] if lite else row[0]) for row in rows)


ORDERED = {
    "ix_examples_time": ExampleFilter(),
    "ix_examples_task": ExampleFilter(task_key="k1", since=START, until=START + timedelta(days=9)),
    "ix_examples_run": ExampleFilter(run_ids=("r1",)),
    "ix_examples_version": ExampleFilter(model_version="m:1"),
    "ix_examples_variant": ExampleFilter(variant="v1", stage=1),
    "ix_examples_user": ExampleFilter(user_hash="u1"),
    "ix_examples_source": ExampleFilter(sources=(Source.MANUAL,)),
    "ix_examples_success": ExampleFilter(success=True),
    "ix_examples_tools": ExampleFilter(correct_tool_selection=False),
}
"""By the index that gives the rows in their order, so that nothing is sorted."""
RARE = {
    "ix_examples_quality": ExampleFilter(min_quality=4.98),
    "ix_examples_confidence": ExampleFilter(max_confidence=0.01),
    "ix_examples_conversation": ExampleFilter(conversation="c7"),
    "examples": ExampleFilter(ids=("e000101", "e000102")),
}
"""By the index that finds the few rows that match, which are then sorted."""
USUAL = (
    ExampleFilter(min_quality=0.5),
    ExampleFilter(min_confidence=0.1, max_confidence=0.99),
    ExampleFilter(sources=(Source.TEST, Source.PRODUCTION)),
    ExampleFilter(model_versions=tuple(f"m:{n}" for n in range(39))),
    ExampleFilter(min_reward=0),
    ExampleFilter(tool="search"),
)
"""Matched by many rows: read in the order of time, nothing sorted."""


def test_every_filter_is_answered_by_an_index(filled: Any) -> None:
    with filled.read() as connection:
        for index, wanted in (ORDERED | RARE).items():
            for after in (None, AFTER):
                plan = _plan(connection, wanted, after=after, few=index in RARE)
                assert (index in plan) or not filled.sqlite, (index, plan)
                assert "Seq Scan" not in plan
                assert "SCAN examples" not in plan.replace("SCAN examples USING INDEX", "")
                if index in ORDERED and filled.sqlite:
                    assert "TEMP B-TREE" not in plan, (index, plan)
        for wanted in USUAL:
            plan = _plan(connection, wanted)
            assert "ix_examples_time" in plan, (wanted, plan)
            assert "TEMP B-TREE" not in plan, (wanted, plan)
            assert "Sort" not in plan, (wanted, plan)


def test_ranges_lead_only_where_few_rows_match(filled: Any) -> None:
    with filled.read() as connection:
        assert few_match(connection, ExampleFilter(min_quality=4.98))
        assert not few_match(connection, ExampleFilter(min_quality=0))
        assert not few_match(connection, ExampleFilter(task_key="k1"))
    assert FEW < ROWS


def test_both_ways_find_the_same_rows(ledger: Ledger) -> None:
    kinds = [Labels(response_quality=n % 6, validation_confidence=n % 10 / 10) for n in range(60)]
    ledger.add_examples([example(n, labels, source=list(Source)[n % 4]) for n, labels in enumerate(kinds)])
    for wanted in (
        ExampleFilter(min_quality=2, max_quality=4),
        ExampleFilter(max_confidence=0.3, sources=(Source.TEST, Source.MANUAL)),
        ExampleFilter(ids=("e0001", "e0050", "none")),
    ):
        found = {}
        for few in (False, True):
            with ledger._database.read() as connection:
                found[few] = [row.id for row in connection.execute(batch_query(wanted, None, 100, few=few))]
        assert found[True] == found[False] == [one.id for one in ledger.examples(wanted)]
        assert 0 < len(found[True]) < 60
        assert ledger.count(wanted) == len(found[True])
