"""All agents on the same scenarios: accuracy, tokens and seconds of each, by category.

Decisions: scenarios and agents are attempted with bounded concurrency and judged like any test run. A scenario's
category is its tag `category:<name>`, else its kind. Figures are pure functions of the results.
Limits: nothing is persisted; `evaluation/run.py` does that, for one agent at a time.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from evaluation.agents.attempt import Limits, attempt
from evaluation.agents.base import Agent
from evaluation.models import ModelClient, Sampling
from evaluation.records import FailureKind, Record
from evaluation.scenarios import Scenario
from evaluation.stats.intervals import Estimate, proportion
from evaluation.validators import task_success, validate

ALL = "all"
"""Stands for all categories together."""
PREFIX = "category:"


class Result(NamedTuple):
    """What one agent made of one scenario."""

    agent: str
    category: str
    success: bool
    tokens: int
    """In and out, of all model calls."""
    seconds: float
    """Wall time of the attempt: the model, the tools and the agent itself."""
    model_calls: int
    failure: FailureKind | None
    """The first one."""


class Row(Record):
    """The figures of one agent in one category."""

    agent: str
    category: str
    accuracy: Estimate
    tokens: float
    """Mean per scenario."""
    seconds: float
    """Mean per scenario."""
    model_calls: float
    """Mean per scenario."""


def category_of(scenario: Scenario) -> str:
    """Return the scenario's category."""
    named = (tag.removeprefix(PREFIX) for tag in scenario.tags if tag.startswith(PREFIX))
    return next(named, scenario.kind.value)


async def measure(
    agents: Sequence[Agent],
    scenarios: Sequence[Scenario],
    model_of: Callable[[Scenario], ModelClient],
    *,
    sampling: Sampling,
    limits: Limits | None = None,
    concurrency: int = 32,
) -> list[Result]:
    """Attempt each scenario with each agent, `concurrency` at a time; results in the order of agents and scenarios."""
    gate = asyncio.Semaphore(concurrency)

    async def one(agent: Agent, scenario: Scenario) -> Result:
        async with gate:
            begun = time.perf_counter()
            episode = await attempt(scenario, model_of(scenario), sampling=sampling, agent=agent, limits=limits)
            taken = time.perf_counter() - begun
        return Result(
            agent=agent.name,
            category=category_of(scenario),
            success=task_success(validate(scenario, episode)) is True,
            tokens=episode.tokens_in + episode.tokens_out,
            seconds=taken,
            model_calls=len(episode.model_calls),
            failure=episode.failures[0].kind if episode.failures else None,
        )

    return list(await asyncio.gather(*(one(agent, scenario) for agent in agents for scenario in scenarios)))


def table(results: Sequence[Result]) -> list[Row]:
    """Return a row for each agent and category, and one for all of an agent's; agents in their order of occurrence."""
    agents = dict.fromkeys(result.agent for result in results)
    categories = [*sorted({result.category for result in results}), ALL]
    groups = [
        (agent, name, [r for r in results if r.agent == agent and name in (r.category, ALL)])
        for agent in agents
        for name in categories
    ]
    return [_row(agent, name, group) for agent, name, group in groups if group]


def failures(results: Sequence[Result]) -> dict[str, dict[FailureKind, int]]:
    """Count episodes by agent and first failure."""
    counted: dict[str, Counter[FailureKind]] = {}
    for result in results:
        if result.failure is not None:
            counted.setdefault(result.agent, Counter())[result.failure] += 1
    return {agent: dict(counts) for agent, counts in counted.items()}


def _row(agent: str, category: str, group: Sequence[Result]) -> Row:
    return Row(
        agent=agent,
        category=category,
        accuracy=proportion(sum(result.success for result in group), len(group)),
        tokens=statistics.fmean(result.tokens for result in group),
        seconds=statistics.fmean(result.seconds for result in group),
        model_calls=statistics.fmean(result.model_calls for result in group),
    )
