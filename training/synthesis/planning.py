"""Which requests come next: what each item has to be about, how the request is worded and at which temperature.

Decisions: each item of a request has a line of its own (kind, tools, topic), so that coverage is planned and not hoped
for: kinds take turns, and the tool that lacks most of what it has to reach is next, else the one that was asked for
least. Everything is drawn from the seed and the request's number. Requests are planned a wave at a time, on what the
waves before have come to; never more items than are still wanted.
Limits: a wave is waited for as a whole, so one slow answer holds up the next wave.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal

from evaluation.models import Sampling
from evaluation.records import Message, Record, ToolSpec
from evaluation.scenarios import Kind
from training.synthesis.config import Encoding, SynthesisConfig, Variation
from training.synthesis.encoding import all_written, format_of, written
from training.synthesis.items import ITEMS_SCHEMA
from training.synthesis.prompts import Variant
from training.synthesis.shots import Seed, Shots

_MOST_SHOWN = 6000
"""Characters of an unusable answer that the teacher is shown again."""


class Assignment(Record):
    """What one item has to be about."""

    number: int
    """Place in the request, from 1."""
    kind: Kind
    tools: tuple[str, ...] = ()
    topic: str = ""
    then: tuple[str, ...] = ()
    """Tools of the user's further requests, one each."""
    seed: str | None = None
    """The seed whose task is to be said in other words."""

    @property
    def turns(self) -> int:
        """Requests of its user."""
        return 1 + len(self.then)


class Request(Record):
    """One request to the teacher, as it was, or will be, sent."""

    id: str
    """`r00012`; `r00012.1` asks for what could not be used once more, `r00012.a` for the final answers."""
    purpose: Literal["items", "retry", "answers"] = "items"
    variant: str
    """The prompt variant, `name@digest`."""
    temperature: float
    seed: int
    encoding: Encoding
    assignments: tuple[Assignment, ...]
    shots: tuple[str, ...] = ()
    """Ids of the seeds that were shown."""
    tools: tuple[str, ...]
    """On offer, in this order."""
    messages: tuple[Message, ...]
    max_tokens: int

    def sampling(self) -> Sampling:
        """Return how the answer's tokens are drawn."""
        constrained = self.encoding == Encoding.JSON and self.purpose != "answers"
        schema = json.dumps(ITEMS_SCHEMA) if constrained else None
        return Sampling(self.temperature, self.max_tokens, self.seed, response_schema=schema)


class Planner:
    """Plans the requests of one synthesis."""

    def __init__(
        self, config: SynthesisConfig, tools: Sequence[ToolSpec], variants: Sequence[Variant], shots: Shots, *,
        seeds: Sequence[Seed], seed: int,
    ) -> None:  # fmt: skip
        self._config, self._variants, self._shots, self._seed = config, variants, shots, seed
        self._seeds = seeds
        self._tools = {tool.name: tool for tool in tools}
        self._asked = Counter[str]()
        self._kinds = Counter[Kind]()
        self._rephrased = Counter[str]()
        self._items = 0
        self.constrained = config.ask.encoding != Encoding.BLOCKS
        """Whether answers are still asked for as constrained JSON."""

    @property
    def expected(self) -> int:
        """Requests that it takes where everything is kept."""
        turns = sum(self._config.coverage.turns) / 2
        return math.ceil(self._config.count * turns / self._config.ask.batch)

    def missing(self, kept: Counter[str]) -> dict[str, int]:
        """Return how many examples each tool lacks, by what the coverage asks for; `kept`: examples by tool."""
        cover = self._config.coverage
        wanted = {name: max(cover.min_per_tool, cover.per_tool.get(name, 0)) for name in self._tools}
        return {name: n - kept[name] for name, n in wanted.items() if n > kept[name]}

    def wave(self, first: int, wanted: int, kept: Counter[str]) -> list[Request]:
        """Return the requests for `wanted` further items, numbered from `first`; `kept`: examples by tool."""
        batch, wave = self._config.ask.batch, self._wave_size()
        lacks = Counter(self.missing(kept))
        requests = []
        for number in range(first, first + wave):
            if wanted <= 0:
                break
            random = Random(f"{self._seed}/{number}")
            assignments: list[Assignment] = []
            while len(assignments) < wanted and sum(one.turns for one in assignments) < batch:
                assignments.append(self._assigned(len(assignments) + 1, lacks, random))
            requests.append(self._request(number, tuple(assignments), random))
            wanted -= len(assignments)
        return requests

    def replanned(self, requests: Sequence[Request]) -> None:
        """Take note of requests that an earlier process planned."""
        for one in (one for one in requests if one.purpose == "items"):
            for assignment in one.assignments:
                self._note(assignment)
                self._asked.update((*assignment.tools, *assignment.then))

    def retry(self, request: Request, attempt: int, answer: str, mistakes: dict[int, str]) -> Request:
        """Return the request for what could not be used in `answer`, each with what was wrong."""
        listed = "\n".join(f"{number}. {text}" for number, text in sorted(mistakes.items()))
        again = [one for one in request.assignments if one.number in mistakes]
        values = {"mistakes": listed, "format": format_of(request.encoding, goes_on=self._goes_on(again))}
        said = self._variant(request).said("retry", values)
        shown = Message(role="assistant", content=answer[:_MOST_SHOWN] or "(nothing)")
        return request.model_copy(
            update={
                "id": f"{request.id.split('.')[0]}.{attempt}",
                "purpose": "retry",
                "seed": request.seed + 7919 * attempt,
                "assignments": tuple(again),
                "messages": (*request.messages[:2], shown, Message(role="user", content=said)),
            }
        )

    def answers(self, request: Request, conversations: dict[str, str], form: str) -> Request:
        """Return the request for the answers of `conversations`, told as text by their items' numbers: `2` for the
        answer to the first request of item 2, `2.1` for that to the first one after it.
        """
        variant = self._variant(request)
        places = {number: tuple(map(int, number.split("."))) for number in conversations}
        told = "\n".join(f"{number}. {conversations[number]}" for number in sorted(places, key=places.__getitem__))
        items = {place[0] for place in places.values()}
        user = variant.said("answers", {"conversations": told, "format": form})
        return request.model_copy(
            update={
                "id": f"{request.id.split('.')[0]}.a",
                "purpose": "answers",
                "assignments": tuple(one for one in request.assignments if one.number in items),
                "messages": (request.messages[0], Message(role="user", content=user)),
            }
        )

    def in_blocks(self, request: Request) -> Request:
        """Return the request in the other encoding, for an endpoint that does not constrain what it writes."""
        self.constrained = False
        seeds = self._shots.named(request.shots)
        messages = self._messages(
            self._variant(request), request.assignments, request.tools, shown=seeds, encoding=Encoding.BLOCKS
        )
        return request.model_copy(update={"encoding": Encoding.BLOCKS, "messages": messages})

    def _wave_size(self) -> int:
        ask = self._config.ask
        return max(ask.concurrency, math.ceil(self._config.stop.window / ask.batch))

    def _assigned(self, number: int, lacks: Counter[str], random: Random) -> Assignment:
        style = self._config.variation == Variation.STYLE or (
            self._config.variation == Variation.MIXED and self._items % 2 == 1
        )
        found = self._rephrasing(number, random) if style else self._new(number, lacks, random)
        self._note(found)
        return found

    def _rephrasing(self, number: int, random: Random) -> Assignment:
        shuffled = random.sample(list(self._seeds), len(self._seeds))
        chosen = min(shuffled, key=lambda one: self._rephrased[one.id])
        names = tuple(dict.fromkeys(call.name for call in chosen.item.all_calls))
        return Assignment(number=number, kind=chosen.item.kind or Kind.ONE_CALL, tools=names, seed=chosen.id)

    def _new(self, number: int, lacks: Counter[str], random: Random) -> Assignment:
        kinds, topics = self._config.coverage.kinds, self._config.coverage.topics
        kind = min(kinds, key=lambda one: (self._kinds[one], kinds.index(one)))
        topic = topics[self._items % len(topics)] if topics else ""
        names: tuple[str, ...] = ()
        if kind != Kind.NO_TOOL:
            names = tuple(self._next_tool(lacks, random) for _ in range(2 if kind == Kind.PARALLEL else 1))
        least, most = self._config.coverage.turns
        further = (least if least == most else random.randint(least, most)) - 1
        then = tuple(self._next_tool(lacks, random) for _ in range(further))
        return Assignment(number=number, kind=kind, tools=tuple(dict.fromkeys(names)), topic=topic, then=then)

    def _next_tool(self, lacks: Counter[str], random: Random) -> str:
        shuffled = random.sample(list(self._tools), len(self._tools))
        name = min(shuffled, key=lambda one: (-max(lacks[one], 0), self._asked[one]))
        lacks[name] -= 1
        self._asked[name] += 1
        return name

    def _note(self, assignment: Assignment) -> None:
        self._items += 1
        self._kinds[assignment.kind] += 1
        if assignment.seed is not None:
            self._rephrased[assignment.seed] += 1

    def _request(self, number: int, assignments: tuple[Assignment, ...], random: Random) -> Request:
        variant = self._variants[number % len(self._variants)]
        encoding = Encoding.JSON if self.constrained else Encoding.BLOCKS
        shown = self._shots.of(number)
        tools = self._offered(assignments, random)
        return Request(
            id=f"r{number:05d}",
            variant=variant.ref,
            temperature=self._config.temperature.at(number, self.expected),
            seed=self._seed * 1_000_003 % 2**31 + number,
            encoding=encoding,
            assignments=assignments,
            shots=tuple(one.id for one in shown),
            tools=tools,
            messages=self._messages(variant, assignments, tools, shown=shown, encoding=encoding),
            max_tokens=self._config.ask.max_tokens,
        )

    def _offered(self, assignments: Sequence[Assignment], random: Random) -> tuple[str, ...]:
        asked = dict.fromkeys(name for one in assignments for name in (*one.tools, *one.then))
        needed = [name for name in asked if name in self._tools]
        others = [name for name in self._tools if name not in needed]
        more = random.sample(others, max(0, min(self._config.ask.tools_shown - len(needed), len(others))))
        return tuple(random.sample([*needed, *more], len(needed) + len(more)))

    def _messages(
        self, variant: Variant, assignments: Sequence[Assignment], tools: Sequence[str], *, shown: Sequence[Seed],
        encoding: Encoding,
    ) -> tuple[Message, ...]:  # fmt: skip
        # A batch of both kinds is worded as new tasks; its lines say which tasks are to be said in other words.
        section = "style" if all(one.seed is not None for one in assignments) else "new"
        values = {
            "tools": "\n".join(json.dumps(self._tools[name].model_dump(), ensure_ascii=False) for name in tools),
            "examples": _examples(shown, encoding),
            "assignments": "\n".join(self._lines(assignments)),
            "format": format_of(encoding, goes_on=self._goes_on(assignments)),
            "count": str(len(assignments)),
        }
        system = Message(role="system", content=variant.said("system", {}))
        return (system, Message(role="user", content=variant.said(section, values)))

    def _lines(self, assignments: Sequence[Assignment]) -> Iterator[str]:
        for one in assignments:
            line = f"{one.number}. kind: {one.kind}"
            line += f"; tool: {', '.join(one.tools)}" if one.tools and one.seed is None else ""
            line += f"; then: {', '.join(one.then)}" if one.then else ""
            line += f"; topic: {one.topic}" if one.topic else ""
            if one.seed is not None:
                (seed,) = self._shots.named((one.seed,))
                task = seed.item.model_dump(mode="json", include={"user", "question", "reply", "calls", "then"})
                told = {key: value for key, value in task.items() if value}
                line += f"; say this task in other words: {json.dumps(told, ensure_ascii=False)}"
            yield line

    def _goes_on(self, assignments: Sequence[Assignment]) -> bool:
        """Whether the user of an item makes further requests."""
        seeds = self._shots.named([one.seed for one in assignments if one.seed is not None])
        return any(one.then for one in assignments) or any(seed.item.then for seed in seeds)

    def _variant(self, request: Request) -> Variant:
        return next((one for one in self._variants if one.ref == request.variant), self._variants[0])


def _examples(shown: Sequence[Seed], encoding: Encoding) -> str:
    if not shown:
        return ""
    items = [written(seed.item, at, encoding) for at, seed in enumerate(shown, 1)]
    return f"Examples of the form (their tools may be others):\n{all_written(items, encoding)}\n"
