"""A test run's attempts, spread over Ray actors: each has model and agent, and sends back what it judged.

Decisions: the process that was started writes all that is kept, so that a run is one file and one writer; the actors
keep nothing. Each job goes to the actor with the fewest under way. An actor that dies is left out and its jobs are made
by the others; a run without any is ended, and goes on with `--resume`.
Limits: a local model's folder, and files of validators and protocols, have to be where each node can read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import ray

from cluster.running import ModelSource, Work, here, run_options
from cluster.runs import RunPlan
from cluster.session import ray_session
from cluster.settings import Settings
from evaluation.agents import Limits
from evaluation.run import Job, Maker
from evaluation.run_folder import RunFolderError
from evaluation.tools.outside import Reach
from evaluation.validators import Judged

CPUS = 1
"""Of an actor: logical ones."""


def spread_over(settings: Settings, actors: int | None) -> Callable[[RunPlan, Work], AbstractContextManager[Maker]]:
    """Return what gives a maker of attempts over so many actors; None: one for each node."""

    @contextmanager
    def spread(plan: RunPlan, work: Work) -> Iterator[Maker]:
        with ray_session(settings):
            count = actors or sum(node["Alive"] for node in ray.nodes())
            made = [
                _Attempter.remote(  # type: ignore[attr-defined]
                    plan, work.model, work.user_model, concurrency=work.concurrency, reach=work.reach
                )
                for _ in range(count)
            ]
            try:
                yield Spread(work.model.name, made)
            finally:
                for actor in made:
                    ray.kill(actor)

    return spread


class Spread:
    """Sends each attempt to the actor that has the fewest under way."""

    def __init__(self, name: str, actors: list[Any]) -> None:
        self.name = name
        self._busy = dict.fromkeys(actors, 0)

    async def make(self, job: Job) -> Judged | None:
        """Let an actor make the attempt. Raises `RunFolderError` where none is left."""
        last = "none was started"
        while self._busy:
            actor = min(self._busy, key=lambda one: self._busy[one])
            self._busy[actor] += 1
            try:
                judged: Judged | None = await actor.make.remote(job)
            except ray.exceptions.ActorDiedError as error:
                self._busy.pop(actor, None)
                last = str(error).splitlines()[0]
            else:
                self._busy[actor] -= 1
                return judged
        raise RunFolderError(f"expected a Ray actor to attempt {job.scenario.id} with, found none alive: {last}")


@ray.remote(num_cpus=CPUS, max_restarts=0)
class _Attempter:
    def __init__(
        self, plan: RunPlan, model: ModelSource, user_model: ModelSource | None, *, concurrency: int, reach: Reach
    ) -> None:
        self._open = ExitStack()
        options = run_options(plan, concurrency, model.prices, None)
        options = replace(options, limits=Limits(reach=reach))
        self._maker = self._open.enter_context(here(plan, model, user_model, options))

    async def make(self, job: Job) -> Judged | None:
        """Make one attempt."""
        return await self._maker.make(job)
