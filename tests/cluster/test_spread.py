from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from ray.exceptions import ActorDiedError

from cluster.running import Work, carry_out, start
from cluster.runs import RunState
from cluster.settings import Settings
from cluster.spread import Spread, spread_over
from evaluation.ledger import Ledger
from evaluation.models import Sampling
from evaluation.run import Job
from evaluation.run_folder import RunFolderError
from tests.cluster.run_making import Source, many, plan

SCENARIOS = many(24)


@pytest.mark.slow
@pytest.mark.ray
def test_a_run_over_actors_is_the_run_in_one_process(ray_session: None, tmp_path: Path) -> None:
    here = Work(SCENARIOS, Source(SCENARIOS, seconds=0.01), concurrency=16)
    settings = Settings.load({"home": tmp_path}, env={})
    kept = {}
    for name, work in (("here", here), ("spread", replace(here, spread=spread_over(settings, 2)))):
        folder = tmp_path / name
        folder.mkdir()
        with Ledger.open(f"sqlite:///{folder}/ledger.db") as ledger:
            run = start(folder / "runs", ledger, plan(SCENARIOS, attempts=2))
            end = carry_out(run, work, ledger, lambda _: None, keep=True)
            assert end.state is RunState.FINISHED
            assert ledger.count() == 48
        kept[name] = [(one.order, one.episode.id, one.episode.messages, one.validations) for one in run.in_order()]
    assert kept["here"] == kept["spread"]


class Method:
    """An actor's method, answered in this process."""

    def __init__(self, answer):
        self._answer = answer

    async def remote(self, job):
        return self._answer(job)


class Actor:
    def __init__(self, answer):
        self.make = Method(answer)


def test_jobs_of_an_actor_that_died_are_made_by_another() -> None:
    def dead(job):
        raise ActorDiedError

    job = Job(0, SCENARIOS[0], 0, Sampling())
    made = asyncio.run(Spread("m", [Actor(dead), Actor(lambda one: one.order)]).make(job))
    assert made == 0
    with pytest.raises(RunFolderError, match="found none alive: The actor died"):
        asyncio.run(Spread("m", [Actor(dead), Actor(dead)]).make(job))
