"""Arms run in blocks, turn and turn about, never at the same time; a stopped run goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from evaluation.compare import summarise
from evaluation.models import Completion, ModelClient, ModelError, Sampling
from evaluation.oracle import suite_oracle
from evaluation.pair_rows import PairRow
from evaluation.pairs import Arm, Block, PairOptions, Spent, run_pairs
from evaluation.records import Message, ToolSpec
from tests.evaluation.attempts import KINDS

HALF = suite_oracle(KINDS, lambda one, right: (Message(role="assistant", content="no"),), name="wrong")


class Watched:
    """A model client that tells when it is asked."""

    def __init__(self, inner: ModelClient, log: list[str], busy: set[str]) -> None:
        self._inner, self._log, self._busy = inner, log, busy

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def template_hash(self) -> str:
        return ""

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        assert self._busy <= {self.name}, "both arms run at the same time"
        self._log.append(self.name)
        self._busy.add(self.name)
        await asyncio.sleep(0)
        self._busy.discard(self.name)
        return await self._inner.complete(messages, tools, sampling)


class Stopped(Exception):
    pass


def compared(
    block: int, attempts: int = 1, skip: Sequence[str] = (), stop_after: int = 99
) -> tuple[list[list[PairRow]], list[str]]:
    """Run oracle against a wrong model; return each block's rows, and who was asked in which order."""
    log: list[str] = []
    busy: set[str] = set()
    models = {"a": Watched(suite_oracle(KINDS), log, busy), "b": Watched(HALF, log, busy)}
    arms = {name: Arm(model, Sampling(seed=4)) for name, model in models.items()}
    blocks: list[list[PairRow]] = []

    def keep(block: Block) -> bool:
        assert [e.provenance.scenario_id for e in block.examples] == [r.scenario_id for r in block.rows]
        blocks.append(block.rows)
        if len(blocks) == stop_after:
            raise Stopped
        return True

    options = PairOptions(block=block, attempts=attempts)
    work = run_pairs(KINDS, arms, run_id="r", options=options, on_block=keep, skip=skip)
    if stop_after == 99:
        asyncio.run(work)
    else:
        with pytest.raises(Stopped):
            asyncio.run(work)
    return blocks, log


def timing(row: PairRow) -> float | None:
    return row.measured.get("latency_ms")


def collecting(rows: list[PairRow]) -> Callable[[Block], bool]:
    def keep(block: Block) -> bool:
        rows.extend(block.rows)
        return True

    return keep


def arms_in_order(rows: list[PairRow]) -> list[str]:
    return list(dict.fromkeys(row.arm for row in rows))


def test_the_arm_that_begins_changes_with_each_block() -> None:
    blocks, log = compared(block=2)
    assert len(blocks) >= 3
    assert [arms_in_order(rows) for rows in blocks] == [
        ["a", "b"] if n % 2 == 0 else ["b", "a"] for n in range(len(blocks))
    ]
    changes = sum(one != two for one, two in pairwise(log))
    timed = {r.scenario_id for rows in blocks for r in rows if timing(r) is not None}
    assert changes <= len(blocks) + 2 * len(timed), "each block asks one arm until it is done, then the other"


def test_every_scenario_is_attempted_by_every_arm_and_judged() -> None:
    blocks, _ = compared(block=3, attempts=2)
    rows = [row for block in blocks for row in block]
    keys = [(r.scenario_id, r.arm, r.attempt) for r in rows]
    assert sorted(keys) == sorted((s.id, arm, n) for s in KINDS for arm in "ab" for n in range(2))
    assert all(r.success for r in rows if r.arm == "a")
    assert not any(r.success for r in rows if r.arm == "b" and r.expected_calls)
    assert any(not r.measured["tool_accuracy"] for r in rows if r.arm == "b")


def test_latency_is_measured_alone_where_every_arm_solved_the_scenario() -> None:
    at_once: list[int] = []

    class Counted(Watched):
        async def complete(
            self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling
        ) -> Completion:
            self._log.append(self.name)
            at_once.append(len(self._log))
            await asyncio.sleep(0.001)
            done = await self._inner.complete(messages, tools, sampling)
            self._log.remove(self.name)
            return replace(done, latency_ms=100.0 * len(self._log) + 5.0)

    running: list[str] = []
    arms = {name: Counted(suite_oracle(KINDS), running, set()) for name in ("a", "b")}
    arms["c"] = Counted(HALF, running, set())
    rows: list[PairRow] = []

    def run(names: str, timed: int = 12) -> dict[bool, set[float | None]]:
        rows.clear()
        work = run_pairs(
            KINDS,
            {name: Arm(arms[name], Sampling()) for name in names},
            run_id="r",
            options=PairOptions(block=8, timed=timed),
            on_block=collecting(rows),
        )
        asyncio.run(work)
        solved = {s.id: all(r.success for r in rows if r.scenario_id == s.id) for s in KINDS}
        return {both: {timing(r) for r in rows if solved[r.scenario_id] is both} for both in set(solved.values())}

    assert run("ab") == {True: {5.0}}
    assert max(next(iter(run("ab", timed=0).values()))) > 105.0, "untimed, it is as long as it took among the others"
    assert max(at_once) > 1, "attempts that are not timed run together"
    assert run("ac")[False] == {None}
    assert run("ac").get(True, {5.0}) == {5.0}


def test_no_more_are_timed_in_a_block_than_was_asked_for() -> None:
    arms = {name: Arm(suite_oracle(KINDS), Sampling()) for name in ("a", "b")}
    timed: list[set[str]] = []
    spent: list[Spent] = []

    def keep(block: Block) -> bool:
        timed.append({row.scenario_id for row in block.rows if timing(row) is not None})
        spent.append(block.spent)
        return True

    options = PairOptions(block=4, timed=2)
    asyncio.run(run_pairs(KINDS, arms, run_id="r", options=options, on_block=keep))
    assert {len(ids) for ids in timed[:-1]} == {2}
    assert {one.attempts for one in spent[:-1]} == {4 * 2 + 2 * 2}
    assert all(one.seconds >= one.timing_seconds > 0 for one in spent)


def test_a_run_that_is_stopped_goes_on_with_what_is_missing() -> None:
    whole = [row for block in compared(block=2)[0] for row in block]
    before, _ = compared(block=2, stop_after=2)
    done = {row.scenario_id for block in before for row in block}
    after, _ = compared(block=2, skip=sorted(done))
    resumed = [row for block in (*before, *after) for row in block]

    def figures(rows: list[PairRow]) -> dict[tuple[str, str], object]:
        return {(r.scenario_id, r.arm): r.model_dump(exclude={"measured": {"latency_ms"}}) for r in rows}

    assert len(resumed) == len(whole)
    assert figures(resumed) == figures(whole)
    assert {s.id for s in KINDS} - done == {row.scenario_id for block in after for row in block}


def test_nothing_left_is_no_block() -> None:
    assert compared(block=2, skip=[s.id for s in KINDS]) == ([], [])


def test_the_shortest_of_the_timings_counts() -> None:
    class Slowing(Watched):
        """Takes a millisecond longer with each call."""

        async def complete(
            self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling
        ) -> Completion:
            self._log.append(self.name)
            return replace(await self._inner.complete(messages, tools, sampling), latency_ms=float(len(self._log)))

    def shortest(timings: int) -> dict[str, float | None]:
        arms = {name: Arm(Slowing(suite_oracle(KINDS), [], set()), Sampling()) for name in ("a", "b")}
        rows: list[PairRow] = []
        options = PairOptions(block=len(KINDS), timings=timings, timed=99)
        asyncio.run(run_pairs(KINDS, arms, run_id="r", options=options, on_block=collecting(rows)))
        return {f"{r.scenario_id}/{r.arm}": timing(r) for r in rows}

    once, thrice = shortest(1), shortest(3)
    assert once.keys() == thrice.keys()
    first = next(iter(once))
    assert once[first] == thrice[first]
    assert None not in thrice.values()


def test_arms_differ_in_system_prompt_and_sampling_and_a_block_can_be_the_last() -> None:
    seen: list[tuple[str, float, int]] = []

    class Told(Watched):
        async def complete(
            self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling
        ) -> Completion:
            assert [m.role for m in messages].count("system") == 1
            seen.append((messages[0].content, sampling.temperature, sampling.seed))
            return await self._inner.complete(messages, tools, sampling)

    arms = {
        "a": Arm(Told(suite_oracle(KINDS), [], set()), Sampling(seed=7), system="Be quick."),
        "b": Arm(Told(suite_oracle(KINDS), [], set()), Sampling(0.7, seed=7), system="Be slow."),
    }
    blocks: list[Block] = []

    def keep(block: Block) -> bool:
        blocks.append(block)
        return False

    options = PairOptions(block=2, attempts=2, timed=1)
    asyncio.run(run_pairs(KINDS, arms, run_id="r", options=options, on_block=keep))
    assert len(blocks) == 1
    assert set(seen) == {("Be quick.", 0.0, 7), ("Be quick.", 0.0, 8), ("Be slow.", 0.7, 7), ("Be slow.", 0.7, 8)}
    spent = blocks[0].spent
    assert spent.attempts == 2 * 2 * 2, "two scenarios, two attempts, two arms; none was solved under other prompts"
    assert Spent().plus(spent) == spent


def test_attempts_that_nobody_answered_are_measured_by_no_metric() -> None:
    class Down(Watched):
        async def complete(
            self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling
        ) -> Completion:
            raise ModelError("429: too many requests")

    arms = {
        "a": Arm(Down(suite_oracle(KINDS), [], set()), Sampling()),
        "b": Arm(suite_oracle(KINDS), Sampling()),
    }
    rows: list[PairRow] = []
    asyncio.run(run_pairs(KINDS, arms, run_id="r", options=PairOptions(), on_block=collecting(rows)))
    assert all(not row.measured and row.success is None for row in rows if row.arm == "a")
    assert all(row.success for row in rows if row.arm == "b")
    success = summarise(rows, "a", "b").metrics["task_success"]
    assert (success.difference.n, success.missing) == (0, len(KINDS))
