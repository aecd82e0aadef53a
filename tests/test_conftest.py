"""The shared fixtures do what they say."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cluster import environment
from evaluation.ledger.database import VERSION_TABLE, open_database
from tests.conftest import ENVIRONMENT


def environment_of_a_worker() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in ENVIRONMENT}


@pytest.mark.ray
def test_workers_have_the_same_environment_as_the_driver(ray_session: None) -> None:
    import ray

    remote = ray.remote(environment_of_a_worker)
    assert ray.get(remote.options(num_cpus=2).remote()) == environment_of_a_worker() == ENVIRONMENT
    assert ray.cluster_resources()["CPU"] == 4


def test_a_new_ledger_has_the_tables_that_migrations_make(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "by_steps.db")) as connection:
        connection.execute("CREATE TABLE other (x)")  # not empty, so that it is migrated step by step
    _, ready, by_steps = (
        open_database(f"sqlite:///{tmp_path}/{name}.db", 5) for name in ("first", "ready", "by_steps")
    )
    with ready.read() as one, by_steps.read() as other:
        made, steps = ({row[0] for row in at.exec_driver_sql("SELECT sql FROM sqlite_master")} for at in (one, other))
        assert steps - made == {"CREATE TABLE other (x)"}
        assert made <= steps
        version = f"SELECT version_num FROM {VERSION_TABLE}"
        assert one.exec_driver_sql(version).all() == other.exec_driver_sql(version).all()


def test_the_environment_is_the_one_that_users_get() -> None:
    assert ENVIRONMENT.items() >= environment.ENVIRONMENT.items()


def test_a_home_is_empty_and_named_by_the_environment(home: Path) -> None:
    assert os.environ["RATCHET_HOME"] == str(home)
    assert list(home.iterdir()) == []
