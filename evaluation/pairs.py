"""Run several arms on the same scenarios so that they can be compared: in blocks, turn and turn about.

Decisions: the arms share one machine, so whatever disturbs it must hit all; they run block by block, the order
changing with each block, and never at the same time, with the same seeds. Latency is measured apart, on scenarios that
all arms solved: one conversation at a time, arm after arm, since in a full batch a call waits for its neighbours, and
an arm that gives up early has fewer of them. Rows of a finished block are handed on at once, so that a run that is
stopped goes on with the next block.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from evaluation.agents import Agent, Limits, ToolsAgent, attempt
from evaluation.examples import Origin, Scales, to_example
from evaluation.metrics import METRICS, Metric, measured
from evaluation.models import ModelClient, Sampling
from evaluation.outcomes import Outcome, outcome_of
from evaluation.pair_rows import PairRow
from evaluation.records import Example, FailureKind, Message
from evaluation.scenarios import Scenario
from evaluation.validators import judge
from evaluation.validators.base import Validator

LATENCY = "latency_ms"


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: a model, and how it is asked."""

    model: ModelClient
    sampling: Sampling
    agent: Agent = field(default_factory=ToolsAgent)
    system: str | None = None
    """System prompt in place of the scenarios' own; None: theirs."""
    user_model: ModelClient | None = None
    scales: Scales = field(default_factory=Scales)


@dataclass(frozen=True)
class PairOptions:
    """How the arms run."""

    block: int = 128
    """Scenarios per block; also how many run at the same time."""
    attempts: int = 1
    timed: int = 12
    """Most attempts of a block whose latency is measured: one conversation at a time takes long. 0: none is, and every
    attempt's latency is as it was beside the others, which is right for an endpoint that serves many at once."""
    timings: int = 1
    """Times that each of them is measured; the shortest counts, since whatever disturbs only adds."""
    limits: Limits = field(default_factory=Limits)
    validators: dict[str, Validator] | None = None
    metrics: Mapping[str, Metric] = field(default_factory=lambda: METRICS)


class Spent(NamedTuple):
    """What a block took, of all arms together."""

    seconds: float = 0.0
    attempts: int = 0
    tokens: int = 0
    cost: float = 0.0
    """In the currency of the price table."""
    timing_seconds: float = 0.0
    """Of `seconds`: measuring latency apart."""
    timing_cost: float = 0.0
    """Of `cost`: the same."""

    def plus(self, other: Spent) -> Spent:
        """Return both together."""
        return Spent(**{name: value + getattr(other, name) for name, value in self._asdict().items()})


class Block(NamedTuple):
    """What one block came to."""

    rows: list[PairRow]
    examples: list[Example]
    """In the order of the rows."""
    spent: Spent


OnBlock = Callable[[Block], bool]
"""Gets each block as it ends; returns whether to go on."""


async def run_pairs(
    scenarios: Sequence[Scenario],
    arms: Mapping[str, Arm],
    *,
    run_id: str,
    options: PairOptions,
    on_block: OnBlock,
    skip: Collection[str] = (),
) -> None:
    """Attempt every scenario with every arm, block by block. `skip`: ids of scenarios that are done."""
    waiting = [s for s in scenarios if s.id not in frozenset(skip)]
    names = list(arms)
    one = _Attempts(arms, run_id, options)
    for number, start in enumerate(range(0, len(waiting), options.block)):
        block, began = waiting[start : start + options.block], time.monotonic()
        rows: list[PairRow] = []
        examples: list[Example] = []
        for arm in names if number % 2 == 0 else names[::-1]:
            jobs = [one.made(scenario, arm, n) for scenario in block for n in range(options.attempts)]
            for row, example in await asyncio.gather(*jobs):
                rows.append(row)
                examples.append(example)
        tokens, cost, timing = _tokens(examples), _cost(examples), Spent()
        if options.timed:
            both = _solved_by_all(rows, len(arms))[: options.timed]
            repeated = [key for key in both for _ in range(options.timings)]
            rows, timing = await _timed(rows, {s.id: s for s in block}, one, repeated)
        spent = Spent(time.monotonic() - began, len(rows), tokens, cost)
        if not on_block(Block(rows, examples, spent.plus(timing))):
            return


def _solved_by_all(rows: Sequence[PairRow], arms: int) -> list[tuple[str, int]]:
    """Return scenario and attempt of what every arm solved."""
    solved = Counter((row.scenario_id, row.attempt) for row in rows if row.success)
    return [key for key, count in solved.items() if count == arms > 1]


async def _timed(
    rows: list[PairRow], scenarios: Mapping[str, Scenario], one: _Attempts, both: Sequence[tuple[str, int]]
) -> tuple[list[PairRow], Spent]:
    """Return `rows`, those of `both` with their shortest latency when nothing runs beside them, and what that took."""
    took: dict[tuple[str, int, str], float] = {}
    began, examples = time.monotonic(), list[Example]()
    for number, (scenario, attempt_number) in enumerate(both):
        for arm in list(one.arms) if number % 2 == 0 else list(one.arms)[::-1]:
            row, example = await one.made(scenarios[scenario], arm, attempt_number)
            examples.append(example)
            latency = row.measured.get(LATENCY)
            if latency is not None:
                key = (scenario, attempt_number, arm)
                took[key] = min(latency, took.get(key, latency))
    cost = _cost(examples)
    spent = Spent(0.0, len(examples), _tokens(examples), cost, time.monotonic() - began, cost)
    return [_with_latency(row, took.get((row.scenario_id, row.attempt, row.arm))) for row in rows], spent


def _with_latency(row: PairRow, latency: float | None) -> PairRow:
    """Return the row with the latency that was measured apart in place of the one beside others."""
    others = {name: value for name, value in row.measured.items() if name != LATENCY}
    return row.model_copy(update={"measured": others if latency is None else others | {LATENCY: latency}})


def _tokens(examples: Sequence[Example]) -> int:
    return sum(example.metrics.tokens_in + example.metrics.tokens_out for example in examples)


def _cost(examples: Sequence[Example]) -> float:
    return sum(example.metrics.cost for example in examples)


class _Attempts:
    """Makes single attempts of the arms."""

    def __init__(self, arms: Mapping[str, Arm], run_id: str, options: PairOptions) -> None:
        self.arms, self._run_id, self._options = arms, run_id, options

    async def made(self, scenario: Scenario, name: str, number: int) -> tuple[PairRow, Example]:
        """Attempt and judge a scenario. What goes wrong in it is data."""
        arm, run = self.arms[name], f"{self._run_id}/{name}"
        asked = _told(scenario, arm.system)
        episode = await attempt(
            asked,
            arm.model,
            sampling=replace(arm.sampling, seed=arm.sampling.seed + number),
            agent=arm.agent,
            attempt=number,
            run_id=run,
            limits=self._options.limits,
            user_model=arm.user_model,
        )
        judged = judge(asked, episode, self._options.validators)
        example = to_example(asked, *judged, run_id=run, origin=Origin(), scales=arm.scales)
        outcome = outcome_of(asked, example)
        if outcome.failure is FailureKind.MODEL_ERROR:
            # Nobody answered: that says nothing of the model, and must neither lift nor sink it.
            row = pair_row(scenario, outcome, arm=name, attempt=number, metrics={})
            return row.model_copy(update={"verdicts": {}}), example
        return pair_row(scenario, outcome, arm=name, attempt=number, metrics=self._options.metrics), example


def _told(scenario: Scenario, system: str | None) -> Scenario:
    """Return the scenario under another system prompt."""
    if system is None:
        return scenario
    others = tuple(message for message in scenario.messages if message.role != "system")
    return scenario.model_copy(update={"messages": (Message(role="system", content=system), *others)})


def pair_row(
    scenario: Scenario, outcome: Outcome, *, arm: str, attempt: int, metrics: Mapping[str, Metric] = METRICS
) -> PairRow:
    """Return the comparison's row of one judged attempt."""
    return PairRow(
        scenario_id=scenario.id,
        group=scenario.group,
        kind=scenario.kind,
        tags=scenario.tags,
        arm=arm,
        attempt=attempt,
        expected_calls=outcome.expected_calls,
        given_calls=outcome.given_calls,
        verdicts=outcome.verdicts,
        measured=dict(measured(outcome, metrics)),
    )
