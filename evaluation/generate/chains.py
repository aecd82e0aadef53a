"""Two calls in a row: which tool's result another tool's argument comes from.

Decisions: where the first tool says what it returns, a field of the parameter's name links the two; else a tool that
finds or makes the thing that an id belongs to (`find_order` → `order_id`). Where the list has no such pair, the
argument stands in a note, and a tool that reads notes is offered, too. The first tool's result is recorded in the
world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from evaluation.generate import stub_tools
from evaluation.generate.draft import Arguments, Unfit, properties_of, required_of
from evaluation.generate.names import valid_name, words
from evaluation.generate.phrasing import Frame
from evaluation.generate.sources import SourceTool
from evaluation.generate.texts import CHAINS, NOTES, TITLES
from evaluation.generate.values import Hint, NoValue, draw, type_of
from evaluation.scenarios import ToolDef

NOTE = "read_note"
_FINDS = frozenset({"find", "search", "get", "lookup", "list", "create", "add", "fetch", "retrieve", "query", "post"})
_NAMING = ("id", "code", "number", "key", "uuid", "token")


class Link(NamedTuple):
    """Where one argument of a tool comes from."""

    parameter: str
    at: int | None
    """Place of the tool that gives it; None: a note."""
    source: SourceTool
    field: str
    """Field of the result that holds it."""

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Return the ways to ask."""
        return NOTES if self.at is None else CHAINS

    @property
    def tags(self) -> tuple[str, ...]:
        """Return what reports tell them apart by."""
        return ("chain:note",) if self.at is None else ("chain:tools",)

    def first(self, values: dict[str, Any], random: Random) -> Arguments:
        """Return the first call."""
        return Arguments(self.source.tool, values if self.at is not None else {"title": random.choice(TITLES)})

    def recorded(self, first: Arguments, value: Any, random: Random) -> tuple[dict[str, Any], ToolDef]:
        """Return the world in which the first tool returns `value`, and the tool as it is then executed."""
        stub = first.tool.model_copy(update={"function": stub_tools.function_of(first.tool.name)})
        result = _with_field(self._result(random), self.field, value)
        return stub_tools.recorded(first.tool.name, first.values, result), stub

    def _result(self, random: Random) -> Any:
        output = self.source.output
        if output is None:
            return {}
        schema = _required_only(output)
        try:
            return draw(schema, Hint("result", self.source.tool.name), random).value
        except NoValue:
            return {}


class Links:
    """The links of one list of tools."""

    def __init__(self, sources: Sequence[SourceTool]) -> None:
        self._sources = sources
        self._fields = [_fields(source.output) for source in sources]
        self._known: dict[int, list[Link]] = {}
        taken = {source.tool.name for source in sources}
        self._note = SourceTool(_note_tool(valid_name(NOTE, taken)))

    def choose(self, at: int, random: Random) -> Link:
        """Return a link to a required argument of the tool at `at`. Raises `Unfit`."""
        if at not in self._known:
            self._known[at] = list(self._links(at))
        links = self._known[at]
        if not links:
            raise Unfit("no tool with a required text or number that could come from another call")
        return random.choice(links)

    def _links(self, at: int) -> list[Link]:
        tool = self._sources[at].tool
        schemas = properties_of(tool)
        plain = [
            n
            for n in required_of(tool)
            if type_of(schemas[n]) in ("string", "integer", "number") and not {"enum", "const"} & schemas[n].keys()
        ]
        real = [
            Link(name, place, source, found)
            for name in plain
            if words(name)[-1:] and words(name)[-1] in _NAMING
            for place, source in enumerate(self._sources)
            if place != at and (found := self._gives(place, name, schemas[name]))
        ]
        return real or [Link(name, None, self._note, name) for name in plain]

    def _gives(self, place: int, parameter: str, schema: Mapping[str, Any]) -> str:
        """Return the field of a tool's result that is the parameter, which names a thing; or an empty text."""
        tool = self._sources[place].tool
        if parameter in tool.parameters.get("properties", {}):
            return ""
        parts, tool_words = words(parameter), words(tool.name)
        of_it = len(parts) > 1 and parts[-2] in {word.removesuffix("s") for word in tool_words}
        fields = self._fields[place]
        if fields:
            same = fields.get(parameter) == type_of(schema)
            own = of_it and fields.get(parts[-1]) == type_of(schema)
            return parameter if same else parts[-1] if own else ""
        return parameter if of_it and set(tool_words) & _FINDS else ""


def _fields(output: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the fields of a result with their types; of a list, those of its items."""
    schema = output or {}
    if type_of(schema) == "array" and isinstance(schema.get("items"), Mapping):
        schema = schema["items"]
    found = schema.get("properties")
    return {k: type_of(v) for k, v in found.items() if isinstance(v, Mapping)} if isinstance(found, Mapping) else {}


def _with_field(result: Any, field: str, value: Any) -> Any:
    """Return a result that holds `value`; a list is one of a single thing, so that there is no doubt which."""
    if isinstance(result, list):
        first = result[0] if result and isinstance(result[0], dict) else {}
        return [{**first, field: value}]
    return {**(result if isinstance(result, dict) else {}), field: value}


def _required_only(output: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in output.items() if key not in ("minItems", "uniqueItems")}


def _note_tool(name: str) -> ToolDef:
    title = {"type": "string", "description": "The note's title."}
    parameters = {
        "type": "object",
        "properties": {"title": title},
        "required": ["title"],
        "additionalProperties": False,
    }
    return ToolDef(
        name=name, description="Reads one of the user's notes and returns what stands in it.", parameters=parameters
    )
