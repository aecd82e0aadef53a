"""The shared fixtures do what they say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster import environment
from tests.conftest import ENVIRONMENT


def environment_of_a_worker() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in ENVIRONMENT}


@pytest.mark.ray
def test_workers_have_the_same_environment_as_the_driver(ray_session: None) -> None:
    import ray

    remote = ray.remote(environment_of_a_worker)
    assert ray.get(remote.options(num_cpus=2).remote()) == environment_of_a_worker() == ENVIRONMENT
    assert ray.cluster_resources()["CPU"] == 4


def test_the_environment_is_the_one_that_users_get() -> None:
    assert ENVIRONMENT.items() >= environment.ENVIRONMENT.items()


def test_a_home_is_empty_and_named_by_the_environment(home: Path) -> None:
    assert os.environ["RATCHET_HOME"] == str(home)
    assert list(home.iterdir()) == []
