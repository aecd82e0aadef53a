"""Conversations that `tiny` learns from: synthetic tools, synthetic users, exact calls.

Decisions: everything is drawn from one `random.Random(seed)`, so row n of seed s is always the same; one tool list
serves several requests in a row, so that most tokens that are read also teach; a share of rows is plain repetition of
random words, which is what teaches copying. Not covered: any tool or sentence of the built-in suite.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from training.tiny import phrasing
from training.tiny.lexicon import ADJECTIVES, FIELDS, FILLER, NOUNS, SYSTEMS, VERBS
from training.tiny.values import KINDS, WEIGHTS, draw, draw_result, odd_word, word

Row = dict[str, Any]
"""`{"messages": [OpenAI-shaped messages, arguments as dicts], "tools": [OpenAI-shaped tools]}`."""


ENDINGS = ("id", "name", "no", "text", "to", "from", "list", "day", "size", "code", "key", "at")


Odd = Sequence[str] | None
"""None: known words. Else words that nobody has seen; the pieces that they may be made of."""


@dataclass(frozen=True)
class Param:
    """One parameter of a synthetic tool."""

    name: str
    kind: str
    json_type: str
    required: bool
    choices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The name as people say it."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Tool:
    """A synthetic tool: a verb, a thing and parameters."""

    name: str
    description: str
    verbs: tuple[str, ...]
    noun: str
    params: tuple[Param, ...]
    fields: tuple[str, ...] = field(default=("status",))

    def to_openai(self) -> dict[str, Any]:
        """Return the tool in the OpenAI `tools` format."""
        properties = {
            p.name: {"type": p.json_type, **({"enum": list(p.choices)} if p.choices else {})} for p in self.params
        }
        required = [p.name for p in self.params if p.required]
        parameters = {"type": "object", "properties": properties, "required": required}
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        }


def _params(rng: random.Random, odd: Odd) -> tuple[Param, ...]:
    out: dict[str, Param] = {}
    for index in range(rng.choice((1, 1, 2, 2, 2, 3, 3))):
        kind = rng.choices(KINDS, WEIGHTS)[0]
        name = rng.choice(kind.names)
        if odd is not None and rng.random() < 0.6:
            name = rng.choice(
                (
                    odd_word(rng, odd or ()),
                    odd_word(rng, odd or ()),
                    f"{odd_word(rng, odd or ())}_{rng.choice(ENDINGS)}",
                    word(rng),
                )
            )
        choices = tuple(dict.fromkeys(word(rng) for _ in range(rng.randint(2, 4)))) if kind.kind == "enum" else ()
        out.setdefault(name, Param(name, kind.kind, kind.json_type, index == 0 or rng.random() < 0.85, choices))
    return tuple(out.values())


def _tool_name(rng: random.Random, verb: str, noun: str) -> str:
    verb, noun = verb.replace(" ", "_").replace("'", ""), noun.replace(" ", "_")
    style = rng.random()
    if style < 0.75:
        return f"{verb}_{noun}"
    if style < 0.85:
        return f"{noun}_{verb}"
    return f"{verb}_{noun}s" if style < 0.95 else f"{word(rng)}_{noun}"


def _tool(rng: random.Random, verbs: tuple[str, ...], noun: str, odd: Odd = None) -> Tool:
    params = _params(rng, odd)
    verb = verbs[0]
    said = rng.choice(verbs)
    first = params[0].words
    description = rng.choice(
        (
            f"{said} a {noun}",
            f"{said} the {noun}",
            f"{said} a {noun} by {first}",
            f"{said} the {noun} with the given {first}",
            f"{said} {noun} {rng.choice(FILLER)}",
            f"lets you {said} a {noun}",
            f"use this to {said} the {noun} of a {first}",
            f"{said} one {noun} and return its {rng.choice(FIELDS)}",
        )
    )
    fields = tuple(rng.sample(FIELDS, rng.choice((1, 2, 2, 3))))
    if odd is not None and rng.random() < 0.6:
        fields = tuple(odd_word(rng, odd or ()) for _ in fields)
    return Tool(_tool_name(rng, verb, noun), description.capitalize(), verbs, noun, params, fields)


def _noun(rng: random.Random) -> str:
    if rng.random() < 0.25:
        return word(rng)
    noun = rng.choice(NOUNS)
    return f"{rng.choice(ADJECTIVES)} {noun}" if rng.random() < 0.15 else noun


def _odd(rng: random.Random, verbs: tuple[str, ...], noun: str, odd: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return verb and noun, one or both replaced by words that nobody has seen."""
    if rng.random() < 0.6:
        noun = odd_word(rng, odd or ()) if rng.random() < 0.7 else f"{odd_word(rng, odd or ())} {noun}"
    return ((odd_word(rng, odd or ()),) if rng.random() < 0.4 else verbs), noun


def tools_for(rng: random.Random, count: int, odd: Odd = None) -> list[Tool]:
    """Return `count` tools; often two share the thing or the verb, so that both have to be read."""
    out: list[Tool] = []
    while len(out) < count:
        verbs, noun = rng.choice(VERBS), _noun(rng)
        if odd is not None:
            verbs, noun = _odd(rng, verbs, noun, odd)
        if out and rng.random() < 0.45:
            twin = rng.choice(out)
            verbs, noun = (verbs, twin.noun) if rng.random() < 0.7 else (twin.verbs, noun)
        if all((t.verbs, t.noun) != (verbs, noun) for t in out):
            tool = _tool(rng, verbs, noun, odd)
            if all(t.name != tool.name for t in out):
                out.append(tool)
    return out


@dataclass
class Writer:
    """Writes one conversation."""

    rng: random.Random
    tools: list[Tool]
    messages: list[dict[str, Any]] = field(default_factory=list)
    _ids: int = 0

    def say(self, role: str, content: str) -> None:
        """Append a plain message."""
        self.messages.append({"role": role, "content": content})

    def call(self, tool: Tool, arguments: dict[str, Any]) -> None:
        """Append an assistant turn that calls `tool`."""
        self._ids += 1
        function = {"name": tool.name, "arguments": arguments}
        call = {"id": f"c{self._ids}", "type": "function", "function": function}
        self.messages.append({"role": "assistant", "content": "", "tool_calls": [call]})

    def result(self, tool: Tool, body: dict[str, Any]) -> None:
        """Append what the tool returned."""
        content = json.dumps(body, ensure_ascii=False)
        self.messages.append({"role": "tool", "content": content, "tool_call_id": f"c{self._ids}", "name": tool.name})


def _clause(rng: random.Random, param: Param, value: object) -> str:
    return rng.choice(phrasing.CLAUSES[param.kind]).replace("{p}", param.words).replace("{v}", str(value))


def _arguments(rng: random.Random, tool: Tool, leave_out: Param | None = None) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for param in tool.params:
        if param is leave_out or (not param.required and rng.random() < 0.5):
            continue
        out[param.name] = rng.choice(param.choices) if param.choices else draw(param.kind, rng)
    return out


def _sentence(rng: random.Random, tool: Tool, arguments: dict[str, Any], asked: str | None = None) -> str:
    params = {p.name: p for p in tool.params}
    clauses = [_clause(rng, params[name], value) for name, value in arguments.items()]
    if len(clauses) > 1 and rng.random() < 0.35:
        clauses = [f"{params[name].words} {value}" for name, value in arguments.items()]
        rng.shuffle(clauses)
    joined = rng.choice((" ", " ", " ", ", ", " and ")).join(clauses)
    core = rng.choice(phrasing.QUESTIONS if asked else phrasing.CORES)
    verb = rng.choice(tool.verbs)
    noun = tool.noun + ("s" if rng.random() < 0.1 else "")
    text = core.replace("{V}", verb).replace("{N}", noun).replace("{A}", joined).replace("{F}", asked or "")
    text = " ".join(text.split()).replace(" ,", ",").replace(" ?", "?").strip(" ,:")
    text = rng.choice(phrasing.PREFIXES) + text
    if not text.endswith("?"):
        text += rng.choice(phrasing.SUFFIXES)
    style = rng.random()
    if style < 0.6:
        text = text[0].upper() + text[1:]
    if text[-1] not in "?!." and rng.random() < 0.5:
        text += "."
    return text


def _fill(template: str, tool: Tool, value: object = "", **more: object) -> str:
    text = template.replace("{N}", tool.noun).replace("{v}", str(value))
    for key, replacement in more.items():
        text = text.replace("{" + key + "}", str(replacement))
    return text[0].upper() + text[1:] if template[0] != "{" else text


def _first(arguments: dict[str, Any]) -> object:
    return next(iter(arguments.values()), "it")


def _body(rng: random.Random, tool: Tool) -> dict[str, Any]:
    return {name: draw_result(rng) for name in tool.fields}


def _state(
    rng: random.Random, tool: Tool, arguments: dict[str, Any], body: dict[str, Any], *, asked: str | None
) -> str:
    names = list(body)
    value = _first(arguments)
    if asked is None and len(names) > 1 and rng.random() < 0.6:
        f, g = rng.sample(names, 2) if rng.random() < 0.3 else names[:2]
        return _fill(rng.choice(phrasing.STATED_TWO), tool, value, F=f, r=body[f], G=g, s=body[g])
    name = asked or names[0]
    return _fill(rng.choice(phrasing.STATED), tool, value, F=name, r=body[name])


def one_call(w: Writer, tool: Tool) -> None:
    """A request, its call, a confirmation."""
    arguments = _arguments(w.rng, tool)
    w.say("user", _sentence(w.rng, tool, arguments))
    w.call(tool, arguments)
    body: dict[str, Any] = {"status": w.rng.choice(("ok", "done", "accepted"))}
    if w.rng.random() < 0.5:
        body |= _body(w.rng, tool)
    w.result(tool, body)
    w.say("assistant", _fill(w.rng.choice(phrasing.DONE), tool, _first(arguments)))


def stated(w: Writer, tool: Tool) -> None:
    """A question whose answer is in the result."""
    arguments = _arguments(w.rng, tool)
    asked = w.rng.choice(tool.fields) if w.rng.random() < 0.6 else None
    w.say("user", _sentence(w.rng, tool, arguments, asked))
    w.call(tool, arguments)
    body = _body(w.rng, tool)
    w.result(tool, body)
    w.say("assistant", _state(w.rng, tool, arguments, body, asked=asked))


def missing(w: Writer, tool: Tool) -> None:
    """A required argument is not given: ask for it; sometimes it comes."""
    required = [p for p in tool.params if p.required]
    param = w.rng.choice(required)
    arguments = _arguments(w.rng, tool, leave_out=param)
    w.say("user", _sentence(w.rng, tool, arguments))
    w.say("assistant", w.rng.choice(phrasing.ASK).replace("{p}", param.words))
    if w.rng.random() < 0.5:
        value = w.rng.choice(param.choices) if param.choices else draw(param.kind, w.rng)
        w.say("user", w.rng.choice((str(value), _clause(w.rng, param, value))))
        full = {
            p.name: {**arguments, param.name: value}[p.name] for p in tool.params if p.name in {*arguments, param.name}
        }
        w.call(tool, full)
        w.result(tool, {"status": "ok"})
        w.say("assistant", _fill(w.rng.choice(phrasing.DONE), tool, value))


def no_tool(w: Writer, tool: Tool) -> None:
    """A request that no offered tool serves: another thing, another verb, or small talk."""
    if w.rng.random() < 0.15:
        said, answer = w.rng.choice(phrasing.SMALL_TALK)
        w.say("user", said)
        w.say("assistant", answer)
        return
    nouns = {t.noun for t in w.tools}
    if w.rng.random() < 0.5:
        taken = {t.verbs for t in w.tools if t.noun == tool.noun}
        other = _tool(w.rng, w.rng.choice([v for v in VERBS if v not in taken]), tool.noun)
    else:
        other = _tool(w.rng, w.rng.choice(VERBS), w.rng.choice([n for n in NOUNS if n not in nouns]))
    asked = w.rng.choice(other.fields) if w.rng.random() < 0.3 else None
    w.say("user", _sentence(w.rng, other, _arguments(w.rng, other), asked))
    w.say("assistant", w.rng.choice(phrasing.NONE_FITS))


def failing(w: Writer, tool: Tool) -> None:
    """The tool fails: try the same call again where that may help, say so where it does not."""
    arguments = _arguments(w.rng, tool)
    w.say("user", _sentence(w.rng, tool, arguments))
    w.call(tool, arguments)
    value = _first(arguments)
    if w.rng.random() < 0.5:
        w.result(tool, {"error": w.rng.choice(phrasing.TRANSIENT)})
        w.call(tool, arguments)
        body = _body(w.rng, tool)
        w.result(tool, body)
        w.say("assistant", _state(w.rng, tool, arguments, body, asked=None))
        return
    error = w.rng.choice(phrasing.PERMANENT).replace("{N}", tool.noun).replace("{v}", str(value))
    w.result(tool, {"error": error})
    w.say("assistant", _fill(w.rng.choice(phrasing.FAILED), tool, value, e=error))


def chained(w: Writer, tool: Tool) -> None:
    """Two calls in a row: a string of the second is what the first one returned."""
    second = next(
        (t for t in w.tools if t is not tool and t.params[0].json_type == "string" and not t.params[0].choices), None
    )
    if second is None:
        stated(w, tool)
        return
    arguments, wanted = _arguments(w.rng, tool), second.params[0]
    rest = {k: v for k, v in _arguments(w.rng, second).items() if k != wanted.name}
    passed = draw(wanted.kind, w.rng)
    key = wanted.name if w.rng.random() < 0.6 else w.rng.choice(FIELDS)
    one, two = _sentence(w.rng, tool, arguments).rstrip("."), _sentence(w.rng, second, rest)
    join = w.rng.choice((" and then ", ", then ", " and ", ". After that ", ", and with that "))
    w.say("user", one + join + two[0].lower() + two[1:])
    w.call(tool, arguments)
    w.result(tool, {key: passed, **{k: v for k, v in _body(w.rng, tool).items() if k != key and w.rng.random() < 0.5}})
    w.call(second, {wanted.name: passed, **rest})
    body = _body(w.rng, second)
    w.result(second, body)
    w.say("assistant", _state(w.rng, second, {wanted.name: passed}, body, asked=None))


EPISODES = (one_call, stated, missing, no_tool, failing, chained)
EPISODE_WEIGHTS = (34, 22, 10, 11, 10, 13)


def repetition(rng: random.Random, pieces: Sequence[str] = ()) -> Row:
    """Return a row that teaches copying: random words, or random `pieces`, said again."""
    if pieces:
        words = ("".join(rng.choice(pieces) for _ in range(rng.randint(1, 4))) for _ in range(rng.randint(5, 60)))
        said = rng.choice((" ", " ", "_", ", ")).join(words)
        return {"messages": [{"role": "user", "content": said}, {"role": "assistant", "content": said}], "tools": []}
    said = " ".join(
        str(draw(rng.choice(("name", "text", "code", "email", "date", "file", "integer")), rng))
        for _ in range(rng.randint(4, 20))
    )
    messages = [{"role": "user", "content": said}, {"role": "assistant", "content": said}]
    return {"messages": messages, "tools": []}


def repetition_row(seed: int, index: int) -> Row:
    """Return row `index` of `seed` from the stretch that is repetition only."""
    return repetition(random.Random(f"repeat {seed}/{index}"))


def conversation(seed: int, index: int, copying: float = 0.04, odd: Odd = None) -> Row:
    """Return row `index` of `seed`; a share `copying` of the rows is plain repetition.

    `odd`: tools, parameters and fields have names that nobody has seen, which can only be read; made of letters, or of
    the tokenizer's pieces where it holds any. None: names made of the lexicon's words.
    """
    rng = random.Random(f"{seed}/{index}")
    if rng.random() < copying:
        return repetition(rng, odd or ())
    tools = tools_for(rng, rng.choice((1, 2, 3, 3, 4, 4, 5, 5, 6)), odd)
    w = Writer(rng, tools)
    w.say("system", rng.choice(SYSTEMS))
    for _ in range(rng.choice((1, 2, 2, 3))):
        rng.choices(EPISODES, EPISODE_WEIGHTS)[0](w, rng.choice(tools))
    return {"messages": w.messages, "tools": [tool.to_openai() for tool in tools]}
