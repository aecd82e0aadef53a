from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar

import pytest

from evaluation.agents import Limits
from evaluation.examples import Scales
from evaluation.figures import Tally, summarize
from evaluation.models import ModelError, Sampling, ScriptedModel
from evaluation.oracle import suite_oracle
from evaluation.outcomes import outcome_of
from evaluation.pricing import PriceTable
from evaluation.records import Example, FailureKind
from evaluation.run import Progress, RunOptions, RunResult, example_ids, run_suite
from tests.evaluation.attempts import BY_ID, KINDS, call, calling, saying

GREEDY = Sampling()


class Kept:
    """A sink in memory, which can fail and remembers its batches."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.rows: dict[str, Example] = {}
        self.batches: list[int] = []
        self.threads: set[int] = set()
        self._fail_at = fail_at

    def add_examples(self, examples: Sequence[Example]) -> int:
        if len(self.batches) == self._fail_at:
            raise OSError("no space left on the device")
        self.threads.add(threading.get_ident())
        self.batches.append(len(examples))
        new = [one for one in examples if one.id not in self.rows]
        self.rows |= {one.id: one for one in new}
        return len(new)


def many(count: int):
    return [
        one.model_copy(update={"id": f"{one.id}-{i}", "group": f"{i}", "messages": (*one.messages[:1], said(one, i))})
        for i in range(count)
        for one in (KINDS[i % len(KINDS)],)
    ]


def said(one, i):
    return one.messages[1].model_copy(update={"content": f"{one.query} {i}"})


def go(scenarios, model, sink, run_id="r", **fields) -> RunResult:
    names = {"on_progress", "skip", "sampling", "record", "tally"}
    rest = {name: fields.pop(name) for name in names & fields.keys()}
    options = RunOptions(**{"concurrency": 4, "batch": 7} | fields)
    rest.setdefault("sampling", GREEDY)
    return asyncio.run(run_suite(scenarios, model, sink=sink, run_id=run_id, options=options, **rest))


def test_a_whole_run_is_persisted_batch_by_batch_before_it_is_reported() -> None:
    scenarios, sink, seen = many(40), Kept(), []

    def on_progress(progress: Progress) -> None:
        seen.append(progress)
        assert progress.done == len(sink.rows)

    result = go(scenarios, suite_oracle(scenarios), sink, on_progress=on_progress)
    assert sink.batches == [7, 7, 7, 7, 7, 5]
    assert seen[-1][:3] == (40, 40, 40)
    assert seen[-1].cost == pytest.approx(sum(one.metrics.cost for one in sink.rows.values()))
    assert seen[-1].failures == result.failures
    assert set(sink.rows) == set(example_ids(scenarios, "oracle", run_id="r", sampling=GREEDY))
    assert (result.metrics["task_success"].value, result.metrics["task_success"].n) == (1, 40)
    assert result.failures.keys() == {FailureKind.TOOL_ERROR, FailureKind.TOOL_TIMEOUT}
    assert threading.get_ident() not in sink.threads


def test_what_ran_first_has_no_influence_on_the_rows() -> None:
    scenarios = many(20)
    one, other = Kept(), Kept()
    go(scenarios, suite_oracle(scenarios), one, concurrency=1, batch=1)
    go(scenarios, suite_oracle(scenarios), other, concurrency=16, batch=50)
    drop = {"timestamp": None}
    assert {k: v.model_copy(update=drop) for k, v in one.rows.items()} == {
        k: v.model_copy(update=drop) for k, v in other.rows.items()
    }


def test_a_sink_that_fails_ends_the_run_and_nothing_of_its_batch_is_acknowledged() -> None:
    scenarios, sink, seen = many(40), Kept(fail_at=2), []
    with pytest.raises(OSError, match="no space left"):
        go(scenarios, suite_oracle(scenarios), sink, on_progress=seen.append)
    assert [progress.done for progress in seen] == [7, 14]
    assert len(sink.rows) == 14


def test_a_resumed_run_makes_just_what_is_missing_and_ends_the_same() -> None:
    scenarios, sink = many(30), Kept(fail_at=2)
    with pytest.raises(OSError):
        go(scenarios, suite_oracle(scenarios), sink, attempts=2)
    kept = dict(sink.rows)
    rest = Kept()
    model = suite_oracle(scenarios)
    result = go(scenarios, model, rest, attempts=2, skip=kept.keys())
    assert (result.total, result.skipped, result.figures.attempts) == (60, 14, 46)
    assert not kept.keys() & rest.rows.keys()
    whole = Kept()
    uninterrupted = go(scenarios, model, whole, attempts=2)
    assert whole.rows.keys() == kept.keys() | rest.rows.keys()
    by_id = {one.id: one for one in scenarios}
    rows = (kept | rest.rows).values()
    again = summarize(outcome_of(by_id[str(row.provenance.scenario_id)], row) for row in rows)
    assert again["task_success"] == uninterrupted.metrics["task_success"]
    assert again["tokens_per_episode"].value == pytest.approx(uninterrupted.metrics["tokens_per_episode"].value)


def test_a_run_that_is_complete_does_nothing() -> None:
    scenarios, sink = many(5), Kept()
    go(scenarios, suite_oracle(scenarios), sink)
    result = go(scenarios, ScriptedModel([], "oracle"), sink, skip=set(sink.rows))
    assert (result.skipped, result.figures.attempts, sink.batches) == (5, 0, [5])


def test_attempts_have_their_own_seed_and_row() -> None:
    sink = Kept()
    go([BY_ID["near_twin"]], suite_oracle(KINDS), sink, attempts=3, sampling=Sampling(seed=5))
    assert sorted(one.provenance.seed or 0 for one in sink.rows.values()) == [5, 6, 7]


def test_tools_that_raise_or_hang_and_a_model_that_breaks_are_data_and_the_run_goes_on() -> None:
    scenarios = many(12)
    right = suite_oracle(scenarios)

    class Troubled:
        name, template_hash = "troubled", ""

        async def complete(self, messages, tools, sampling):
            number = int(messages[1].content.split()[-1])
            turn = sum(m.role == "assistant" for m in messages)
            if number == 0:
                raise ModelError("the endpoint is gone")
            if number == 1:
                raise ValueError("not a ModelError")
            if number in (2, 4):
                broken = calling(call("raises" if number == 2 else "hangs"))
                said = broken if turn == 0 else saying("ok")
                return await ScriptedModel([said]).complete((), (), sampling)
            return await right.complete(messages, tools, sampling)

    sink = Kept()
    result = go(scenarios, Troubled(), sink, limits=Limits(tool_seconds=0.05))
    assert len(sink.rows) == 12
    by_scenario = {one.provenance.scenario_id: one for one in sink.rows.values()}
    failures = [(by_scenario[one.id].error or "").partition(":")[0] for one in scenarios]
    assert failures[:3] == [FailureKind.MODEL_ERROR, FailureKind.MODEL_ERROR, FailureKind.TOOL_ERROR]
    assert failures[4] == FailureKind.TOOL_TIMEOUT
    assert [one.labels.success for one in sink.rows.values()].count(True) == 8
    assert result.metrics["task_success"].value == pytest.approx(8 / 12)


class Counting:
    """Does right, and counts how many calls are under way."""

    name, template_hash = "counting", ""

    def __init__(self, scenarios, wait_for=0) -> None:
        self._right, self._wait_for, self._busy, self.most = suite_oracle(scenarios), wait_for, 0, 0
        self._all_there = asyncio.Event()

    async def complete(self, messages, tools, sampling):
        self._busy += 1
        self.most = max(self.most, self._busy)
        if self._busy >= self._wait_for:
            self._all_there.set()
        await asyncio.wait_for(self._all_there.wait(), 60)
        await asyncio.sleep(0)
        self._busy -= 1
        return await self._right.complete(messages, tools, sampling)


def test_at_most_so_many_attempts_run_at_once() -> None:
    scenarios = many(60)
    model = Counting(scenarios)
    go(scenarios, model, Kept(), concurrency=5)
    assert model.most == 5


def test_a_model_without_a_price_is_refused_before_anything_runs() -> None:
    prices = PriceTable.model_validate(
        {"version": "1", "currency": "EUR", "models": [{"name": "x", "input": 1, "output": 1}]}
    )
    sink = Kept()
    with pytest.raises(LookupError, match="expected a price for model 'oracle'"):
        go(KINDS, suite_oracle(KINDS), sink, scales=Scales(prices=prices))
    assert not sink.batches


def test_a_mistake_in_the_harness_is_raised_and_does_not_hang_the_run() -> None:
    with pytest.raises(LookupError):
        go(
            KINDS,
            Renamed(),
            Kept(),
            scales=Scales(
                prices=PriceTable.model_validate(
                    {"version": "1", "currency": "EUR", "models": [{"name": "first", "input": 1, "output": 1}]}
                )
            ),
        )


class Renamed:
    """Goes by a name with a price until it is asked."""

    template_hash = ""
    name = "first"

    async def complete(self, messages, tools, sampling):
        self.name = "second"
        raise ModelError("renamed")


def test_options_that_make_no_sense_are_refused_together() -> None:
    with pytest.raises(ValueError, match="found concurrency 0, batch -1"):
        RunOptions(concurrency=0, batch=-1)


class Costly:
    """Asks the oracle, and every call takes a million tokens of the same price."""

    name, template_hash = "oracle", ""

    def __init__(self, scenarios):
        self._right = suite_oracle(scenarios)

    async def complete(self, messages, tools, sampling):
        await asyncio.sleep(0)
        return replace(await self._right.complete(messages, tools, sampling), tokens_in=1_000_000, tokens_out=0)


def test_a_budget_ends_the_run_which_goes_on_with_another() -> None:
    scenarios, sink = many(40), Kept()
    one = go(scenarios, Costly(scenarios), sink, budget=1.0)
    each = one.figures.cost / len(sink.rows)
    assert one.cut
    assert one.total == 40
    assert 1.0 <= one.figures.cost < 1.0 + 4 * 2 * each, "at most what was under way"
    tally = Tally()
    rest = go(scenarios, Costly(scenarios), sink, budget=1e6, skip=set(sink.rows), tally=tally)
    assert not rest.cut
    assert len(sink.rows) == 40


def test_a_budget_that_is_just_enough_cuts_nothing() -> None:
    scenarios = many(3)
    spent = go(scenarios, Costly(scenarios), Kept(), concurrency=1).figures.cost
    assert not go(scenarios, Costly(scenarios), Kept(), concurrency=1, budget=spent).cut


def test_scenarios_may_come_from_an_iterator_and_are_let_go() -> None:
    alive: list[weakref.ref[object]] = []
    most = 0
    model = suite_oracle(many(10))

    def endless(count: int):
        nonlocal most
        for number in range(count):
            one = many(10)[number % 10].model_copy(update={"id": f"{number}"})
            alive.append(weakref.ref(one))
            if number % 50 == 0:
                gc.collect()
                most = max(most, sum(reference() is not None for reference in alive))
            yield one

    seen = []
    result = go(endless(200), model, None, on_progress=seen.append)
    assert (result.total, seen[-1].total, seen[-1].done) == (200, None, 200)
    assert result.metrics["task_success"].value == 1
    assert most < 20


def verdicts_of(scenarios, model, **options):
    class Record:
        rows: ClassVar[dict[str, object]] = {}

        def add(self, one):
            times = {"latency_ms": 0.0}
            calls = tuple(c.model_copy(update=times) for c in one.episode.model_calls)
            episode = one.episode.model_copy(update={"started_at": None, "model_calls": calls})
            self.rows[one.episode.id] = (one.order, episode, one.validations)

    record = Record()
    record.rows.clear()
    result = go(scenarios, model, None, record=record, **options)
    metrics = {name: figure for name, figure in result.metrics.items() if name != "latency_ms"}
    return dict(record.rows), metrics, result.figures.pass_at, result.figures.confusion, result.failures


def test_the_same_seed_gives_the_same_run_whatever_ran_beside_what() -> None:
    scenarios = many(40)
    right = suite_oracle(scenarios)

    class Wavering:
        name, template_hash = "wavering", ""

        async def complete(self, messages, tools, sampling):
            lot = Random(f"{sampling.seed} {messages[1].content} {len(messages)}")
            await asyncio.sleep(lot.random() * 0.004)
            if lot.random() < 0.2:
                return await ScriptedModel([saying("I would rather not.")]).complete((), (), sampling)
            return await right.complete(messages, tools, sampling)

    one = verdicts_of(scenarios, Wavering(), attempts=3, concurrency=1)
    again = verdicts_of(scenarios, Wavering(), attempts=3, concurrency=64)
    assert one == again
    assert 0.3 < one[1]["task_success"].value < 0.95
    other = verdicts_of(scenarios, Wavering(), attempts=3, concurrency=64, sampling=Sampling(seed=9))
    assert other[1] != one[1]


def test_all_that_may_run_at_once_do() -> None:
    scenarios = many(300)
    model = Counting(scenarios, wait_for=256)
    go(scenarios, model, None, concurrency=256)
    assert model.most == 256


def test_the_harness_itself_takes_little_time() -> None:
    scenarios = many(300)
    begun = time.process_time()
    go(scenarios, suite_oracle(scenarios), Kept(), concurrency=32, batch=64)
    assert (time.process_time() - begun) / 300 < 0.05, "seconds per scenario"
