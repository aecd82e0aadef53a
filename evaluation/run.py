"""A test run: many attempts at once, judged, kept as they end, and counted.

Decisions: a bounded number of workers pulls attempts from one iterator, however many there are, and what was kept is
let go: memory does not grow with the run. An attempt is kept before it is counted or reported: in the run's record at
once, as an example in batches, in a thread, so that a slow disk does not hold up the model. A scenario that goes wrong
is data; a store that fails ends the run, since nothing could be acknowledged. Ids are known before an attempt runs, so
that a run that is resumed makes just the missing ones. Where attempts are made is up to `Maker`: here, or elsewhere.
A budget ends the run when it is spent: attempts that are under way are finished and kept, and none is begun.
Not covered: which runs there are (`evaluation/ledger/`), comparing two models.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple, Protocol

from evaluation.agents import Agent, Limits, ToolsAgent, attempt, episode_id
from evaluation.clients.budget import Budget
from evaluation.examples import Origin, Scales, to_example
from evaluation.figures import RunFigures, Tally
from evaluation.models import ModelClient, Sampling
from evaluation.outcomes import Outcome, outcome_of_episode
from evaluation.records import Example, FailureKind, StopReason
from evaluation.run_folder import Attempted
from evaluation.scenarios import Scenario
from evaluation.stats.intervals import Estimate
from evaluation.step_examples import step_examples
from evaluation.validators import Judged, judge
from evaluation.validators.base import Validator


class ExampleSink(Protocol):
    """Keeps examples."""

    def add_examples(self, examples: Sequence[Example]) -> int:
        """Persist the examples in one transaction and return how many are new. Those already there are left alone."""
        ...


class AttemptSink(Protocol):
    """Keeps attempts whole."""

    def add(self, one: Attempted) -> None:
        """Persist one attempt; quick enough for the event loop."""
        ...


class Job(NamedTuple):
    """One attempt that has to be made."""

    order: int
    """Place among the attempts of the run, from 0."""
    scenario: Scenario
    attempt: int
    sampling: Sampling


class Maker(Protocol):
    """Makes attempts and judges them."""

    @property
    def name(self) -> str:
        """What episodes record as their model."""
        ...

    async def make(self, job: Job) -> Judged | None:
        """Make one; None: the budget does not suffice. What goes wrong in it is data; what is raised ends the run."""
        ...


class Progress(NamedTuple):
    """How far a run is; counts only what is persisted."""

    done: int
    """Attempts of this run that are persisted, those skipped included."""
    total: int | None
    """None where nobody knows how many scenarios there are."""
    successes: int
    """Attempts that succeeded; of those skipped, as many as the tally that the run began with knows."""
    cost: float
    """Of the same attempts, in the currency of the price table."""
    failures: Mapping[FailureKind, int]
    """The same attempts by their first failure."""


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
    agent: Agent = field(default_factory=ToolsAgent)
    validators: dict[str, Validator] | None = None
    """None: those that there are (`evaluation/validators/`)."""
    budget: float | None = None
    """What the whole run may cost, in the currency of the price table."""

    def __post_init__(self) -> None:
        wrong = [f"{k} {v}" for k, v in self._counts().items() if v < 1]
        if wrong:
            raise ValueError(f"expected counts of at least 1 for a run, found {', '.join(wrong)}")

    def _counts(self) -> dict[str, int]:
        return {"concurrency": self.concurrency, "attempts": self.attempts, "batch": self.batch}


@dataclass(frozen=True)
class RunResult:
    """What a run came to. Figures are of the attempts made just now, and of those in the tally that it began with."""

    run_id: str
    total: int
    """Attempts that the run consists of, as far as they were begun or skipped."""
    skipped: int
    """Attempts that were persisted before."""
    cut: bool
    """The budget was spent before all attempts were made."""
    figures: RunFigures

    @property
    def metrics(self) -> dict[str, Estimate]:
        """Each measure over all scenarios."""
        return self.figures.metrics

    @property
    def failures(self) -> dict[FailureKind, int]:
        """Attempts by their first failure."""
        return self.figures.failures


async def run_suite(
    scenarios: Iterable[Scenario],
    model: ModelClient,
    *,
    run_id: str,
    sampling: Sampling,
    sink: ExampleSink | None = None,
    record: AttemptSink | None = None,
    options: RunOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    skip: Collection[str] = (),
    tally: Tally | None = None,
    user_model: ModelClient | None = None,
) -> RunResult:
    """Attempt all `scenarios` here; `user_model` plays users. The rest is as `run_attempts` has it."""
    options = options or RunOptions()
    return await run_attempts(
        scenarios,
        Here(model, run_id, options, user_model),
        run_id=run_id,
        sampling=sampling,
        sink=sink,
        record=record,
        options=options,
        on_progress=on_progress,
        skip=skip,
        tally=tally,
    )


async def run_attempts(
    scenarios: Iterable[Scenario],
    maker: Maker,
    *,
    run_id: str,
    sampling: Sampling,
    sink: ExampleSink | None = None,
    record: AttemptSink | None = None,
    options: RunOptions,
    on_progress: Callable[[Progress], None] | None = None,
    skip: Collection[str] = (),
    tally: Tally | None = None,
) -> RunResult:
    """Let `maker` attempt all `scenarios`; keep each attempt whole in `record`, and as an example in `sink`.

    `skip` holds ids of episodes that are kept already, which `tally` may have counted. Raises what maker, sink and
    record raise; what was reported as progress before is persisted. Raises `LookupError`, before it starts, where the
    price table has no price for the model.
    """
    options.scales.prices.price(maker.name)
    jobs = _Jobs(scenarios, maker.name, sampling, run_id=run_id, options=options, skip=frozenset(skip))
    tally = Tally(options.attempts) if tally is None else tally
    jobs.spent = tally.cost
    keeper = _Keeper(jobs, tally, run_id, options=options, sink=sink, record=record, on_progress=on_progress)
    workers = options.concurrency if jobs.total is None else min(options.concurrency, jobs.total)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(_work(jobs, maker, keeper))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    await keeper.flush(1)
    total = jobs.seen if jobs.total is None else jobs.total
    return RunResult(run_id, total, jobs.skipped, jobs.cut, tally.figures())


def example_ids(
    scenarios: Iterable[Scenario], model: str, *, run_id: str, sampling: Sampling, attempts: int = 1
) -> list[str]:
    """Return the ids of the examples that a run with agent `tools` will make, in its order."""
    return [
        episode_id(scenario, model, _seeded(sampling, number), attempt=number, run_id=run_id)
        for scenario in scenarios
        for number in range(attempts)
    ]


def examples_of(
    scenario: Scenario, judged: Judged, *, run_id: str, origin: Origin | None = None, scales: Scales | None = None
) -> list[Example]:
    """Return all that a judged attempt becomes in the ledger. Raises `LookupError` for a model without a price."""
    scales = scales or Scales()
    example = to_example(scenario, *judged, run_id=run_id, origin=origin, scales=scales)
    return [example, *step_examples(example, judged.episode, scales.prices)]


def collect(attempts: Iterable[Attempted], sink: ExampleSink, *, run_id: str, scales: Scales, batch: int = 64) -> int:
    """Make examples of what a run has kept; return how many the sink did not have yet."""
    new, waiting = 0, iter(attempts)
    while some := list(islice(waiting, batch)):
        made = [(one.scenario, Judged(one.episode, one.validations)) for one in some]
        rows = [row for scenario, judged in made for row in examples_of(scenario, judged, run_id=run_id, scales=scales)]
        new += sink.add_examples(rows)
    return new


def _seeded(sampling: Sampling, number: int) -> Sampling:
    return replace(sampling, seed=sampling.seed + number) if number else sampling


@dataclass(frozen=True)
class Here:
    """Makes attempts in this process."""

    model: ModelClient
    run_id: str
    options: RunOptions
    user_model: ModelClient | None = None
    budget: Budget | None = None
    """What its clients pay from."""

    @property
    def name(self) -> str:
        """What episodes record as their model."""
        return self.model.name

    async def make(self, job: Job) -> Judged | None:
        """Make one attempt and judge it; None where the budget ended it."""
        episode = await attempt(
            job.scenario,
            self.model,
            sampling=job.sampling,
            agent=self.options.agent,
            attempt=job.attempt,
            run_id=self.run_id,
            limits=self.options.limits,
            user_model=self.user_model,
        )
        broken = episode.stop_reason in (StopReason.MODEL_ERROR, StopReason.USER_ERROR)
        if broken and self.budget is not None and self.budget.exhausted:
            return None
        return judge(job.scenario, episode, self.options.validators)


class _Jobs(Iterator[Job]):
    """The attempts that are missing, one after the other, until the budget is spent."""

    def __init__(
        self,
        scenarios: Iterable[Scenario],
        model: str,
        sampling: Sampling,
        *,
        run_id: str,
        options: RunOptions,
        skip: frozenset[str],
    ) -> None:
        self._options, self._model, self._run_id, self._skip = options, model, run_id, skip
        self.total = len(scenarios) * options.attempts if isinstance(scenarios, Sized) else None
        self.seen = self.skipped = 0
        self.spent = 0.0
        """Cost of what was made, kept or not yet."""
        self.cut = False
        each = ((scenario, number) for scenario in scenarios for number in range(options.attempts))
        self._jobs = (Job(order, s, n, _seeded(sampling, n)) for order, (s, n) in enumerate(each))

    def __next__(self) -> Job:
        for job in self._jobs if not self.cut else ():
            self.seen += 1
            if self._skip and self._id(job) in self._skip:
                self.skipped += 1
                continue
            self.cut = self._options.budget is not None and self.spent >= self._options.budget
            if self.cut:
                break
            return job
        raise StopIteration

    def _id(self, job: Job) -> str:
        agent = self._options.agent.name
        return episode_id(
            job.scenario, self._model, job.sampling, attempt=job.attempt, run_id=self._run_id, agent=agent
        )


class _Made(NamedTuple):
    job: Job
    judged: Judged
    outcome: Outcome


async def _work(jobs: _Jobs, maker: Maker, keeper: _Keeper) -> None:
    for job in jobs:
        judged = await maker.make(job)
        if judged is None:
            jobs.cut = True
        else:
            await keeper.keep(job, judged)


class _Keeper:
    """Keeps what was made, then counts and reports it."""

    def __init__(
        self,
        jobs: _Jobs,
        tally: Tally,
        run_id: str,
        *,
        options: RunOptions,
        sink: ExampleSink | None,
        record: AttemptSink | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._jobs, self._tally, self._run_id, self._options = jobs, tally, run_id, options
        self._sink, self._record, self._on_progress = sink, record, on_progress
        self._waiting: list[_Made] = []
        self._one_at_a_time = asyncio.Lock()
        self._kept = 0

    async def keep(self, job: Job, judged: Judged) -> None:
        made = _Made(job, judged, outcome_of_episode(job.scenario, *judged, self._options.scales))
        if self._record is not None:
            episode, validations = judged
            # Without a check: the records in it are checked already, and those of a run are many.
            one = Attempted.model_construct(
                order=job.order, scenario=job.scenario, episode=episode, validations=validations
            )
            self._record.add(one)
        self._jobs.spent += made.outcome.cost
        if self._sink is None:
            self._count([made])
        else:
            self._waiting.append(made)
            await self.flush(self._options.batch)

    async def flush(self, least: int) -> None:
        """Hand what is waiting to the sink, where it is as many as `least`. Who comes meanwhile waits for it."""
        if self._sink is None or len(self._waiting) < least:
            return
        async with self._one_at_a_time:
            while len(self._waiting) >= least:
                batch = self._waiting[: self._options.batch]
                del self._waiting[: self._options.batch]
                await asyncio.to_thread(
                    self._sink.add_examples, [one for made in batch for one in self._examples(made)]
                )
                self._count(batch)

    def _examples(self, made: _Made) -> list[Example]:
        origin, scales = self._options.origin, self._options.scales
        return examples_of(made.job.scenario, made.judged, run_id=self._run_id, origin=origin, scales=scales)

    def _count(self, made: Sequence[_Made]) -> None:
        tally = self._tally
        for job, judged, outcome in made:
            tally.add(job.order, job.scenario, outcome, judged.episode.stop_reason)
        self._kept += len(made)
        if self._on_progress is not None:
            done = self._jobs.skipped + self._kept
            self._on_progress(Progress(done, self._jobs.total, tally.successes, tally.cost, tally.failures))
