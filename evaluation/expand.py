"""From templates to scenarios: divide, draw, fill, offer, shuffle.

Decisions: `split_seed` divides slot values and phrasings (each text that one stands for apart) over the parts, `seed`
draws within them, each intent and part from its own random stream, so that the same seeds give the same scenarios byte
for byte. Expected calls are really executed here, so that answers state what the tools return. A message occurs once in
a part; where an intent has no further values it may recur, up to three times more, with other tools on offer; then its
share goes to other intents. Ids end in a digest of the content: the same id is the same scenario, whatever the seed.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from evaluation.alternatives import alternatives
from evaluation.dialogues import as_told, dialogue_fields
from evaluation.expectations import expected_of, strategy_of
from evaluation.filling import fill, fill_value, result_values
from evaluation.located import SuiteError
from evaluation.pools import Values, share_of
from evaluation.records import Message, ToolCall, stable_id
from evaluation.scenarios import Fault, Kind, Part, Scenario, ToolDef
from evaluation.splits import Suite, normalised
from evaluation.template_checks import read_template
from evaluation.templates import (
    SUITES,
    CallTemplate,
    DialogueTemplate,
    Domain,
    Intent,
    Template,
    as_intent,
    slots_of,
)
from evaluation.toolboxes import Asked, Sizes, Want, shared_lists
from evaluation.tools.execute import ToolBox

MESSAGE_REPEATS = 4
"""Most scenarios of one part with the same message."""

GENERAL = "general"
"""Stands for the domain of what no tool of any domain can do."""


def expand(
    suite: str | Path, seed: int, split_seed: int | None = None, counts: Mapping[Part, int | None] | None = None
) -> Suite:
    """Return the scenarios of a built-in suite (by name) or of a folder of templates.

    `split_seed` is `seed` where it is None. `counts` replaces the suite's own numbers, where it has one.
    Raises `SuiteError` for mistakes in the templates and where they hold fewer different scenarios than asked for.
    """
    template = read_template(_folder(suite))
    divided = split_seed if split_seed is not None else seed
    wanted = _wanted(template, counts)
    expander = _Expander(template, seed, divided)
    scenarios = [s for part in Part if wanted.get(part, 0) > 0 for s in expander.part(part, wanted[part])]
    return Suite(name=template.head.name, seed=seed, split_seed=divided, scenarios=tuple(scenarios))


def intent_of(scenario: Scenario) -> str:
    """Return the name of the intent that a scenario was drawn from."""
    return scenario.group.partition("#")[0]


def draw_further(
    suite: str | Path,
    seed: int,
    split_seed: int | None = None,
    counts: Mapping[Part, int | None] | None = None,
    *,
    part: Part,
    wanted: Mapping[str, int],
    together: int = 1,
) -> list[Scenario]:
    """Return up to `wanted` more scenarios of each intent, of one part and with its phrasings and values.

    Up to `together` of them share their list of tools, whatever their intents are. None of them is among those that
    `expand` returns for the same arguments. An intent that has no further ones gives fewer; an unknown one gives none.
    Raises `SuiteError` as `expand` does.
    """
    template = read_template(_folder(suite))
    expander = _Expander(template, seed, split_seed if split_seed is not None else seed)
    return expander.further(part, _wanted(template, counts).get(part, 0), wanted, together)


def _wanted(template: Template, counts: Mapping[Part, int | None] | None) -> dict[Part, int]:
    return {**template.head.counts, **{part: n for part, n in (counts or {}).items() if n is not None}}


def _folder(suite: str | Path) -> Path:
    return SUITES / suite if isinstance(suite, str) and (SUITES / suite).is_dir() else Path(suite)


@dataclass
class _Source:
    """One intent in one part, and what was drawn of it."""

    domain: Domain | None
    intent: Intent
    part: Part
    phrasings: list[tuple[str, str]]
    """Those that belong to the part, each with its name in the intent; drawn in this order."""
    random: Random
    messages: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    drawn: int = 0
    turn: int = 0
    """Which phrasing is next."""
    exhausted: bool = False

    @property
    def name(self) -> str:
        return f"{self.domain.domain if self.domain else GENERAL}.{self.intent.id}"


class _Draft(NamedTuple):
    """A scenario that was drawn and not yet executed."""

    source: _Source
    number: int
    """How many were drawn of the intent before it, and it."""
    phrasing: str
    message: str
    values: dict[str, Any]
    tools: list[str]
    dialogue: DialogueTemplate | None = None
    """With one of each text's alternatives."""


class _Expander:
    """Expands one template for one pair of seeds."""

    def __init__(self, template: Template, seed: int, split_seed: int) -> None:
        self._template = template
        self._seed = seed
        self._split_seed = split_seed
        self._values = Values(template.pools, split_seed)
        self._tools = template.tools
        self._defs = {
            name: ToolDef.model_validate(tool.model_dump(include=set(ToolDef.model_fields)))
            for name, (_, tool) in self._tools.items()
        }
        self._twins = template.twins

    def part(self, part: Part, count: int) -> list[Scenario]:
        """Return `count` scenarios of `part`. Raises `SuiteError` where there are not so many."""
        drafts = self._drawn([source for source in self._sources(part) if source.phrasings], part, count)
        scenarios = [self._scenario(draft) for draft in drafts]
        Random(stable_id("order", self._seed, part.value)).shuffle(scenarios)
        return scenarios

    def further(self, part: Part, count: int, wanted: Mapping[str, int], together: int) -> list[Scenario]:
        """Return scenarios that are not among the `count` of `part`: up to `wanted` of each intent."""
        sources = [source for source in self._sources(part) if source.phrasings]
        self._drawn(sources, part, count)
        drafts = [draft for source in sources for draft in self._draw(source, wanted.get(source.name, 0))]
        if together > 1:
            drafts = self._sharing(drafts, part, together)
        return [self._scenario(draft) for draft in drafts]

    def _sharing(self, drafts: Sequence[_Draft], part: Part, together: int) -> list[_Draft]:
        """Return `drafts` with other tools on offer: up to `together` of them share a list."""
        random = Random(stable_id("together", self._seed, part.value))
        mixed = random.sample(drafts, len(drafts))
        asked = [Asked(self._want(draft.source), normalised(draft.message)) for draft in mixed]
        lists = shared_lists(asked, Sizes(*self._template.head.offered, together), random)
        return [draft._replace(tools=list(tools)) for draft, tools in zip(mixed, lists, strict=True)]

    def _drawn(self, sources: Sequence[_Source], part: Part, count: int) -> list[_Draft]:
        drafts: list[_Draft] = []
        while len(drafts) < count:
            live = [source for source in sources if not source.exhausted]
            if not live:
                name = self._template.head.name
                wanted = f"suite {name}: expected {count} different scenarios for part {part.value}"
                advice = f"lower counts.{part.value}, or add slot values or phrasings"
                raise SuiteError([f"{wanted}, found {len(drafts)}; {advice}"])
            for source, quota in _quotas(live, count - len(drafts)):
                drafts += self._draw(source, quota)
        return drafts

    def _sources(self, part: Part) -> Iterator[_Source]:
        for index, entry in enumerate(self._template.head.no_tool):
            yield self._source(None, as_intent(entry, index), part)
        for domain in self._template.domains:
            for intent in domain.intents:
                yield self._source(domain, intent, part)

    def _source(self, domain: Domain | None, intent: Intent, part: Part) -> _Source:
        name = f"{domain.domain if domain else GENERAL}.{intent.id}"
        phrasings = _expanded(intent)
        if self._held_out_only(intent):
            phrasings = phrasings if part == Part.HELD_OUT else []
        else:
            phrasings = share_of(part, phrasings, Random(stable_id("phrasings", self._split_seed, name)))
        phrasings = _in_turn(phrasings, Random(stable_id("turns", self._seed, name, part.value)))
        return _Source(domain, intent, part, phrasings, Random(stable_id("draw", self._seed, name, part.value)))

    def _held_out_only(self, intent: Intent) -> bool:
        return any(self._tools[name][1].held_out_only for name in _right_tools(intent))

    def _draw(self, source: _Source, count: int) -> list[_Draft]:
        """Return up to `count` new scenarios of one intent; fewer mark it as exhausted."""
        out: list[_Draft] = []
        tries = 0
        while len(out) < count and tries < 20 + 10 * count:
            tries += 1
            name, phrasing = source.phrasings[source.turn % len(source.phrasings)]
            source.turn += 1
            # Repeated messages only once new values have become hard to draw.
            allowed = 1 if tries < 10 + 5 * count else MESSAGE_REPEATS
            values = self._slot_values(source, phrasing)
            message = fill(phrasing, values)
            if source.messages[normalised(message)] >= allowed:
                continue
            tools = self._offer(source)
            dialogue = as_told(source.intent, source.part, source.random, self._split_seed)
            key = stable_id(message, sorted(tools), *([values] if dialogue else []))
            if key in source.seen:
                continue
            source.seen.add(key)
            source.messages[normalised(message)] += 1
            source.drawn += 1
            out.append(_Draft(source, source.drawn, name, message, values, tools, dialogue))
        source.exhausted = len(out) < count
        return out

    def _slot_values(self, source: _Source, phrasing: str) -> dict[str, Any]:
        dialogue = source.intent.dialogue
        slots = slots_of(phrasing) | (slots_of(dialogue.model_dump()) if dialogue else set())
        return {name: self._values.draw(name, source.part, source.random) for name in sorted(slots)}

    def _want(self, source: _Source) -> Want:
        """Return what an intent asks of the tools on offer."""
        intent = source.intent
        if intent.dialogue is not None and source.domain is not None:
            every = frozenset(tool.name for tool in source.domain.tools)
            return Want(every, frozenset(), every)
        right = frozenset(_right_tools(intent))
        twins = frozenset().union(*(self._twins[name] for name in right)) - right
        usable = frozenset(
            name for name, (_, tool) in self._tools.items() if source.part == Part.HELD_OUT or not tool.held_out_only
        )
        near = intent.kind == Kind.NEAR_TWIN
        # A domain's own `no_tool` intent is only known to fit none of that domain's tools.
        if intent.kind == Kind.NO_TOOL and source.domain is not None:
            usable = frozenset(name for name in usable if self._tools[name][0] == source.domain.domain)
        needs = right | (twins & usable if near else frozenset())
        return Want(needs, frozenset() if near else twins, usable | right)

    def _offer(self, source: _Source) -> list[str]:
        """Return the names of the tools on offer: the right ones, their twins where asked for, and distractors."""
        want, random = self._want(source), source.random
        right = list(dict.fromkeys(_right_tools(source.intent)))
        offered = [*right, *sorted(want.needs - {*right})]
        others = sorted(want.within - want.bars - want.needs)
        size = random.randint(*self._template.head.offered)
        offered += random.sample(others, max(0, min(size - len(offered), len(others))))
        random.shuffle(offered)
        return offered

    def _scenario(self, draft: _Draft) -> Scenario:
        source, message, tools = draft.source, draft.message, draft.tools
        intent = source.intent
        fields: dict[str, Any] = {
            "group": f"{source.name}#{draft.phrasing}",
            "part": source.part,
            "kind": intent.kind,
            "messages": (
                Message(role="system", content=self._template.head.system),
                Message(role="user", content=message),
            ),
            "tools": tuple(self._defs[name] for name in tools),
            "tags": self._tags(source),
        }
        if draft.dialogue is not None and source.domain is not None:
            offered = [self._defs[name] for name in tools]
            fields |= dialogue_fields(
                source.name, intent, source.domain, told=draft.dialogue, tools=offered, values=draft.values
            )
        else:
            calls, results = self._execute(source, draft.values)
            fields["world"] = source.domain.world if source.domain else {}
            fields["faults"] = {intent.calls[0].tool: _fault(intent, draft.values)} if intent.fault else {}
            fields["expected"] = expected_of(source.name, intent, calls, {**result_values(results), **draft.values})
        digest = stable_id(message, tools, *([draft.values] if draft.dialogue else []))[:6]
        return Scenario(
            id=f"{self._template.head.name}/{source.name}/{source.part.value}/{draft.number:03d}-{digest}", **fields
        )

    def _execute(self, source: _Source, values: Mapping[str, Any]) -> tuple[list[ToolCall], list[Any]]:
        """Return the expected calls, filled, and their results (an empty one of a call that fails for good)."""
        intent = source.intent
        box = ToolBox(list(self._defs.values()), source.domain.world if source.domain else {})
        calls: list[ToolCall] = []
        results: list[Any] = []
        for template in intent.expects:
            call = _filled(template, {**result_values(results), **values})
            outcome = box.call_now(call)
            if outcome.failure is not None:
                raise SuiteError(
                    [f"{source.name}: expected {call.name}({call.arguments}) to work, found: {outcome.message}"]
                )
            calls.append(call)
            results.append({} if intent.lasting and len(calls) == 1 else json.loads(outcome.content))
        return calls, results

    def _tags(self, source: _Source) -> tuple[str, ...]:
        right = list(dict.fromkeys(_right_tools(source.intent)))
        held_out = ["held_out_tool"] if self._held_out_only(source.intent) else []
        domain = source.domain.domain if source.domain else GENERAL
        error, strategy = source.intent.error, strategy_of(source.intent)
        met = [f"error:{error.value}", *([f"strategy:{strategy.value}"] if strategy else [])] if error else []
        return (
            domain,
            source.intent.kind.value,
            *(f"tool:{name}" for name in right),
            *met,
            *source.intent.tags,
            *held_out,
        )


def _expanded(intent: Intent) -> list[tuple[str, str]]:
    """Return every text that the intent's phrasings stand for, named `3` or, where it is one of several, `3.12`."""
    out: list[tuple[str, str]] = []
    for index, phrasing in enumerate(intent.phrasings):
        texts = alternatives(phrasing)
        out += [(f"{index}.{at}" if len(texts) > 1 else f"{index}", text) for at, text in enumerate(texts)]
    return out


def _in_turn(phrasings: Sequence[tuple[str, str]], random: Random) -> list[tuple[str, str]]:
    """Return `phrasings` in random order, one of each written phrasing before a second of any."""
    by_phrasing: dict[str, list[tuple[str, str]]] = {}
    for name, text in random.sample(phrasings, len(phrasings)):
        by_phrasing.setdefault(name.split(".")[0], []).append((name, text))
    rounds = itertools.zip_longest(*by_phrasing.values())
    return [phrasing for turn in rounds for phrasing in turn if phrasing is not None]


def _quotas(sources: list[_Source], count: int) -> list[tuple[_Source, int]]:
    """Divide `count` over `sources` by weight; the largest remainders get one more."""
    total = sum(source.intent.weight for source in sources)
    exact = [(source, count * source.intent.weight / total) for source in sources]
    left = count - sum(int(share) for _, share in exact)
    extra = {
        s.name for s, _ in sorted(exact, key=lambda pair: (int(pair[1]) - pair[1], stable_id(pair[0].name)))[:left]
    }
    return [(source, n) for source, share in exact if (n := int(share) + (source.name in extra))]


def _right_tools(intent: Intent) -> tuple[str, ...]:
    told = intent.dialogue.calls if intent.dialogue else ()
    return (*(call.tool for call in (*intent.calls, *told)), *intent.offer)


def _fault(intent: Intent, values: Mapping[str, Any]) -> Fault | None:
    fault = intent.fault
    return fault.model_copy(update={"message": fill(fault.message, values)}) if fault else None


def _filled(template: CallTemplate, values: Mapping[str, Any]) -> ToolCall:
    return ToolCall(id="expected", name=template.tool, arguments=fill_value(template.arguments, values))
