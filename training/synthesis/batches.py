"""One request, from its answer to examples that could be kept: read, ask again, play, judge.

Decisions: what is known to be a duplicate is neither played nor asked an answer for. The final answer of an item whose
tools are executed here is asked for once they have returned, for all such items of the request together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import NamedTuple

from evaluation.clients.journal import Recorded
from evaluation.records import Metrics, Verdict
from evaluation.scenarios import ToolDef
from training.synthesis.asking import Asker
from training.synthesis.duplicates import Standing
from training.synthesis.encoding import ANSWERS_FORMAT, read_answers, read_items
from training.synthesis.folder import Plan
from training.synthesis.items import Item, item_mistakes
from training.synthesis.judging import Judging
from training.synthesis.making import answered, conversations_of, example_id, is_executed, play, scenario_of
from training.synthesis.planning import Planner, Request
from training.synthesis.reading import Slot, place, take
from training.synthesis.shots import Seed, Shots
from training.synthesis.yields import Outcome, Paid


class Answered(NamedTuple):
    """A request with all that came of it."""

    request: Request
    slots: dict[int, Slot]
    paid: list[Paid]
    metrics: Metrics
    """What one of its items took."""
    unasked: int


class Batches:
    """Makes items of requests, several at the same time."""

    def __init__(
        self, plan: Plan, asker: Asker, planner: Planner, shots: Shots, *, standing: Standing,
        judge: Judging | None, before: Collection[str],
    ) -> None:  # fmt: skip
        """`before`: ids of examples that an earlier process kept."""
        self._plan, self._config, self._asker, self._planner, self._shots = plan, plan.config, asker, planner, shots
        self._standing, self._judge, self._before = standing, judge, before
        self._tools = {tool.name: tool for tool in plan.tools}
        self._places = asyncio.Semaphore(plan.config.ask.concurrency)

    async def made(self, request: Request) -> Answered:
        """Return what comes of one request: its answer, those to its retries, and its items, played."""
        slots = {one.number: Slot(one) for one in request.assignments}
        answers: list[tuple[Request, Recorded]] = []
        request, answer = await self._ask(request)
        if answer is None:
            return self.unanswered(request)
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
        judgements = await self._judge_all(slots)
        return self._answered(request, slots, answers, judgements=judgements, unasked=unasked)

    def unanswered(self, request: Request) -> Answered:
        """Return a request of which nothing came."""
        slots = {one.number: Slot(one) for one in request.assignments}
        for slot in slots.values():
            slot.drop(Outcome.UNANSWERED, "its request got no answer")
        return Answered(request, slots, [], _NOTHING, 0)

    async def _ask(self, request: Request) -> tuple[Request, Recorded | None]:
        async with self._places:
            return await self._asker.ask(request, self._planner.in_blocks)

    def _read(self, request: Request, answer: Recorded, slots: dict[int, Slot]) -> int:
        """Put the items of an answer into their slots; return how many nobody had asked for."""
        placed, unasked = place(read_items(_text(answer), request.encoding), slots)
        offered = {name: self._tools[name] for name in request.tools}
        for slot, read in placed:
            seed = self._seed(slot)
            answered = self._config.ask.answers == "item" or not self._is_asked(read.item, offered)
            take(slot, read, offered, seed=seed, answered=answered and seed is None)
        return unasked

    def _is_asked(self, item: Item | None, offered: Mapping[str, ToolDef]) -> bool:
        """Whether the final answer is asked for in a request of its own."""
        if self._config.ask.answers == "ask":
            return True
        return item is not None and self._config.ask.answers == "auto" and is_executed(item, offered)

    def _drop_known(self, request: Request, slots: dict[int, Slot]) -> None:
        for number, slot in slots.items():
            if slot.item is None or example_id(self._plan.id, request.id, number) in self._before:
                continue
            if known := self._standing.known(slot.item):
                slot.drop(*known)

    async def _play(self, request: Request, slots: dict[int, Slot]) -> list[tuple[Request, Recorded]]:
        """Play the items that are open; return the answers to the request for final answers, where one was made."""
        offered = {name: self._tools[name] for name in request.tools}
        going = {number: slot for number, slot in slots.items() if slot.open}
        for number, slot in going.items():
            await self._play_one(request, number, slot, offered)
        asked = {n: slot for n, slot in going.items() if slot.open and self._is_asked(slot.item, offered)}
        if not asked:
            return []
        told: dict[str, str] = {}
        for number, slot in asked.items():
            if slot.item is not None and slot.played is not None:
                whole = conversations_of(slot.item, slot.played.episode)
                told |= {_place(number, at): text for at, text in enumerate(whole)}
        further, answer = await self._ask(self._planner.answers(request, told, ANSWERS_FORMAT))
        texts = read_answers(_text(answer)) if answer is not None else {}
        for number, slot in asked.items():
            if slot.item is None:
                continue
            found = [texts[place] for at in range(1 + len(slot.item.then)) if (place := _place(number, at)) in texts]
            if len(found) <= len(slot.item.then):
                outcome = Outcome.UNANSWERED if answer is None else Outcome.MALFORMED
                slot.drop(outcome, "the final answer was not written")
                continue
            slot.item = answered(slot.item, found)
            if wrong := item_mistakes(slot.item, answered=True):
                slot.drop(Outcome.MALFORMED, "; ".join(wrong))
                continue
            await self._play_one(request, number, slot, offered)
        return [] if answer is None else [(further, answer)]

    async def _play_one(self, request: Request, number: int, slot: Slot, offered: Mapping[str, ToolDef]) -> None:
        if slot.item is None:
            return
        seed = self._seed(slot)
        name = f"synthetic/{self._plan.id}/{request.id}/{number}"
        group = (seed.group or seed.id) if seed is not None else name
        scenario = scenario_of(slot.item, tuple(offered.values()), self._config, scenario_id=name, group=group)
        slot.played = await play(scenario, slot.item, self._config)
        if slot.played.problem:
            slot.drop(Outcome.INVALID, slot.played.problem)

    async def _judge_all(self, slots: dict[int, Slot]) -> list[Recorded]:
        """Have the items judged that are open; return the judge's answers. One that cannot be asked ends it all."""
        judge, calls = self._judge, list[Recorded]()
        for slot in slots.values():
            if judge is None or not slot.open or slot.played is None:
                continue
            if self._asker.interrupted:
                slot.drop(Outcome.UNANSWERED, "it was not judged")
                continue
            async with self._places:
                found = await judge.judged(slot.played)
            calls += found.calls
            slot.judged = found.said
            if found.said is None:
                slot.drop(Outcome.UNANSWERED, f"it could not be judged: {found.error}")
            elif found.said.verdict == Verdict.FAILED:
                slot.drop(Outcome.JUDGED_BAD, found.said.reason)
            if judge.ended is not None and self._asker.ended is None:
                self._asker.end(judge.ended)
        return calls

    def _answered(
        self, request: Request, slots: dict[int, Slot], answers: list[tuple[Request, Recorded]], *,
        judgements: list[Recorded], unasked: int,
    ) -> Answered:  # fmt: skip
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
        if self._judge is not None:
            paid += [self._paid_judge(request, call, self._judge) for call in judgements]
        latency = sum(answer.completion.latency_ms for _, answer in answers if answer.completion is not None)
        share = max(sum(slot.item is not None for slot in slots.values()), 1)
        metrics = Metrics(
            latency_ms=latency / share,
            tokens_in=sum(one.tokens_in for one in paid) // share,
            tokens_out=sum(one.tokens_out for one in paid) // share,
            cost=sum(one.cost for one in paid) / share,
            model_calls=len(answers),
        )
        return Answered(request, slots, paid, metrics, unasked)

    @staticmethod
    def _paid_judge(request: Request, call: Recorded, judge: Judging) -> Paid:
        one = call.completion
        tokens = (0, 0) if one is None else (one.tokens_in, one.tokens_out)
        return Paid(request.variant, request.temperature, retry=False, tokens_in=tokens[0], tokens_out=tokens[1],
                    cost=judge.cost(call), judge=True)  # fmt: skip

    def _seed(self, slot: Slot) -> Seed | None:
        name = slot.assignment.seed
        return None if name is None else self._shots.named((name,))[0]


_NOTHING = Metrics(latency_ms=0, tokens_in=0, tokens_out=0, cost=0, model_calls=0)


def _place(number: int, turn: int) -> str:
    """Return what an answer is known by: its item's number, and that of the further request, from 1."""
    return f"{number}.{turn}" if turn else f"{number}"


def _text(answer: Recorded) -> str:
    return answer.completion.message.content if answer.completion is not None else ""
