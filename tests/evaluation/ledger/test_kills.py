"""`kill -9` at random moments: nothing confirmed is lost, nothing is there twice, no batch is there in part."""

from __future__ import annotations

import pytest

from tests.killing import Killed, kill_collectors, kill_writers
from tests.postgres import Server


def _is_whole(found: Killed, kills: int) -> None:
    assert (found.kills, found.lost, found.doubled, found.halves) == (kills, 0, 0, 0)
    assert found.confirmed >= kills


@pytest.mark.slow
def test_writers_that_are_killed_lose_and_double_nothing() -> None:
    _is_whole(kill_writers(3, seed=1), 3)


@pytest.mark.slow
def test_collectors_that_are_killed_lose_and_double_nothing() -> None:
    _is_whole(kill_collectors(5, seed=1), 5)


@pytest.mark.slow
@pytest.mark.postgres
def test_writers_to_postgresql_that_are_killed_lose_and_double_nothing(postgres_server: Server) -> None:
    name = postgres_server.database()
    _is_whole(kill_writers(5, seed=2, url=postgres_server.url(name)), 5)
    postgres_server.drop(name)
