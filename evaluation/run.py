"""A test run: many attempts at once, judged, and persisted batch by batch.

Decisions: a bounded number of workers pulls attempts from one iterator, however many there are. Examples go to the sink
in batches, in a thread, so that a slow disk does not hold up the model; progress is reported only for what the sink
has taken. A scenario that goes wrong is data; a sink that fails ends the run, since nothing could be acknowledged. Ids
are known before an attempt runs, so that a run that is resumed makes just the missing ones.
Not covered: which runs there are (`evaluation/ledger/`), comparing two models.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple, Protocol

from evaluation.agents import Limits, attempt, episode_id
from evaluation.examples import Origin, Scales, to_example
from evaluation.models import ModelClient, Sampling
from evaluation.outcomes import Outcome, failures_by_kind, outcome_of, summarize
from evaluation.records import Example, FailureKind
from evaluation.scenarios import Scenario
from evaluation.stats.intervals import Estimate
from evaluation.step_examples import step_examples
from evaluation.validators import judge


class ExampleSink(Protocol):
    """Keeps examples."""

    def add_examples(self, examples: Sequence[Example]) -> int:
        """Persist the examples in one transaction and return how many are new. Those already there are left alone."""
        ...


class Progress(NamedTuple):
    """How far a run is; counts only what is persisted."""

    done: int
    """Attempts of this run that are persisted, those skipped included."""
    total: int
    successes: int
    """Attempts made just now that succeeded."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out, and what its examples say of where they come from."""

    concurrency: int = 32
    """Most attempts at the same time."""
    attempts: int = 1
    """Attempts at each scenario; the sampling seed goes up by one with each."""
    batch: int = 64
    """Examples per transaction."""
    limits: Limits = field(default_factory=Limits)
    origin: Origin = field(default_factory=Origin)
    scales: Scales = field(default_factory=Scales)

    def __post_init__(self) -> None:
        wrong = [f"{k} {v}" for k, v in self._counts().items() if v < 1]
        if wrong:
            raise ValueError(f"expected counts of at least 1 for a run, found {', '.join(wrong)}")

    def _counts(self) -> dict[str, int]:
        return {"concurrency": self.concurrency, "attempts": self.attempts, "batch": self.batch}


@dataclass(frozen=True)
class RunResult:
    """What a run came to. Figures are of the attempts made just now; `summarize` takes outcomes of several runs."""

    run_id: str
    total: int
    """Attempts that the run consists of."""
    skipped: int
    """Attempts that were persisted before."""
    # Without repr: asyncio.run makes its result's when it restores the signal handler: seconds, for thousands.
    outcomes: tuple[Outcome, ...] = field(repr=False)
    """Of the attempts made just now, in the order of the scenarios."""
    failures: dict[FailureKind, int]
    """Episodes by their first failure."""
    metrics: dict[str, Estimate]


class _Job(NamedTuple):
    order: int
    scenario: Scenario
    attempt: int
    sampling: Sampling


class _Done(NamedTuple):
    order: int
    example: Example
    steps: list[Example]
    """Of the agent's own steps, persisted with `example`."""
    outcome: Outcome


async def run_suite(
    scenarios: Sequence[Scenario],
    model: ModelClient,
    *,
    sink: ExampleSink,
    run_id: str,
    sampling: Sampling,
    options: RunOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    skip: Collection[str] = (),
) -> RunResult:
    """Attempt all `scenarios` and hand the examples to `sink`; `skip` holds ids of examples that it already has.

    Raises what the sink raises; what was reported as progress before is persisted. Raises `LookupError`, before it
    starts, where the price table has no price for the model.
    """
    run = _Run(model, run_id, options or RunOptions())
    run.options.scales.prices.price(model.name)
    jobs = run.jobs(scenarios, sampling)
    known = frozenset(skip)
    missing = [job for job in jobs if run.example_id(job) not in known]
    skipped = len(jobs) - len(missing)
    done: list[_Done] = []
    async with _Workers(run, missing) as workers:
        while batch := await workers.take(min(run.options.batch, len(missing) - len(done))):
            rows = [row for one in batch for row in (one.example, *one.steps)]
            await asyncio.to_thread(sink.add_examples, rows)
            done += batch
            if on_progress is not None:
                successes = sum(one.outcome.task_success is True for one in done)
                on_progress(Progress(skipped + len(done), len(jobs), successes))
    outcomes = tuple(one.outcome for one in sorted(done, key=lambda one: one.order))
    return RunResult(run_id, len(jobs), skipped, outcomes, failures_by_kind(outcomes), summarize(outcomes))


def example_ids(
    scenarios: Sequence[Scenario], model: str, *, run_id: str, sampling: Sampling, attempts: int = 1
) -> list[str]:
    """Return the ids of the examples that a run will make, in its order."""
    return [
        episode_id(scenario, model, _seeded(sampling, number), attempt=number, run_id=run_id)
        for scenario in scenarios
        for number in range(attempts)
    ]


def _seeded(sampling: Sampling, number: int) -> Sampling:
    return replace(sampling, seed=sampling.seed + number)


@dataclass(frozen=True)
class _Run:
    model: ModelClient
    run_id: str
    options: RunOptions

    def jobs(self, scenarios: Sequence[Scenario], sampling: Sampling) -> list[_Job]:
        each = product(scenarios, range(self.options.attempts))
        return [_Job(order, s, number, _seeded(sampling, number)) for order, (s, number) in enumerate(each)]

    def example_id(self, job: _Job) -> str:
        return episode_id(job.scenario, self.model.name, job.sampling, attempt=job.attempt, run_id=self.run_id)

    async def make(self, job: _Job) -> _Done:
        episode = await attempt(
            job.scenario,
            self.model,
            sampling=job.sampling,
            attempt=job.attempt,
            run_id=self.run_id,
            limits=self.options.limits,
        )
        judged = judge(job.scenario, episode)
        origin, scales = self.options.origin, self.options.scales
        example = to_example(job.scenario, *judged, run_id=self.run_id, origin=origin, scales=scales)
        steps = step_examples(example, judged.episode, scales.prices)
        return _Done(job.order, example, steps, outcome_of(job.scenario, example))


class _Workers:
    """Tasks that make attempts; on leaving, those still running are cancelled."""

    def __init__(self, run: _Run, jobs: Sequence[_Job]) -> None:
        self._run = run
        self._jobs = iter(jobs)
        self._count = min(run.options.concurrency, len(jobs))
        # Bounded, so that a slow sink slows the workers down instead of filling memory.
        self._made: asyncio.Queue[_Done | Exception] = asyncio.Queue(maxsize=2 * run.options.batch)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> _Workers:
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._count)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def take(self, count: int) -> list[_Done]:
        """Return the next `count` results. Raises what a worker raised."""
        taken: list[_Done] = []
        while len(taken) < count:
            made = await self._made.get()
            if isinstance(made, Exception):
                raise made
            taken.append(made)
        return taken

    async def _work(self) -> None:
        for job in self._jobs:
            try:
                made: _Done | Exception = await self._run.make(job)
            except Exception as error:  # a mistake in this program: handed on, or `take` would wait for ever
                made = error
            await self._made.put(made)
