"""A teacher without a model: reads the same prompts as any, and writes items from the phrasings of the test generator.

Decisions: a real client of the model protocol. It knows nothing but the messages: tools, lines and format are read out
of the prompt. What it draws depends on the sampling's seed alone, so that the same request has the same answer. Tasks
come from `evaluation/generate` (values by parameter, frames of requests), as those of `ratchet test generate` do.
`flaws` is the share of items that it writes badly, each in one of the ways that models have: for rehearsals.
Limits: topics are not minded, and its answers are plain; it shows the way, and is no replacement of a large model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from evaluation.clients.chat_api import estimated_tokens
from evaluation.generate import phrasing
from evaluation.generate.draft import Draft, Unfit
from evaluation.generate.kinds import Maker, Turn
from evaluation.generate.saying import said
from evaluation.generate.similar import content_words
from evaluation.generate.sources import SourceTool
from evaluation.generate.texts import BANK
from evaluation.models import Completion, Sampling
from evaluation.records import Message, RecoveryStrategy, ToolSpec
from evaluation.scenarios import Kind, Part, ToolDef
from training.synthesis.config import Encoding
from training.synthesis.encoding import all_written, written
from training.synthesis.items import Further, Item, ItemCall

NAME = "template"
_TRIES = 30
_TOOLS = re.compile(r"<tools>\n(.*?)\n</tools>", re.DOTALL)
_LINE = re.compile(
    r"^(\d+)\. kind: (\w+)(?:; tool: ([\w, -]+))?(?:; then: ([\w, -]+))?(?:; topic: ([^;\n]*))?"
    r"(?:; say this task in other words: (.*))?$",
    re.MULTILINE,
)
_NUMBERED = re.compile(r"^(\d+(?:\.\d+)?)\. (.*)$", re.MULTILINE)


class TemplateTeacher:
    """Writes what it is asked for, from templates."""

    def __init__(self, flaws: float = 0.0) -> None:
        """`flaws`: share of items that are written badly, 0…1."""
        self._flaws = flaws

    @property
    def name(self) -> str:
        return NAME

    @property
    def template_hash(self) -> str:
        return ""

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the items, or the final answers, that the messages ask for."""
        random = Random(f"{sampling.seed}/{len(messages)}")
        asked = messages[-1].content
        text = self._answers(asked, random) if "<answer n=" in asked else self._items(messages, random)
        most = sampling.max_tokens * 4
        message = Message(role="assistant", content=text[:most])
        finish: Any = "length" if len(text) > most else "stop"
        return Completion(message, estimated_tokens(messages), estimated_tokens([message]), 0.0, finish)

    def _items(self, messages: Sequence[Message], random: Random) -> str:
        first = next(message.content for message in messages if message.role == "user")
        found = _TOOLS.search(first)
        tools = [ToolDef.model_validate_json(line) for line in found[1].splitlines()] if found else []
        wanted = {int(line[1]): line for line in _LINE.finditer(first)}
        if len(messages) > 2:
            again = {int(line[1]) for line in _NUMBERED.finditer(messages[-1].content) if "." not in line[1]}
            wanted = {number: line for number, line in wanted.items() if number in again}
        encoding = Encoding.BLOCKS if "<item n=" in messages[-1].content else Encoding.JSON
        texts = []
        for number, line in wanted.items():
            item = _rephrased(line[6], Kind(line[2]), tools, random) if line[6] else _made(line, tools, random)
            if item is not None:
                text = written(item, number, encoding)
                flawed = len(messages) <= 2 and random.random() < self._flaws
                texts.append(_flawed(text, random) if flawed else text)
        return all_written(texts, encoding)

    def _answers(self, asked: str, random: Random) -> str:
        out = []
        for number, told in _NUMBERED.findall(asked):
            try:
                turns = json.loads(told)
            except ValueError:
                continue
            last = max((at for at, turn in enumerate(turns) if "user" in turn), default=0)
            results = [turn["result"] for turn in turns[last:] if "result" in turn]
            out.append(f'<answer n="{number}">{_told(results, random)}</answer>')
        return "\n".join(out)


def _made(line: re.Match[str], tools: Sequence[ToolDef], random: Random) -> Item | None:
    """Return an item for a line of the prompt; None where none can be made of its tools."""
    first = _first(line, tools, random)
    further = [_further(name.strip(), tools, random) for name in (line[4] or "").split(",") if name.strip()]
    if first is None or None in further:
        return None
    return first.model_copy(update={"then": tuple(further)})


def _further(name: str, tools: Sequence[ToolDef], random: Random) -> Further | None:
    """Return a further request that needs a tool; None where none can be made of it."""
    maker = Maker([SourceTool(tool) for tool in tools if tool.name == name], split_seed=0)
    for _ in range(_TRIES):
        try:
            item = _item(Kind.ONE_CALL, maker.make(Kind.ONE_CALL, Turn(0, Part.TRAIN, random)), random)
        except Unfit:
            continue
        return Further(user=item.user, calls=item.calls, answer=item.answer)
    return None


def _first(line: re.Match[str], tools: Sequence[ToolDef], random: Random) -> Item | None:
    """Return the first request of an item; None where none can be made of the line's tools."""
    kind, names = Kind(line[2]), [name.strip() for name in (line[3] or "").split(",") if name.strip()]
    if kind == Kind.NO_TOOL:
        return _without_tool(tools, random)
    named = [SourceTool(tool) for tool in tools if tool.name in names]
    if not named:
        return None
    maker = Maker(named, split_seed=0)
    for _ in range(_TRIES):
        try:
            draft = maker.make(kind, Turn(0, Part.TRAIN, random))
        except Unfit:
            continue
        if set(names) <= {said.tool.name for said in draft.calls}:
            return _item(kind, draft, random)
    return None


def _item(kind: Kind, draft: Draft, random: Random) -> Item:
    executed = [
        ItemCall(name=call.tool.name, arguments=call.values, result={"status": "done", **call.values})
        for call in draft.calls
    ]
    answer = _told([json.dumps(call.result) for call in executed], random)
    item = Item(kind=kind, user=draft.message, calls=tuple(executed), answer=answer)
    if kind == Kind.MISSING_ARGUMENT and draft.guess is not None:
        name = next(tag.removeprefix("missing:") for tag in draft.tags if tag.startswith("missing:"))
        whole = draft.guess.arguments
        schema = draft.tool.parameters["properties"][name]
        question = draft.expected.answer.reference if draft.expected.answer else "Which one?"
        call = ItemCall(name=draft.tool.name, arguments=whole, result={"status": "done", **whole})
        reply = said(whole[name], name, schema, random)
        answer = _told([json.dumps(call.result)], random)
        return item.model_copy(update={"question": question, "reply": reply, "calls": (call,), "answer": answer})
    if kind == Kind.TOOL_ERROR:
        fault = next(iter(draft.faults.values()))
        retry = fault.times is not None
        return item.model_copy(
            update={
                "error": fault.message,
                "recovery": RecoveryStrategy.RETRY if retry else RecoveryStrategy.GRACEFUL_FAIL,
                "answer": answer if retry else f"Sorry, that did not work: {fault.message}.",
            }
        )
    return item


def _without_tool(tools: Sequence[ToolDef], random: Random) -> Item | None:
    """Return a request that none of the tools can do."""
    known = frozenset().union(*(content_words(tool) for tool in tools))
    fit = [entry for entry in BANK if not entry.about & known]
    if not fit:
        return None
    answer = random.choice(
        ("I have no tool for that.", "Sorry, none of my tools can do that.", "I cannot do that here.")
    )
    return Item(kind=Kind.NO_TOOL, user=random.choice(fit).text(random), answer=answer)


def _rephrased(task: str, kind: Kind, tools: Sequence[ToolDef], random: Random) -> Item | None:
    """Return the task of a line in other words."""
    given = json.loads(task)
    calls = tuple(ItemCall.model_validate(call) for call in given.get("calls", ()))
    by_name = {tool.name: tool for tool in tools}
    if len(calls) != 1 or calls[0].name not in by_name or kind == Kind.MISSING_ARGUMENT:
        opening = random.choice(("Hi, ", "Hello. ", "One question: ", "Please help me: ", "Quick one. ", "Excuse me, "))
        user = opening + given["user"]
    else:
        tool = by_name[calls[0].name]
        spoken = phrasing.speak(tool, calls[0].arguments, random)
        user = phrasing.ask(spoken, random.choice(phrasing.fitting(spoken, phrasing.FRAMES)), random)
    return Item(
        kind=kind,
        user=user,
        question=given.get("question", ""),
        reply=given.get("reply", ""),
        calls=calls,
        answer="Done.",
        then=tuple(
            Further.model_validate(one | {"user": f"And then, {one['user']}", "answer": "Done."})
            for one in given.get("then", ())
        ),
    )


def _told(results: Sequence[str], random: Random) -> str:
    """Return an answer that states what tools returned, or that the last one failed."""
    last = _decoded(results[-1]) if results else None
    if isinstance(last, Mapping) and "error" in last:
        return f"Sorry, that did not work: {last['error']}."
    facts = [fact for result in results for fact in _facts(_decoded(result))]
    opening = random.choice(("Done", "Here you are", "It worked", "I have done that", "That is done"))
    return f"{opening}: {'; '.join(facts[:6])}." if facts else f"{opening}."


def _facts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            shown = inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
            yield f"{name.replace('_', ' ')} {shown}"
    elif value is not None:
        yield str(value)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _flawed(text: str, random: Random) -> str:
    """Return an item as a model writes it now and then."""
    match random.choice(("fence", "comma", "quotes", "tag", "cut", "half")):
        case "fence":
            return text.replace("<call>", "<call>```json\n").replace("</call>", "\n```</call>")
        case "comma":
            return re.sub(r"\}(?=</call>|$)", ",}", text)
        case "quotes":
            return text.replace('"arguments": {"', '“arguments”: {"')
        case "tag":
            return text.replace("</user>", "")
        case "cut":
            return text.replace("</item>", "")
        case _:
            return text[: len(text) // 2]
