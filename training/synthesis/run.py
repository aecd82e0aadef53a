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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from evaluation.clients.journal import Recorded
from evaluation.clients.replay import Recording
from evaluation.examples import Scales
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.records import RunRecord, Status
from evaluation.models import ModelClient
from evaluation.records import Example, Metrics, Verdict
from evaluation.scenarios import Part, Scenario, ToolDef
from evaluation.validators.rubric import Rubric, judged_by_model
from training.guard import HeldOut
from training.synthesis.asking import Asker
from training.synthesis.config import Encoding
from training.synthesis.duplicates import Known
from training.synthesis.encoding import ANSWERS_FORMAT, read_answers, read_items
from training.synthesis.folder import End, Folder, OutcomeLine, Plan, read_requests
from training.synthesis.making import Made, conversation_of, example_id, example_of, is_executed, play, scenario_of
from training.synthesis.planning import Planner, Request
from training.synthesis.reading import Slot, place, take
from training.synthesis.shots import Shots
from training.synthesis.yields import Line, Outcome, Paid, Settled, Tally

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
    scales: Scales = field(default_factory=Scales)
    held_out: Sequence[Scenario] = ()
    """Scenarios of the held-out part, among any others."""


class Answered(NamedTuple):
    """A request with all that came of it."""

    request: Request
    slots: dict[int, Slot]
    paid: list[Paid]
    metrics: Metrics
    """What one of its items took."""
    unasked: int


def synthesise(
    plan: Plan, folder: Folder, crew: Crew, ledger: Ledger, on_wave: Callable[[Line], None] = lambda _: None
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
        self._asker = Asker(crew.teacher, crew.scales.prices.price(plan.teacher_name), plan.config.spend, folder)
        self._judge = None if crew.judge is None else Recording(crew.judge, folder.judgements)
        self._shots = Shots(plan.seeds, plan.config.shots, plan.seed)
        self._tools = {tool.name: tool for tool in plan.tools}
        specs = [tool.spec() for tool in plan.tools]
        self._planner = Planner(plan.config, specs, plan.variants, self._shots, seeds=plan.seeds, seed=plan.seed)
        self._places = asyncio.Semaphore(plan.config.ask.concurrency)
        self._guard = HeldOut.of(crew.held_out)
        self._held_out = Known(one.query for one in crew.held_out if one.part == Part.HELD_OUT)
        self._before = ledger.example_ids(plan.id)
        self._known = Known(self._requests_of_ledger() if plan.config.against_ledger else ())
        self._tally = Tally()
        self._idle = 0
        self.outcomes: list[OutcomeLine] = []

    async def run(self, on_wave: Callable[[Line], None]) -> tuple[str, str]:
        """Ask until there is no more to ask for; return how and why it ended."""
        planned = [one for one in read_requests(self._folder.path) if one.purpose == "items"]
        self._planner.replanned(planned)
        if planned:
            await self._wave(planned, on_wave)
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
        whole = total.model_dump(include={"requested", "returned", "repaired", "requests", "retries", "tokens_in", "tokens_out"})
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
        tasks = [asyncio.create_task(self._one(request)) for request in requests]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        finally:
            whole = [task.result() for task in tasks if task.done() and not task.cancelled() and not task.exception()]
            self._settle(whole)
            self._idle = 0 if self._tally.kept > kept else self._idle + 1
        on_wave(self._tally.total)

    async def _one(self, request: Request) -> Answered:
        """Return what comes of one request: its answer, those to its retries, and its items, played."""
        slots = {one.number: Slot(one) for one in request.assignments}
        answers: list[tuple[Request, Recorded]] = []
        request, answer = await self._ask(request)
        if answer is None:
            for slot in slots.values():
                slot.drop(Outcome.UNANSWERED, "its request got no answer")
            return Answered(request, slots, [], _NOTHING, 0)
        answers.append((request, answer))
        unasked = self._read(request, answer, slots)
        for attempt in range(1, self._config.ask.retries + 1):
            wrong = {number: slot.problem for number, slot in slots.items() if slot.item is None}
            if not wrong:
                break
            retry = self._planner.retry(request, attempt, _text(answer), wrong)
            retry, again = await self._ask(retry)
            if again is None:
                break
            answers.append((retry, again))
            left = {number: slots[number] for number in wrong}
            unasked += self._read(retry, again, left)
            for slot in left.values():
                slot.mended = slot.item is not None
            answer = again
        self._drop_known(request, slots)
        further = await self._play(request, slots)
        answers += further
        await self._judge_all(slots)
        return self._answered(request, slots, answers, unasked)

    async def _ask(self, request: Request) -> tuple[Request, Recorded | None]:
        async with self._places:
            return await self._asker.ask(request, self._planner.in_blocks)

    def _read(self, request: Request, answer: Recorded, slots: dict[int, Slot]) -> int:
        """Put the items of an answer into their slots; return how many nobody had asked for."""
        placed, unasked = place(read_items(_text(answer), request.encoding), slots)
        offered = {name: self._tools[name] for name in request.tools}
        for slot, read in placed:
            seed = self._shots.named((slot.assignment.seed,))[0] if slot.assignment.seed is not None else None
            answered = self._config.ask.answers == "item" or not self._is_asked(read.item, offered)
            take(slot, read, offered, seed=seed, answered=answered and seed is None)
        return unasked

    def _is_asked(self, item: object, offered: Mapping[str, ToolDef]) -> bool:
        """Whether the final answer is asked for in a request of its own."""
        from training.synthesis.items import Item

        if self._config.ask.answers == "ask":
            return True
        return isinstance(item, Item) and self._config.ask.answers == "auto" and is_executed(item, offered)

    def _drop_known(self, request: Request, slots: dict[int, Slot]) -> None:
        for number, slot in slots.items():
            if slot.item is not None and self._id(request, number) not in self._before:
                if known := self._alike(slot):
                    slot.drop(*known)

    def _alike(self, slot: Slot) -> tuple[Outcome, str] | None:
        """Return what an item is like that is there already."""
        if slot.item is None:
            return None
        said = (slot.item.user, slot.item.reply) if slot.item.reply else (slot.item.user,)
        if how := self._guard.overlap(None, None, said):
            return Outcome.HELD_OUT, how
        if self._held_out.like(slot.item.user):
            return Outcome.HELD_OUT, "nearly a held-out request"
        like = self._known.like(slot.item.user)
        return (_LIKE[like], "like an earlier request") if like else None

    async def _play(self, request: Request, slots: dict[int, Slot]) -> list[tuple[Request, Recorded]]:
        """Play the items that are open; return the answers to the request for final answers, where one was made."""
        offered = {name: self._tools[name] for name in request.tools}
        going = {number: slot for number, slot in slots.items() if slot.open}
        for number, slot in going.items():
            await self._play_one(request, number, slot, offered)
        asked = {n: slot for n, slot in going.items() if slot.open and self._is_asked(slot.item, offered)}
        if not asked:
            return []
        told = {n: conversation_of(slot.played.episode) for n, slot in asked.items() if slot.played is not None}
        further, answer = await self._ask(self._planner.answers(request, told, ANSWERS_FORMAT))
        texts = read_answers(_text(answer)) if answer is not None else {}
        for number, slot in asked.items():
            text = texts.get(number)
            if text is None or slot.item is None:
                outcome = Outcome.UNANSWERED if answer is None else Outcome.MALFORMED
                slot.drop(outcome, "the final answer was not written")
                continue
            slot.item = slot.item.model_copy(update={"answer": text})
            await self._play_one(request, number, slot, offered)
        return [] if answer is None else [(further, answer)]

    async def _play_one(self, request: Request, number: int, slot: Slot, offered: Mapping[str, ToolDef]) -> None:
        if slot.item is None:
            return
        seed = self._shots.named((slot.assignment.seed,))[0] if slot.assignment.seed is not None else None
        name = f"synthetic/{self._plan.id}/{request.id}/{number}"
        group = (seed.group or seed.id) if seed is not None else name
        scenario = scenario_of(slot.item, tuple(offered.values()), self._config, scenario_id=name, group=group)
        slot.played = await play(scenario, slot.item, self._config)
        if slot.played.problem:
            slot.drop(Outcome.INVALID, slot.played.problem)

    async def _judge_all(self, slots: dict[int, Slot]) -> None:
        if self._judge is None:
            return
        rubric = Rubric(criterion=self._config.trust.rubric, trust=self._config.trust.judge)
        for slot in slots.values():
            if slot.open and slot.played is not None:
                async with self._places:
                    slot.judged = await judged_by_model(rubric, slot.played.scenario, slot.played.episode, self._judge)
                if slot.judged.verdict == Verdict.FAILED:
                    slot.drop(Outcome.JUDGED_BAD, slot.judged.reason)

    def _answered(
        self, request: Request, slots: dict[int, Slot], answers: list[tuple[Request, Recorded]], unasked: int
    ) -> Answered:
        paid = [
            Paid(
                variant=one.variant,
                temperature=one.temperature,
                retry=one.purpose == "retry",
                tokens_in=answer.completion.tokens_in,
                tokens_out=answer.completion.tokens_out,
                cost=self._asker.cost(answer),
            )
            for one, answer in answers
            if answer.completion is not None
        ]
        latency = sum(answer.completion.latency_ms for _, answer in answers if answer.completion is not None)
        share = max(sum(slot.item is not None for slot in slots.values()), 1)
        metrics = Metrics(
            latency_ms=latency / share,
            tokens_in=sum(one.tokens_in for one in paid) // share,
            tokens_out=sum(one.tokens_out for one in paid) // share,
            cost=sum(one.cost for one in paid) / share,
            model_calls=len(paid),
            price_version=self._crew.scales.prices.version,
        )
        return Answered(request, slots, paid, metrics, unasked)

    def _settle(self, answered: Sequence[Answered]) -> None:
        """Count every item of a wave, and write those that are kept into the ledger."""
        examples: list[Example] = []
        # What was kept by an earlier process stays kept: it goes first.
        for earlier in (True, False):
            for one in answered:
                for number, slot in one.slots.items():
                    if (self._id(one.request, number) in self._before) is earlier:
                        examples += self._settle_one(one, number, slot)
        for one in answered:
            self._tally.unasked += one.unasked
            for paid in one.paid:
                self._tally.pay(paid)
        self._ledger.add_examples(examples)

    def _settle_one(self, one: Answered, number: int, slot: Slot) -> list[Example]:
        """Count one item; return its example where it is kept."""
        request, name = one.request, self._id(one.request, number)
        if slot.open and name not in self._before and (known := self._alike(slot)):
            slot.drop(*known)
        novelty = None
        if slot.open and slot.item is not None:
            novelty = self._known.novelty(slot.item.user)
            self._known.add(slot.item.user)
        self._tally.settle(
            Settled(
                variant=request.variant,
                temperature=request.temperature,
                kind=(slot.item.kind if slot.item and slot.item.kind else slot.assignment.kind).value,
                outcome=slot.outcome,
                reason=slot.problem,
                repairs=slot.repairs,
                mended=slot.mended,
                tools=tuple(dict.fromkeys(call.name for call in slot.item.calls)) if slot.item else (),
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
        made = Made(name, self._plan.id, self._plan.teacher_name, request.variant, request.seed, one.metrics, self._plan.started_at)
        return [example_of(slot.played, made, self._crew.scales, slot.judged)]

    def _id(self, request: Request, number: int) -> str:
        return example_id(self._plan.id, request.id, number)

    def _requests_of_ledger(self) -> Iterable[str]:
        wanted = ExampleFilter(task_key=self._config.task_key)
        return (one.query for one in self._ledger.examples(wanted) if one.provenance.run_id != self._plan.id)


_LIKE = {"exact": Outcome.EXACT, "near": Outcome.NEAR, "semantic": Outcome.SEMANTIC}
_NOTHING = Metrics(latency_ms=0, tokens_in=0, tokens_out=0, cost=0, model_calls=0)


def _text(answer: Recorded) -> str:
    return answer.completion.message.content if answer.completion is not None else ""
