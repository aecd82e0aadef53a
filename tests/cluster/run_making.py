"""Test runs over the small scenarios of `tests/evaluation/attempts.py`, with models that need no weights."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from cluster.running import Work, carry_out, digest, start
from cluster.runs import Run, RunEnd, RunPlan, find_run
from evaluation.ledger import Ledger
from evaluation.models import Completion, ModelClient, ModelError, Sampling, ScriptedModel
from evaluation.oracle import suite_oracle
from evaluation.pricing import PriceTable, load_prices
from evaluation.records import Message, ToolSpec
from evaluation.scenarios import Scenario
from tests.evaluation.attempts import KINDS, call, calling, saying


def many(count: int) -> Scenarios:
    """So many scenarios of every kind, told apart by what the user says."""
    made = []
    for number in range(count):
        one = KINDS[number % len(KINDS)]
        said = one.messages[1].model_copy(update={"content": f"{one.query} {number}"})
        fields = {"id": f"{one.id}-{number}", "group": f"{number}", "messages": (*one.messages[:1], said)}
        made.append(one.model_copy(update=fields))
    return tuple(made)


class Wavering:
    """Does right, or something else by lot: the same with the same seed, whatever runs beside it."""

    template_hash = ""

    def __init__(self, scenarios: Sequence[Scenario], wrong: float, name: str, seconds: float = 0.0) -> None:
        self._right, self._wrong, self.name, self._seconds = suite_oracle(scenarios), wrong, name, seconds

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        if self._seconds:
            await asyncio.sleep(self._seconds)
        lot = Random(f"{self.name} {sampling.seed} {messages[1].content} {len(messages)}")
        if lot.random() < self._wrong:
            other = [saying("I <b>would</b> rather not."), calling(call("stock", item="cup")), calling(call("steal"))]
            return await ScriptedModel([lot.choice(other)]).complete((), (), sampling)
        return await self._right.complete(messages, tools, sampling)


class Down:
    """Never answers."""

    name, template_hash = "down", ""

    async def complete(self, *_: object) -> Completion:
        raise ModelError("401: the key was refused")


Scenarios = tuple[Scenario, ...]


class Source(NamedTuple):
    """Opens `Wavering`, or `Down`."""

    scenarios: Scenarios
    name: str = "wavering"
    wrong: float = 0.3
    seconds: float = 0.0
    prices: PriceTable = load_prices()
    notes: tuple[str, ...] = ()

    @contextmanager
    def client(self) -> Iterator[ModelClient]:
        yield Down() if self.name == "down" else Wavering(self.scenarios, self.wrong, self.name, self.seconds)


def plan(scenarios: Sequence[Scenario], **fields: Any) -> RunPlan:
    made = {
        "id": "run-one",
        "suite": "small",
        "suite_digest": digest(scenarios),
        "part": "train",
        "scenarios": len(scenarios),
        "model": "wavering",
        "model_name": "wavering",
        "started_at": datetime(2026, 11, 26, 8, tzinfo=UTC),
    }
    return RunPlan.model_validate(made | fields)


def done(home: Path, scenarios: Scenarios, source: Source | None = None, **fields: Any) -> tuple[Run, RunEnd]:
    """A run that was carried out in `home`, with the plan's `fields`."""
    source = source or Source(scenarios)
    home.mkdir(exist_ok=True)
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        run = start(home / "runs", ledger, plan(scenarios, model_name=source.name, **fields))
        end = carry_out(run, Work(scenarios, source, concurrency=16), ledger, lambda _: None, keep=False)
    return find_run(home / "runs", run.plan.id), end
