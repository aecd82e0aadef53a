"""`kill -9` at random moments: nothing confirmed is lost, nothing is there twice, no batch is there in part."""

from __future__ import annotations

import pytest

from tests.killing import Killed, kill_collectors, kill_writers
from tests.postgres import Server


def whole(found: Killed) -> bool:
    """Whether every kill left all that was confirmed, once each, and no batch in part."""
    return (found.lost, found.doubled, found.halves) == (0, 0, 0) and found.confirmed >= found.kills


@pytest.mark.slow
def test_writers_that_are_killed_lose_and_double_nothing() -> None:
    found = kill_writers(3, seed=1)
    assert (found.kills, whole(found)) == (3, True), found


@pytest.mark.slow
def test_collectors_that_are_killed_lose_and_double_nothing() -> None:
    found = kill_collectors(5, seed=1)
    assert (found.kills, whole(found)) == (5, True), found


@pytest.mark.slow
@pytest.mark.postgres
def test_writers_to_postgresql_that_are_killed_lose_and_double_nothing(postgres_server: Server) -> None:
    name = postgres_server.database()
    found = kill_writers(5, seed=2, url=postgres_server.url(name))
    assert (found.kills, whole(found)) == (5, True), found
    postgres_server.drop(name)
