"""The kinds of scenarios that are generated, each from a tool, its arguments and the others on offer.

Decisions: nothing is asked for that two of the tools on offer could do. Where an argument is missing it is a required
one that has no default. A failing tool says in its message whether trying again can help. What a chained call needs
is known: the first tool's result is recorded in the world.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from evaluation.generate import chains, phrasing
from evaluation.generate.actions import action_of
from evaluation.generate.draft import Arguments, Draft, Drawer, Unfit, expected_call, properties_of, required_of
from evaluation.generate.names import words
from evaluation.generate.parts import divided
from evaluation.generate.placing import counted, name_of
from evaluation.generate.similar import TOO_LIKE, Neighbours, content_words, edited_copies
from evaluation.generate.sources import SourceTool
from evaluation.generate.texts import BANK, JOINS, MORE, PERMANENT, TRANSIENT, Asked
from evaluation.generate.values import Hint, NoValue, draw
from evaluation.records import RecoveryStrategy, ToolCall
from evaluation.scenarios import Expected, ExpectedAnswer, Fault, Kind, Part, ToolDef

KINDS = (
    Kind.ONE_CALL, Kind.NEAR_TWIN, Kind.NO_TOOL, Kind.MISSING_ARGUMENT, Kind.PARALLEL, Kind.CHAIN, Kind.TOOL_ERROR,
)  # fmt: skip
"""What can be generated, in the order in which they take turns."""

_UNRELATED = 0.08
"""Below this share of common words, one tool cannot do what another one does."""


@dataclass(frozen=True)
class Turn:
    """What one scenario is made of."""

    at: int
    """The tool's place in the list."""
    part: Part
    random: Random


class Maker:
    """Makes drafts of all kinds from one list of tools."""

    def __init__(self, sources: Sequence[SourceTool], split_seed: int) -> None:
        self._sources = sources
        self._tools = [source.tool for source in sources]
        self._places = {tool.name: at for at, tool in enumerate(self._tools)}
        self._split_seed = split_seed
        self._near = Neighbours(self._tools)
        self._drawer = Drawer(split_seed)
        self._links = chains.Links(sources)
        self._divided: dict[tuple[str, ...], dict[Part, list[Any]]] = {}
        self._makers: dict[Kind, Callable[[Turn], Draft]] = {
            Kind.ONE_CALL: self._one_call,
            Kind.NEAR_TWIN: self._near_twin,
            Kind.NO_TOOL: self._no_tool,
            Kind.MISSING_ARGUMENT: self._missing_argument,
            Kind.PARALLEL: self._parallel,
            Kind.CHAIN: self._chain,
            Kind.TOOL_ERROR: self._tool_error,
        }

    def make(self, kind: Kind, turn: Turn) -> Draft:
        """Return a draft of a kind. Raises `Unfit` with the reason."""
        return self._makers[kind](turn)

    def _one_call(self, turn: Turn) -> Draft:
        said = self._arguments(turn)
        message, frame = self._asked(said, Kind.ONE_CALL, turn)
        tools = self._with(turn, self._near.other(turn.at, turn.random.randint(2, 4), turn.random))
        return _draft(Kind.ONE_CALL, said, tools, message=message, frame=frame)

    def _near_twin(self, turn: Turn) -> Draft:
        said = self._arguments(turn)
        message, frame = self._asked(said, Kind.NEAR_TWIN, turn)
        twins = self._near.near(turn.at, 4)
        twins = turn.random.sample(twins, min(len(twins), turn.random.randint(1, 2)))
        others = self._near.other(turn.at, 2, turn.random)
        edited = () if twins and turn.random.random() < 0.6 else self._edited(turn, 1 if twins else 2)
        return _draft(Kind.NEAR_TWIN, said, self._with(turn, [*twins, *edited, *others]), message=message, frame=frame)

    def _no_tool(self, turn: Turn) -> Draft:
        """Ask for what another tool does, without offering it; else for what no tool does."""
        others = self._near.other(turn.at, 3, turn.random, below=_UNRELATED)
        if len(others) > 1 and turn.random.random() < 0.7:
            said = self._arguments(turn)
            message, frame = self._asked(said, Kind.NO_TOOL, turn)
        else:
            others = [self._tools[turn.at], *others[:2]]
            said = Arguments(self._tools[turn.at], {})
            message, frame = self._from_bank(others, turn)
        answer = ExpectedAnswer(reference="I have no tool for that.")
        tools = tuple(turn.random.sample(others, len(others)))
        return Draft(
            Kind.NO_TOOL,
            self._tools[turn.at],
            tools,
            message,
            frame,
            Expected(answer=answer),
            (said,),
            guess=_guess(tools, turn.random),
        )

    def _missing_argument(self, turn: Turn) -> Draft:
        tool = self._tools[turn.at]
        schemas = properties_of(tool)
        can = [
            name
            for name in required_of(tool)
            if "default" not in schemas[name]
            and schemas[name].get("type") != "boolean"
            and "const" not in schemas[name]
        ]
        if not can:
            raise Unfit("no tool with a required argument that could be missing")
        open_ended = [name for name in can if "enum" not in schemas[name]]
        missing = turn.random.choice(open_ended or can)
        whole = self._arguments(turn)
        said = Arguments(tool, {name: value for name, value in whole.values.items() if name != missing}, whole.edge)
        message, frame = self._asked(said, Kind.MISSING_ARGUMENT, turn)
        answer = ExpectedAnswer(reference=f"Which {counted(name_of(missing, schemas[missing]))} should I use?")
        expected = Expected(recovery=RecoveryStrategy.CLARIFY, answer=answer)
        tools = self._with(turn, self._near.other(turn.at, turn.random.randint(1, 3), turn.random))
        guess = ToolCall(id="guess", name=tool.name, arguments=whole.values)
        tags = (f"missing:{missing}",)
        return Draft(Kind.MISSING_ARGUMENT, tool, tools, message, frame, expected, (said,), guess=guess, tags=tags)

    def _parallel(self, turn: Turn) -> Draft:
        calls = [self._arguments(turn, most=4)]
        places = [turn.at]
        for _ in range(turn.random.choice((1, 1, 1, 2))):
            place = self._beside(places, turn) if turn.random.random() < 0.6 else turn.at
            calls.append(self._arguments(Turn(place, turn.part, turn.random), most=3))
            places.append(place)
        names = [call.tool.name for call in calls]
        if any(one == other for at, one in enumerate(calls) for other in calls[:at]):
            raise Unfit("the same call twice")
        if any(not call.values and names.count(call.tool.name) > 1 for call in calls):
            raise Unfit("one tool called for everything and for something")
        frame = turn.random.choice(self._of_part(JOINS, turn.part, Kind.PARALLEL, calls[0].tool.name))
        message = self._joined(frame, calls, turn.random)
        own = list({call.tool.name: call.tool for call in calls}.values())
        others = [
            tool
            for tool in self._near.other(turn.at, 4, turn.random)
            if tool not in own and self._is_apart(tool, places[1:])
        ]
        tools = self._with(turn, [*own[1:], *others[:2]])
        expected = Expected(
            calls=tuple(map(expected_call, calls)),
            order="any",
            answer=ExpectedAnswer(reference="Both are done." if len(calls) == 2 else "All of it is done."),
        )
        return Draft(
            Kind.PARALLEL, calls[0].tool, tools, message, frame.name, expected, tuple(calls), tags=_edges(calls)
        )

    def _chain(self, turn: Turn) -> Draft:
        link = self._links.choose(turn.at, turn.random)
        said = self._arguments(turn)
        if link.parameter not in said.values:
            raise Unfit("the argument that comes from the first call was not drawn")
        first = link.first(
            self._arguments(Turn(link.at, turn.part, turn.random)).values if link.at is not None else {}, turn.random
        )
        rest = {name: value for name, value in said.values.items() if name != link.parameter}
        frames = self._of_part(link.frames, turn.part, Kind.CHAIN, said.tool.name)
        frame = turn.random.choice(frames)
        pieces = {
            "a": self._spoken(first, turn.random),
            "b": _of_known(self._spoken(Arguments(said.tool, rest), turn.random), link.parameter),
            "label": counted(name_of(link.parameter, properties_of(said.tool)[link.parameter])),
            "title": str(first.values.get("title", "")),
        }
        message = phrasing.fill(frame.text, pieces)
        world, stub = link.recorded(first, said.values[link.parameter], turn.random)
        taken = {stub.name, said.tool.name}
        others = [
            t
            for t in self._near.other(turn.at, 4, turn.random)
            if t.name not in taken and (link.at is None or self._is_apart(t, [link.at]))
        ]
        tools = (said.tool, stub, *others[:2]) if others else (said.tool, stub, *self._edited(turn, 1))
        calls = (expected_call(first), expected_call(said))
        expected = Expected(calls=calls, answer=ExpectedAnswer(reference="Done."))
        shuffled = tuple(turn.random.sample(tools, len(tools)))
        return Draft(
            Kind.CHAIN, said.tool, shuffled, message, frame.name, expected, (first, said), world=world, tags=link.tags
        )

    def _tool_error(self, turn: Turn) -> Draft:
        said = self._arguments(turn)
        message, frame = self._asked(said, Kind.TOOL_ERROR, turn)
        tools = self._with(turn, self._near.other(turn.at, turn.random.randint(1, 3), turn.random))
        if turn.random.random() < 0.5:
            again = turn.random.choice((1, 1, 2))
            kind: Literal["error", "timeout"] = "error" if turn.random.random() < 0.7 else "timeout"
            fault = Fault(kind=kind, message=turn.random.choice(TRANSIENT), times=again)
            recovery, reference = RecoveryStrategy.RETRY, "It failed at first, but now it is done."
        else:
            fault = Fault(kind="error", message=turn.random.choice(PERMANENT))
            recovery, reference = RecoveryStrategy.GRACEFUL_FAIL, f"Sorry, that did not work: {fault.message}."
        expected = Expected(calls=(expected_call(said),), recovery=recovery, answer=ExpectedAnswer(reference=reference))
        return Draft(
            Kind.TOOL_ERROR,
            said.tool,
            tools,
            message,
            frame,
            expected,
            (said,),
            faults={said.tool.name: fault},
            tags=(recovery.value, *_edges([said])),
        )

    def _arguments(self, turn: Turn, most: int = 8) -> Arguments:
        return self._drawer.arguments(self._sources[turn.at], turn.part, turn.random, most=most)

    def _asked(self, said: Arguments, kind: Kind, turn: Turn) -> tuple[str, str]:
        """Return a request for the call, in a frame of the part, and the frame's name."""
        spoken = phrasing.speak(said.tool, said.values, turn.random)
        frames = phrasing.fitting(spoken, self._of_part(phrasing.FRAMES, turn.part, kind, said.tool.name))
        if not frames:
            raise Unfit("no way to ask in this part")
        frame = turn.random.choices(frames, weights=[one.weight for one in frames])[0]
        return phrasing.ask(spoken, frame, turn.random), frame.name

    def _from_bank(self, offered: Sequence[ToolDef], turn: Turn) -> tuple[str, str]:
        """Return a request that none of the offered tools can do."""
        entry: Asked = turn.random.choice(self._of_part(BANK, turn.part, Kind.NO_TOOL))
        known = frozenset().union(*(content_words(tool) for tool in offered))
        if entry.about & known:
            raise Unfit("a request for no tool that one of the tools may do")
        return entry.text(turn.random), entry.name

    def _of_part(self, items: Sequence[Any], part: Part, *key: str) -> list[Any]:
        whole = (*key, str(len(items)))
        if whole not in self._divided:
            self._divided[whole] = divided(items, self._split_seed, *key)
        return self._divided[whole][part]

    def _with(self, turn: Turn, others: Sequence[ToolDef]) -> tuple[ToolDef, ...]:
        """Return the turn's tool among `others`, in random order; alone, it gets an edited copy beside it."""
        right = self._tools[turn.at]
        tools = list({tool.name: tool for tool in (right, *others)}.values())
        if len(tools) == 1:
            tools += self._edited(turn, 2)
        return tuple(turn.random.sample(tools, len(tools)))

    def _edited(self, turn: Turn, most: int) -> list[ToolDef]:
        copies = list(edited_copies(self._tools[turn.at], {tool.name for tool in self._tools}))
        return turn.random.sample(copies, min(most, len(copies)))

    def _beside(self, places: Sequence[int], turn: Turn) -> int:
        """Return the place of a tool that is not like any of those at `places`; else the first of them."""
        fit = [
            i for i in range(len(self._tools)) if all(i != p and self._near.likeness(p, i) < TOO_LIKE for p in places)
        ]
        return turn.random.choice(fit) if fit else turn.at

    def _is_apart(self, tool: ToolDef, places: Sequence[int]) -> bool:
        at = self._places[tool.name]
        return all(at == place or self._near.likeness(place, at) < TOO_LIKE for place in places)

    def _spoken(self, said: Arguments, random: Random) -> str:
        if said.tool.name.startswith(chains.NOTE) and "title" in said.values:
            return f"read my note “{said.values['title']}”"
        spoken = phrasing.speak(said.tool, said.values, random)
        if len(spoken.pairs) <= 4:
            return spoken.do
        return f"{spoken.action.said} ({', '.join(f'{name} {value}' for name, value in spoken.pairs)})"

    def _joined(self, frame: phrasing.Frame, calls: Sequence[Arguments], random: Random) -> str:
        parts = [self._spoken(call, random) for call in calls]
        message = phrasing.fill(frame.text, {"a": parts[0], "b": parts[1]})
        return message + "".join(phrasing.fill(random.choice(MORE), {"a": part}) for part in parts[2:])


def _draft(kind: Kind, said: Arguments, tools: tuple[ToolDef, ...], *, message: str, frame: str) -> Draft:
    reference = ExpectedAnswer(
        reference="Here is what I found." if action_of(said.tool.name, said.tool.description).is_lookup else "Done."
    )
    expected = Expected(calls=(expected_call(said),), answer=reference)
    return Draft(kind, said.tool, tools, message, frame, expected, (said,), tags=_edges([said]))


def _of_known(text: str, parameter: str) -> str:
    """Return a request with "the order" for "an order", where the order's id comes from an earlier call."""
    noun = words(parameter)[0] if len(words(parameter)) == 2 else ""
    return re.sub(rf"\ban? (?:new )?{re.escape(noun)}\b", f"the {noun}", text, count=1) if noun else text


def _edges(calls: Sequence[Arguments]) -> tuple[str, ...]:
    return tuple(f"edge:{call.edge.replace(' ', '_')}" for call in calls if call.edge)


def _guess(tools: Sequence[ToolDef], random: Random) -> ToolCall | None:
    """Return a well-formed call of one of the tools, where one can be drawn."""
    tool = tools[0]
    schemas = properties_of(tool)
    try:
        values = {name: draw(schemas[name], Hint(name, tool.name), random).value for name in required_of(tool)}
    except NoValue:
        return None
    return ToolCall(id="guess", name=tool.name, arguments=values)
