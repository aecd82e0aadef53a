"""One scenario in the making: a tool, its arguments, and how they become an expected call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from evaluation.generate.actions import action_of
from evaluation.generate.parts import part_of_values
from evaluation.generate.sources import SourceTool
from evaluation.generate.values import Hint, NoValue, draw, type_of
from evaluation.records import ToolCall
from evaluation.scenarios import Expected, ExpectedArgument, ExpectedCall, Fault, Kind, Part, ToolDef

EDGE_SHARE = 0.12
"""Share of calls of which one argument lies at an edge."""
_MOST_OPTIONAL = 3
_DRAWS = 40
_CHANGING = frozenset({"update", "edit", "modify", "change", "adjust", "configure", "set", "improve"})


class Unfit(Exception):
    """No scenario of this kind can be made of this tool; the message is the reason that is counted."""


@dataclass(frozen=True)
class Arguments:
    """A call's arguments, and at which edge one of them lies."""

    tool: ToolDef
    values: dict[str, Any]
    edge: str = ""


@dataclass(frozen=True)
class Draft:
    """All of a scenario but its id and its part."""

    kind: Kind
    tool: ToolDef
    """The tool that it is about."""
    tools: tuple[ToolDef, ...]
    message: str
    frame: str
    expected: Expected
    calls: tuple[Arguments, ...]
    """What is said, for the table of what is covered."""
    world: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    guess: ToolCall | None = None
    """A call that an agent might make where none is right."""


def properties_of(tool: ToolDef) -> dict[str, Mapping[str, Any]]:
    """Return the schemas of a tool's parameters."""
    found = tool.parameters.get("properties", {})
    return {name: schema if isinstance(schema, Mapping) else {} for name, schema in found.items()}


def required_of(tool: ToolDef) -> list[str]:
    """Return the names of the parameters that a call has to give."""
    declared = tool.parameters.get("properties", {})
    return [name for name in tool.parameters.get("required", ()) if name in declared]


class Drawer:
    """Draws arguments; says optional ones that were said least before."""

    def __init__(self, split_seed: int) -> None:
        self._split_seed = split_seed
        self._said: dict[tuple[str, str], int] = {}

    def arguments(self, source: SourceTool, part: Part, random: Random, *, most: int = 8) -> Arguments:
        """Return arguments of a part of the suite. Raises `Unfit`.

        `most`: arguments from which on no optional ones are added.
        """
        tool = source.tool
        chosen = self._chosen(tool, random, most)
        for _ in range(_DRAWS):
            drawn = _draw(tool, chosen, random)
            accepted = {name: list(argument.any_of) for name, argument in expected_call(drawn).arguments.items()}
            if part_of_values(tool.name, accepted, self._split_seed) in (None, part):
                for name in drawn.values:
                    self._said[tool.name, name] = self._said.get((tool.name, name), 0) + 1
                return drawn
        raise Unfit("no values of the part were drawn")

    def _chosen(self, tool: ToolDef, random: Random, most: int) -> list[str]:
        required = required_of(tool)
        optional = [name for name in properties_of(tool) if name not in required]
        random.shuffle(optional)
        optional.sort(key=lambda name: self._said.get((tool.name, name), 0))
        room = max(0, min(_MOST_OPTIONAL, most - len(required)))
        most_of_them = min(room, len(optional))
        # Nobody asks for a change without saying what is to be changed.
        least = min(1, most_of_them) if action_of(tool.name, tool.description).verb in _CHANGING else 0
        return [*required, *optional[: random.randint(least, most_of_them)]]


def _draw(tool: ToolDef, chosen: list[str], random: Random) -> Arguments:
    schemas = properties_of(tool)
    at_edge = random.choice(chosen) if chosen and random.random() < EDGE_SHARE else None
    values: dict[str, Any] = {}
    edge = ""
    for name in chosen:
        schema = schemas[name]
        hint = Hint(name, tool.name, str(schema.get("description", "")))
        try:
            drawn = draw(schema, hint, random, edge=name == at_edge)
        except NoValue as error:
            raise Unfit(f"no value: {error}") from error
        if name not in tool.parameters.get("required", ()) and schema.get("default", _NOTHING) == drawn.value:
            continue
        values[name] = drawn.value
        edge = edge or drawn.edge
    if at_edge and _may_be_empty(tool, at_edge) and random.random() < 0.3:
        values[at_edge], edge = "", "empty optional"
    return Arguments(tool, values, edge)


_NOTHING = object()


def _may_be_empty(tool: ToolDef, name: str) -> bool:
    """Say whether the parameter is an optional text about which the schema says nothing more."""
    schema = properties_of(tool)[name]
    if name in required_of(tool) or type_of(schema) != "string":
        return False
    ruled = ("enum", "const", "pattern", "format", "minLength", "oneOf", "anyOf")
    return not any(key in schema for key in ruled)


def expected_call(arguments: Arguments) -> ExpectedCall:
    """Return the call that is right: what was said, and, where a default says the same as silence, that too."""
    wanted = {}
    schemas = properties_of(arguments.tool)
    for name, value in arguments.values.items():
        unordered = isinstance(value, list) and schemas[name].get("uniqueItems") is True
        wanted[name] = ExpectedArgument(
            any_of=(value,),
            compare="set" if unordered else "like",
            optional=value == "" and name not in required_of(arguments.tool),
        )
    for name, schema in schemas.items():
        if name not in wanted and "default" in schema and schema["default"] is not None:
            wanted[name] = ExpectedArgument(any_of=(schema["default"],), optional=True)
    return ExpectedCall(name=arguments.tool.name, arguments=wanted)
