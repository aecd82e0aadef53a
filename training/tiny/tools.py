"""Synthetic tools: a verb, a thing, parameters; or names that mean nothing, which can only be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.tiny import phrasing
from training.tiny.lexicon import ADJECTIVES, ENUMS, FIELDS, PARAMETERS, THINGS, TOPICS, VERBS
from training.tiny.values import JSON_TYPES, KINDS, WEIGHTS, Dice, draw, odd_word

Ways = tuple[str, ...]
"""Words that mean the same; the first is what tools are called by."""


@dataclass(frozen=True)
class Param:
    """One parameter of a synthetic tool."""

    name: str
    kind: str
    required: bool
    choices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The name as people say it."""
        return self.name.replace("_", " ")

    def draw(self, rng: Dice) -> str | int | float:
        """Return a value for it."""
        return rng.choice(self.choices) if self.choices else draw(self.kind, rng)


@dataclass(frozen=True)
class Tool:
    """A synthetic tool: a verb, a thing and parameters."""

    name: str
    description: str
    verbs: Ways
    things: Ways
    params: tuple[Param, ...]
    fields: tuple[Ways, ...]
    topic: str = ""
    """A word of the description that users may say, too."""

    def to_openai(self) -> dict[str, Any]:
        """Return the tool in the OpenAI `tools` format."""
        properties = {
            p.name: {"type": JSON_TYPES.get(p.kind, "string"), **({"enum": list(p.choices)} if p.choices else {})}
            for p in self.params
        }
        required = [p.name for p in self.params if p.required]
        parameters = {"type": "object", "properties": properties, "required": required}
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        }


def _odd(rng: Dice) -> str:
    """Return a word that says nothing of what a tool does: a known one, or one that nobody has seen."""
    return rng.choice(TOPICS) if rng.random() < 0.6 else odd_word(rng)


def _param(rng: Dice, *, odd: bool, required: bool) -> Param:
    kind = rng.choices(KINDS, WEIGHTS)[0]
    name = rng.choice(PARAMETERS[kind])
    if odd and rng.random() < 0.6:
        name = rng.choice((_odd(rng), _odd(rng), f"{_odd(rng)}_{name}", f"{_odd(rng)}_{_odd(rng)}"))
    choices: tuple[str, ...] = ()
    if kind == "enum":
        drawn = tuple(dict.fromkeys(_odd(rng) for _ in range(rng.randint(2, 4))))
        choices = drawn if odd or rng.random() < 0.4 else rng.choice(ENUMS)
    return Param(name, kind, required, choices)


def _params(rng: Dice, odd: bool) -> tuple[Param, ...]:
    out: dict[str, Param] = {}
    for index in range(rng.choice((1, 1, 2, 2, 2, 3, 3))):
        param = _param(rng, odd=odd, required=index == 0 or rng.random() < 0.85)
        out.setdefault(param.name, param)
    return tuple(out.values())


def _tool_name(rng: Dice, verb: str, thing: str) -> str:
    """Return a name; a third of them leave out verb or thing or both, so that the description has to be read."""
    verb, thing = verb.replace(" ", "_"), thing.replace(" ", "_").replace("'", "")
    style = rng.random()
    if style < 0.55:
        return f"{verb}_{thing}"
    if style < 0.62:
        return f"{thing}_{verb}"
    if style < 0.68:
        return f"{verb}_{thing}s"
    if style < 0.80:
        return f"{_odd(rng)}_{thing}"
    return f"{verb}_{_odd(rng)}" if style < 0.88 else f"{_odd(rng)}_{_odd(rng)}"


def make_tool(rng: Dice, verbs: Ways, things: Ways, odd: bool = False) -> Tool:
    """Return a tool that does one of `verbs` to one of `things`."""
    params = _params(rng, odd)
    fields = tuple(rng.sample(FIELDS, rng.choice((1, 2, 2, 3))))
    if odd and rng.random() < 0.6:
        fields = tuple((name,) for name in dict.fromkeys(_odd(rng) for _ in fields))
    topic = rng.choice(TOPICS) if rng.random() < 0.5 else ""
    said, thing = rng.choice((verbs[0], rng.choice(verbs))), rng.choice((things[0], rng.choice(things)))
    description = rng.choice(phrasing.DESCRIPTIONS).replace("{V}", said).replace("{N}", thing)
    description = description.replace("{p}", params[0].words).replace("{F}", fields[0][0].replace("_", " "))
    if topic:
        description += rng.choice(phrasing.TOPIC_TAILS).replace("{T}", topic)
    description = description[0].upper() + description[1:] + rng.choice((".", ".", ""))
    return Tool(_tool_name(rng, verbs[0], things[0]), description, verbs, things, params, fields, topic)


def _things(rng: Dice) -> Ways:
    things = rng.choice(THINGS)
    if rng.random() < 0.12:
        adjective = rng.choice(ADJECTIVES)
        return tuple(f"{adjective} {thing}" for thing in things)
    return things


def _odd_pair(rng: Dice) -> tuple[Ways, Ways]:
    """Return verb and thing, one or both of them words that say nothing."""
    style = rng.random()
    verbs = (_odd(rng),) if style < 0.5 else rng.choice(VERBS)
    things = (_odd(rng),) if style > 0.25 else rng.choice(THINGS)
    return verbs, (f"{_odd(rng)} {things[0]}",) if rng.random() < 0.15 else things


def tools_for(rng: Dice, count: int, odd: bool = False) -> list[Tool]:
    """Return `count` tools; often two share the thing or the verb, so that both have to be read."""
    out: list[Tool] = []
    while len(out) < count:
        verbs, things = _odd_pair(rng) if odd else (rng.choice(VERBS), _things(rng))
        if out and rng.random() < 0.45:
            twin = rng.choice(out)
            verbs, things = (verbs, twin.things) if rng.random() < 0.7 else (twin.verbs, things)
        if any(t.verbs[0] == verbs[0] and set(t.things) & set(things) for t in out):
            continue
        tool = make_tool(rng, verbs, things, odd)
        if all(t.name != tool.name for t in out):
            out.append(tool)
    return out
