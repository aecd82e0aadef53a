"""One synthesis, from its plan to its end: ask, read, ask again, play, judge, keep.

Decisions: requests go out in waves, and a wave is settled in the order of its requests, so that the same answers give
the same examples whatever came first. What is known to be a duplicate is not asked an answer for. Examples are in the
ledger, and the run's counts with them, at the end of each wave; however it ends, what was answered is settled first. A
synthesis that goes on takes up all its requests again: what was answered is read from disk, the rest is asked.
Limits: the ledger's requests are held in memory, by their words.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from evaluation.examples import Scales
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.records import RunRecord, Status
from evaluation.models import ModelClient
from evaluation.pricing import Price
from evaluation.records import Example, Validation
from evaluation.scenarios import Scenario
from training.synthesis.asking import Asker
from training.synthesis.batches import Answered, Batches
from training.synthesis.duplicates import Standing
from training.synthesis.estimate import planner_of
from training.synthesis.folder import End, Folder, OutcomeLine, Plan, read_requests
from training.synthesis.judging import Judging
from training.synthesis.labels import labels_of
from training.synthesis.making import Made, example_id, example_of
from training.synthesis.planning import Request
from training.synthesis.reading import Slot
from training.synthesis.shots import Shots
from training.synthesis.spending import Spending
from training.synthesis.yields import Line, Settled, Tally

KIND = "synthesis"
"""Of the run in the ledger."""
_IDLE_WAVES = 3
"""Waves in a row of which nothing is kept, until it is given up."""
_STATUS = {"finished": Status.FINISHED, "cut": Status.STOPPED, "stopped": Status.STOPPED, "ended": Status.FINISHED}


@dataclass(frozen=True)
class Crew:
    """Who takes part, and by what they are measured."""

    teacher: ModelClient
    judge: ModelClient | None = None
    judge_price: Price | None = None
    """What the judge's calls cost; None: by the price table of `scales`."""
    scales: Scales = field(default_factory=Scales)
    held_out: Sequence[Scenario] = ()
    """Scenarios of the held-out part, among any others."""


class Kept(NamedTuple):
    """An example that is kept, and what the judge says of it."""

    example: Example
    judged: Validation | None


def synthesise(
    plan: Plan, folder: Folder, crew: Crew, ledger: Ledger, *, on_wave: Callable[[Line], None] = lambda _: None
) -> End:
    """Carry a synthesis out, or go on with it, and return how it ended. What is kept is in the ledger then.

    Raises `KeyboardInterrupt` at Ctrl-C, after all that was answered was settled.
    """
    begun, before = time.monotonic(), folder.begin()
    record = RunRecord(
        id=plan.id, kind=KIND, model=plan.teacher_name, seed=plan.seed, started_at=plan.started_at
    )  # fmt: skip
    ledger.start_run(record)
    synthesis = _Synthesis(plan, folder, crew, ledger)
    state, reason = "stopped", "it was interrupted"
    try:
        state, reason = asyncio.run(synthesis.run(on_wave))
    finally:
        end = synthesis.end(state, reason, before + time.monotonic() - begun)
        folder.finish(end, synthesis.outcomes)
        ledger.finish_run(plan.id, _STATUS[state], synthesis.counts())
    return end


class _Synthesis:
    """One synthesis, while it goes on."""

    def __init__(self, plan: Plan, folder: Folder, crew: Crew, ledger: Ledger) -> None:
        self._plan, self._config, self._folder, self._crew, self._ledger = plan, plan.config, folder, crew, ledger
        judge_price = None if crew.judge is None else (crew.judge_price or crew.scales.prices.price(crew.judge.name))
        spend = plan.config.spend
        spending = Spending(spend, folder, crew.scales.prices.price(plan.teacher_name), judge_price)
        self._asker = Asker(crew.teacher, spending, spend.requests, folder)
        self._judge = None if crew.judge is None else Judging(crew.judge, plan.config.trust, folder, spending)
        self._planner = planner_of(plan)
        self._before = ledger.example_ids(plan.id)
        there = self._requests_of_ledger() if plan.config.against_ledger else ()
        self._standing = Standing(crew.held_out, there, plan.config.duplicates)
        self._batches = Batches(
            plan,
            self._asker,
            self._planner,
            Shots(plan.seeds, plan.config.shots, plan.seed),
            standing=self._standing,
            judge=self._judge,
            before=self._before,
        )
        self._tally = Tally()
        self._idle = 0
        self.outcomes: list[OutcomeLine] = []

    async def run(self, on_wave: Callable[[Line], None]) -> tuple[str, str]:
        """Ask until there is no more to ask for; return how and why it ended."""
        planned = [one for one in read_requests(self._folder.path) if one.purpose == "items"]
        self._planner.replanned(planned)
        answered = [one for one in planned if self._folder.answers.get(one.id) is not None]
        if answered:
            await self._wave(answered, on_wave)
        if left := [one for one in planned if one not in answered]:
            if self._wanted() > 0:
                await self._wave(left, on_wave)
            else:
                self._settle([self._batches.unanswered(one) for one in left])
        following = 1 + max((int(one.id[1:]) for one in planned), default=-1)
        while (wanted := self._wanted()) > 0:
            if over := self._over():
                return over
            wave = self._planner.wave(following, wanted, self._tally.kept_by_tool)
            following += len(wave)
            await self._wave(wave, on_wave)
        return "finished", f"{self._tally.kept} examples are kept"

    def end(self, state: str, reason: str, seconds: float) -> End:
        """Return how it ended."""
        table = self._tally.table(self._config.stop.window, self._asker.failed)
        return End(
            state=state,
            reason=reason,
            ended_at=datetime.now(UTC),
            seconds=round(seconds, 2),
            yields=table.model_dump(mode="json"),
        )

    def counts(self) -> dict[str, int]:
        """Return the figures that the run's record keeps; cost in millionths."""
        total = self._tally.total
        outcomes = {name.replace(" ", "_"): n for name, n in total.outcomes.items()}
        whole = total.model_dump(
            include={
                "requested",
                "returned",
                "repaired",
                "requests",
                "retries",
                "judgements",
                "tokens_in",
                "tokens_out",
            }
        )
        return {"examples": total.kept, **whole, **outcomes, "cost_millionths": round(total.cost * 1e6)}

    def _wanted(self) -> int:
        lacks = sum(self._planner.missing(self._tally.kept_by_tool).values())
        return max(self._config.count - self._tally.kept, lacks if self._tally.kept >= self._config.count else 0)

    def _over(self) -> tuple[str, str] | None:
        """Return state and reason where no more is to be asked for, though more is wanted."""
        if self._asker.budget_spent:
            return "cut", str(self._asker.ended or "the budget is spent")
        if self._asker.ended is not None:
            return "ended", str(self._asker.ended)
        if reason := self._tally.stop_reason(self._config.stop):
            return "ended", reason
        if self._idle >= _IDLE_WAVES:
            return "ended", f"nothing was kept of the last {self._idle} waves of requests"
        return None

    async def _wave(self, requests: Sequence[Request], on_wave: Callable[[Line], None]) -> None:
        """Ask, and settle what was answered, also where this is cancelled."""
        kept = self._tally.kept
        tasks = [asyncio.create_task(self._batches.made(request)) for request in requests]
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            # What was answered is played and kept; nothing more is asked.
            self._asker.interrupt()
            await asyncio.wait(tasks)
            raise
        finally:
            whole = [task.result() for task in tasks if task.done() and not task.cancelled() and not task.exception()]
            self._settle(whole)
            self._idle = 0 if self._tally.kept > kept else self._idle + 1
        for task in tasks:
            task.result()
        on_wave(self._tally.total)

    def _settle(self, answered: Sequence[Answered]) -> None:
        """Count every item of a wave, and write those that are kept into the ledger."""
        kept: list[Kept] = []
        items = {
            self._id(one.request, number): (one, number, slot) for one in answered for number, slot in one.slots.items()
        }
        # What was kept by an earlier process stays kept: it goes first.
        for name, found in items.items():
            if name in self._before:
                kept += self._settle_one(*found)
        left = {name: found for name, found in items.items() if name not in self._before}
        fresh = {name: slot.item for name, (_, _, slot) in left.items() if slot.open and slot.item is not None}
        alike = self._standing.alike(fresh)
        for name, (one, number, slot) in left.items():
            if name in alike:
                slot.drop(*alike[name])
            kept += self._settle_one(one, number, slot)
        for one in answered:
            self._tally.unasked += one.unasked
            for paid in one.paid:
                self._tally.pay(paid)
        self._ledger.add_examples([one.example for one in kept])
        judge = None if self._judge is None else self._judge.name
        self._ledger.add_labels([label for one in kept for label in labels_of(one.example, one.judged, judge)])

    def _settle_one(self, one: Answered, number: int, slot: Slot) -> list[Kept]:
        """Count one item; return its example where it is kept."""
        request, name = one.request, self._id(one.request, number)
        novelty = self._standing.add(slot.item) if slot.open and slot.item is not None else None
        self._tally.settle(
            Settled(
                variant=request.variant,
                temperature=request.temperature,
                kind=(slot.item.kind if slot.item and slot.item.kind else slot.assignment.kind).value,
                outcome=slot.outcome,
                reason=slot.problem,
                repairs=slot.repairs,
                mended=slot.mended,
                tools=tuple(dict.fromkeys(call.name for call in slot.item.all_calls)) if slot.item else (),
                turns=1 + len(slot.item.then) if slot.item else slot.assignment.turns,
                novelty=novelty,
            )
        )
        self.outcomes.append(
            OutcomeLine(
                example_id=name,
                request=request.id,
                number=number,
                outcome=slot.outcome.value,
                reason=slot.problem,
                text=slot.text,
                repairs=slot.repairs,
            )
        )
        if not slot.open or slot.played is None:
            return []
        made = Made(
            name,
            self._plan.id,
            self._plan.teacher_name,
            request.variant,
            request.seed,
            one.metrics,
            self._plan.started_at,
        )
        return [Kept(example_of(slot.played, made, self._crew.scales, slot.judged), slot.judged)]

    def _id(self, request: Request, number: int) -> str:
        return example_id(self._plan.id, request.id, number)

    def _requests_of_ledger(self) -> Iterator[str]:
        wanted = ExampleFilter(task_key=self._config.task_key)
        for one in self._ledger.examples(wanted):
            if one.provenance.run_id != self._plan.id:
                yield "\n".join(message.content for message in one.messages if message.role == "user")
