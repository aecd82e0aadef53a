"""Conversations that `tiny` learns from: synthetic tools, synthetic users, exact calls.

Decisions: everything is drawn from one `Dice` per row, so row n of seed s is always the same; one tool list
serves several requests in a row, so that most tokens that are read also teach; in most conversations tools are a verb
and a thing that users may call by other words of the same meaning, in the others they have names that mean nothing and
can only be read; a share of rows is plain repetition of random words, which teaches copying, and a share is plain
lookup, which teaches to find a tool by what is said of it: in conversations alone the model never learnt it, since few
tokens depend on it. Not covered: any tool or sentence of the built-in suite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from training.tiny import phrasing
from training.tiny.asking import clause, filled, frame, plain_frame, random_words, sentence
from training.tiny.lexicon import FIELDS, SYSTEMS, THINGS, TOPICS, VERBS
from training.tiny.tools import Param, Tool, make_tool, tools_for
from training.tiny.values import JSON_TYPES, Dice, draw, draw_result, letters, odd_word, word

Row = dict[str, Any]
"""`{"messages": [OpenAI-shaped messages, arguments as dicts], "tools": [OpenAI-shaped tools]}`."""

ODD = 0.35
"""Share of conversations whose tools have names that mean nothing."""
COPYING = 0.08
"""Share of rows that are plain repetition."""
LOOKUP = 0.12
"""Share of rows that are plain lookup."""


@dataclass
class Writer:
    """Writes one conversation."""

    rng: Dice
    tools: list[Tool]
    messages: list[dict[str, Any]] = field(default_factory=list)
    manner: int = 0
    """Which of the system prompts it has."""
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

    def request(self, tool: Tool, arguments: dict[str, Any], asked: str | None = None) -> None:
        """Append the user's message that asks for one call of `tool`."""
        of = frame(self.rng, tool, self.tools, asked=asked is not None, bare=not arguments)
        text = filled(self.rng, of, tool, arguments, field=asked or "")
        self.say("user", sentence(self.rng, of.core, arguments, text))

    def form(self, forms: Sequence[str]) -> str:
        """Return a way to say an answer; the system prompt tells which few of `forms` are in use: less is luck."""
        return self.rng.choice(forms[self.manner % len(forms) :: len(SYSTEMS)])


def _arguments(rng: Dice, tool: Tool, leave_out: Param | None = None) -> dict[str, Any]:
    return {
        param.name: param.draw(rng)
        for param in tool.params
        if param is not leave_out and (param.required or rng.random() < 0.5)
    }


def _fill(template: str, tool: Tool, value: object = "", **more: object) -> str:
    text = template.replace("{N}", tool.things[0]).replace("{v}", str(value))
    for key, replacement in more.items():
        text = text.replace("{" + key + "}", str(replacement))
    return text[0].upper() + text[1:] if template[0] != "{" else text


def _first(arguments: dict[str, Any]) -> object:
    return next(iter(arguments.values()), "it")


def _body(rng: Dice, tool: Tool) -> dict[str, Any]:
    return {ways[0]: draw_result(rng) for ways in tool.fields}


def _state(w: Writer, tool: Tool, arguments: dict[str, Any], body: dict[str, Any], *, asked: str | None) -> str:
    """Return an answer with one or two fields of the result; `asked`: the one that it must state."""
    names, said = list(body), {name: name.replace("_", " ") for name in body}
    value = _first(arguments)
    if asked is None and len(names) > 1 and w.rng.random() < 0.6:
        f, g = w.rng.sample(names, 2) if w.rng.random() < 0.3 else names[:2]
        return _fill(w.form(phrasing.STATED_TWO), tool, value, F=said[f], r=body[f], G=said[g], s=body[g])
    name = asked or names[0]
    return _fill(w.form(phrasing.STATED), tool, value, F=said[name], r=body[name])


def one_call(w: Writer, tool: Tool) -> None:
    """A request, its call, a confirmation."""
    arguments = _arguments(w.rng, tool)
    w.request(tool, arguments)
    w.call(tool, arguments)
    body: dict[str, Any] = {"status": w.rng.choice(("ok", "done", "accepted"))}
    if w.rng.random() < 0.5:
        body |= _body(w.rng, tool)
    w.result(tool, body)
    w.say("assistant", _fill(w.form(phrasing.DONE), tool, _first(arguments)))


def stated(w: Writer, tool: Tool) -> None:
    """A question whose answer is in the result."""
    arguments = _arguments(w.rng, tool)
    asked = w.rng.choice(tool.fields) if w.rng.random() < 0.6 else None
    w.request(tool, arguments, w.rng.choice(asked) if asked else None)
    w.call(tool, arguments)
    body = _body(w.rng, tool)
    w.result(tool, body)
    w.say("assistant", _state(w, tool, arguments, body, asked=asked[0] if asked else None))


def missing(w: Writer, tool: Tool) -> None:
    """A required argument is not given: ask for it; sometimes it comes."""
    required = [p for p in tool.params if p.required]
    param = w.rng.choice(required)
    arguments = _arguments(w.rng, tool, leave_out=param)
    w.request(tool, arguments)
    w.say("assistant", w.form(phrasing.ASK).replace("{p}", param.words))
    if w.rng.random() < 0.5:
        value = param.draw(w.rng)
        w.say("user", w.rng.choice((str(value), clause(w.rng, param, value))))
        full = {
            p.name: {**arguments, param.name: value}[p.name] for p in tool.params if p.name in {*arguments, param.name}
        }
        w.call(tool, full)
        w.result(tool, {"status": "ok"})
        w.say("assistant", _fill(w.form(phrasing.DONE), tool, value))


def no_tool(w: Writer, tool: Tool) -> None:
    """A request that no offered tool serves: another thing, another verb, general knowledge, or small talk."""
    style = w.rng.random()
    if style < 0.15:
        said, answer = w.rng.choice(phrasing.SMALL_TALK)
        w.say("user", said.replace("{W}", random_words(w.rng)))
        w.say("assistant", answer)
        return
    if style < 0.35:
        w.say("user", w.rng.choice(phrasing.KNOWLEDGE).replace("{W}", random_words(w.rng)))
    else:
        other = _other(w, tool)
        asked = w.rng.choice(w.rng.choice(other.fields)) if w.rng.random() < 0.3 else None
        w.request(other, _arguments(w.rng, other), asked)
    w.say("assistant", w.form(phrasing.NONE_FITS))


def _other(w: Writer, tool: Tool) -> Tool:
    """Return a tool that is not on offer: about the same thing as `tool`, or about something else."""
    if w.rng.random() < 0.5:
        taken = {verb for t in w.tools if set(t.things) & set(tool.things) for verb in t.verbs}
        return make_tool(w.rng, w.rng.choice([v for v in VERBS if taken.isdisjoint(v)]), tool.things)
    things = {thing for t in w.tools for thing in t.things}
    return make_tool(w.rng, w.rng.choice(VERBS), w.rng.choice([n for n in THINGS if things.isdisjoint(n)]))


def failing(w: Writer, tool: Tool) -> None:
    """The tool fails: try the same call again where that may help, say so where it does not."""
    arguments = _arguments(w.rng, tool)
    w.request(tool, arguments)
    w.call(tool, arguments)
    value = _first(arguments)
    if w.rng.random() < 0.5:
        w.result(tool, {"error": w.rng.choice(phrasing.TRANSIENT)})
        w.call(tool, arguments)
        body = _body(w.rng, tool)
        w.result(tool, body)
        w.say("assistant", _state(w, tool, arguments, body, asked=None))
        return
    error = w.rng.choice(phrasing.PERMANENT).replace("{N}", tool.things[0]).replace("{v}", str(value))
    w.result(tool, {"error": error})
    w.say("assistant", _fill(w.form(phrasing.FAILED), tool, value, e=error))


def chained(w: Writer, tool: Tool) -> None:
    """Two calls in a row: a string of the second is what the first one returned."""
    second = next(
        (t for t in w.tools if t is not tool and t.params[0].kind not in (*JSON_TYPES, "enum")),
        None,
    )
    if second is None:
        stated(w, tool)
        return
    arguments, wanted = _arguments(w.rng, tool), second.params[0]
    rest = {k: v for k, v in _arguments(w.rng, second).items() if k != wanted.name}
    passed = draw(wanted.kind, w.rng)
    key = wanted.name if w.rng.random() < 0.6 else w.rng.choice(FIELDS)[0]
    core = w.rng.choice(phrasing.CHAINS)
    one = filled(w.rng, plain_frame(w.rng, tool), tool, arguments)
    two = filled(w.rng, plain_frame(w.rng, second), second, rest)
    text = core.replace("{ONE}", one).replace("{TWO}", two)
    w.say("user", sentence(w.rng, core, {**arguments, **rest}, text))
    w.call(tool, arguments)
    w.result(tool, {key: passed, **{k: v for k, v in _body(w.rng, tool).items() if k != key and w.rng.random() < 0.5}})
    w.call(second, {wanted.name: passed, **rest})
    body = _body(w.rng, second)
    w.result(second, body)
    w.say("assistant", _state(w, second, {wanted.name: passed}, body, asked=None))


EPISODES = (one_call, stated, missing, no_tool, failing, chained)
EPISODE_WEIGHTS = (29, 18, 15, 15, 9, 14)


def _pieces(rng: Dice, pieces: Sequence[str], count: int) -> list[str]:
    return ["".join(rng.choice(pieces) for _ in range(rng.randint(1, 3))) for _ in range(count)]


def repeated(said: str) -> Row:
    """Return a row in which the assistant says what the user says."""
    return {"messages": [{"role": "user", "content": said}, {"role": "assistant", "content": said}], "tools": []}


def repetition(rng: Dice) -> Row:
    """Return a row that teaches copying: random pieces, words, letters or values, said again."""
    pieces = (*rng.lower, *rng.capital)
    style = rng.random()
    if rng.lower and style < 0.5:
        said = rng.choice((" ", " ", "_", ", ")).join(_pieces(rng, pieces, rng.randint(4, 40)))
    elif style < 0.65:
        said = rng.choice((" ", " ", "_", ", ")).join(word(rng) for _ in range(rng.randint(4, 30)))
    elif style < 0.75:
        said = rng.choice((" ", "@", ".")).join(letters(rng, 1, 9) for _ in range(rng.randint(2, 12)))
    else:
        kinds = ("name", "text", "code", "email", "date", "file", "integer")
        said = " ".join(str(draw(rng.choice(kinds), rng)) for _ in range(rng.randint(4, 20)))
    return repeated(said)


def lookup(rng: Dice) -> Row:
    """Return a row that teaches to find a tool by what is said of it: names that say nothing, many short
    requests of some of its words among others.
    """
    count = rng.choice((2, 3, 4, 5, 6))
    said = [[_word(rng) for _ in range(rng.choice((1, 2, 3, 4)))] for _ in range(count)]
    names = ["_".join(_word(rng) for _ in range(rng.choice((1, 2, 2)))) for _ in range(count)]
    w = Writer(rng, [Tool(name, " ".join(of), (), (), (), ()) for name, of in zip(names, said, strict=True)])
    w.say("system", "")
    for _ in range(rng.choice((6, 8, 10))):
        at = rng.randrange(count)
        request = rng.sample(said[at], rng.randint(1, len(said[at])))
        request += [_word(rng) for _ in range(rng.choice((0, 0, 1, 2, 4)))]
        w.say("user", " ".join(rng.sample(request, len(request))))
        w.call(w.tools[at], {})
    return {"messages": w.messages, "tools": [tool.to_openai() for tool in w.tools]}


def _word(rng: Dice) -> str:
    return rng.choice(TOPICS) if rng.random() < 0.85 else odd_word(rng)


def lookup_row(seed: int, index: int, pieces: Sequence[str] = ()) -> Row:
    """Return row `index` of `seed` from the stretch that is lookup only."""
    return lookup(Dice.of(f"lookup {seed}/{index}", pieces))


def repetition_row(seed: int, index: int, pieces: Sequence[str] = ()) -> Row:
    """Return row `index` of `seed` from the stretch that is repetition of `pieces` only."""
    rng = Dice.of(f"repeat {seed}/{index}", pieces)
    return repeated(rng.choice((" ", "_", ", ")).join(_pieces(rng, pieces, rng.randint(20, 80))))


def conversation(seed: int, index: int, pieces: Sequence[str] = ()) -> Row:
    """Return row `index` of `seed`; words that nobody has seen are made of `pieces`, the tokenizer's own."""
    rng = Dice.of(f"{seed}/{index}", pieces)
    plain = rng.random()
    if plain < COPYING + LOOKUP:
        return repetition(rng) if plain < COPYING else lookup(rng)
    tools = tools_for(rng, rng.choice((1, 2, 3, 3, 4, 4, 5, 5, 6)), odd=rng.random() < ODD)
    w = Writer(rng, tools, manner=rng.randrange(len(SYSTEMS)))
    w.say("system", SYSTEMS[w.manner])
    for _ in range(rng.choice((1, 2, 3, 3))):
        rng.choices(EPISODES, EPISODE_WEIGHTS)[0](w, rng.choice(tools))
    return {"messages": w.messages, "tools": [tool.to_openai() for tool in tools]}
