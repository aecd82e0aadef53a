"""Each test of the ledger runs on SQLite, and in the slow tests on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.ledger import Ledger
from tests.evaluation.ledger.making import Clock

DATABASES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a new ledger: a file that is not there, or a database with the tables in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
        return
    server = request.getfixturevalue("postgres_server")
    name = server.database()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def ledger(url: str, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(url, busy_s=5, clock=clock) as opened:
        yield opened
