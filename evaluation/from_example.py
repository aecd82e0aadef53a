"""A production failure becomes a scenario: the conversation as far as the question, and what would have been right.

Decisions: what is right is said by a person, else by what somebody suggested, else by a correction of the example;
where nobody says it, there is no scenario (`PinError`), since one that anything passes guards nothing. Production tools
are never executed: where the results of all expected calls were recorded the scenario answers with those, else it ends
with the calls. Of a suggested text the figures have to be stated, and the whole where it is short; a longer text
without figures could be said in many ways and is refused. Nothing of the user but what was said goes in, no hash and no
conversation's name. Its part is `held_out`, so that attempts at it are never trained on. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.examples import query_index
from evaluation.generate.stub_tools import RECORDED, function_of
from evaluation.records import Example, Feedback, Message, Source, ToolCall, ToolSpec, stable_id
from evaluation.regression import tagged
from evaluation.scenario_checks import scenario_mistakes
from evaluation.scenarios import (
    Expected,
    ExpectedAnswer,
    ExpectedArgument,
    ExpectedCall,
    Kind,
    Part,
    Scenario,
    ToolDef,
)
from evaluation.validators.accepted import describes

HOW = "say it with --expect-call JSON, --expect-answer WORDS or --expect FILE"
MOST_WORDS = 6
"""Words of a suggested text that is expected as it is."""
_ANY_NUMBER = 1e300
_TOKEN = re.compile(r"(?<!\w)[-−]?\w+(?:[.,:/-]\w+)*")
_CALL = re.compile(r"([\w.-]+)\((\{.*\})\)", re.DOTALL)


class PinError(Exception):
    """A scenario cannot be pinned as it is asked for. Says what was expected, found, and what to change."""


def scenario_of_example(
    example: Example, feedback: Sequence[Feedback] = (), *, expected: Expected | None = None
) -> Scenario:
    """Return the scenario that asks what `example` was asked.

    What is right is `expected`; else what the latest usable `feedback` suggests; else what the example itself did where
    it is labelled a success, or its `recovery.correct_response`. The id depends on the example and on what is expected.
    Raises `PinError` where nothing tells what is right, and where what is told cannot be judged.
    """
    at = _asked_at(example)
    right = expected or _expected(example, feedback, example.messages[at + 1 :])
    recorded = _recorded(example.messages[at + 1 :])
    executed = _is_executed(right, recorded, example.tools)
    made = Scenario(
        id=f"example-{stable_id(example.id, right.model_dump(mode='json'))[:12]}",
        group=f"example-{example.id}",
        part=Part.HELD_OUT,
        kind=Kind.IMPORTED,
        task_key=example.task_key,
        messages=example.messages[: at + 1],
        tools=tuple(_tool(tool, executed) for tool in example.tools),
        world={RECORDED: recorded} if executed and recorded else {},
        expected=right,
        stop="answer" if executed else "calls",
    )
    if mistakes := [f"{'.'.join(map(str, where))}: {text}" for where, text in scenario_mistakes(made)]:
        raise PinError(f"example {example.id} makes no scenario: {'; '.join(mistakes)}; {HOW}")
    return tagged(made)


def _asked_at(example: Example) -> int:
    """Return where the question stands: in production the last one, else the last before the first answer."""
    at = query_index(example.messages)
    if example.provenance.source is Source.PRODUCTION:
        at = max((n for n, message in enumerate(example.messages) if message.role == "user"), default=None)
    if at is None:
        raise PinError(f"example {example.id}: expected a user's message to ask again, found none; pin another example")
    return at


def _expected(example: Example, feedback: Sequence[Feedback], said: Sequence[Message]) -> Expected:
    given = sorted(feedback, key=lambda one: (one.timestamp, one.id), reverse=True)
    for one in given:
        if one.suggested_tools or one.suggested_response:
            return _suggested(example, one, said)
    if example.labels.success is True:
        calls = tuple(_exactly(call.name, call.arguments) for message in said for call in message.tool_calls)
        if calls:
            return Expected(calls=calls)
        return Expected(answer=_stating(example, example.response, "response"))
    if example.recovery is not None and example.recovery.correct_response:
        return _told(example, example.recovery.correct_response)
    raise PinError(
        f"example {example.id}: expected something that tells what would have been right (feedback with suggested tools"
        f" or a suggested response, or a corrected response), found none; {HOW}"
    )


def _suggested(example: Example, given: Feedback, said: Sequence[Message]) -> Expected:
    """Return what a person suggested: the tools, with the calls as they were made where those were right."""
    made = [call for message in said for call in message.tool_calls]
    named = dict.fromkeys(given.suggested_tools)
    response = given.suggested_response
    answer = _stating(example, response, "suggested response") if response else None
    if not named and given.tool_selection is not None and given.tool_selection < 4:
        raise PinError(
            f"example {example.id}: expected suggested tools where their selection is rated {given.tool_selection},"
            f" found a suggested response alone; {HOW}"
        )
    if not named or (answer is not None and named.keys() == {call.name for call in made}):
        return Expected(calls=tuple(_exactly(call.name, call.arguments) for call in made), answer=answer)
    return Expected(calls=tuple(_whatever(example, name) for name in named), order="any", answer=answer)


def _told(example: Example, text: str) -> Expected:
    """Return what a corrected response says: calls, as `name({…}); name({…})`, or an answer."""
    calls = []
    for part in text.split("; "):
        found = _CALL.fullmatch(part.strip())
        arguments = _json(found[2]) if found else None
        if found is None or not isinstance(arguments, dict):
            return Expected(answer=_stating(example, text, "correct response"))
        calls.append(_exactly(found[1], arguments))
    return Expected(calls=tuple(calls))


def _stating(example: Example, text: str, what: str) -> ExpectedAnswer:
    """Return an answer that states the text's figures, or the text itself where it is short and has none."""
    figures = tuple(dict.fromkeys(token for token in _TOKEN.findall(text) if any(map(str.isdigit, token))))
    if not figures and not 0 < len(text.split()) <= MOST_WORDS:
        raise PinError(
            f"example {example.id}: expected a {what} of figures or at most {MOST_WORDS} words, of which can be told"
            f" whether an answer says them, found {text[:80]!r}; give the words that count: --expect-answer WORDS"
        )
    return ExpectedAnswer(contains=figures or (text.strip(),), reference=text)


def _exactly(name: str, arguments: Mapping[str, Any]) -> ExpectedCall:
    return ExpectedCall(name=name, arguments={key: ExpectedArgument(any_of=(v,)) for key, v in arguments.items()})


def _whatever(example: Example, name: str) -> ExpectedCall:
    """Return a call of the tool with any arguments that it can have: nobody said which."""
    tool = next((tool for tool in example.tools if tool.name == name), None)
    if tool is None:
        offered = ", ".join(tool.name for tool in example.tools) or "none"
        raise PinError(
            f"example {example.id}: expected a suggested tool that was offered ({offered}), found {name!r}; {HOW}"
        )
    required = tool.parameters.get("required", ())
    properties = tool.parameters.get("properties", {})
    arguments = {key: _any_value(schema, key in required) for key, schema in properties.items()}
    if untold := [key for key, argument in arguments.items() if argument is None]:
        raise PinError(
            f"example {example.id}: expected the arguments of {name}, of which {', '.join(untold)} may be anything,"
            f' found its name alone; give --expect-call \'{{"name": "{name}", "arguments": {{…}}}}\''
        )
    return ExpectedCall(name=name, arguments={key: one for key, one in arguments.items() if one is not None})


def _any_value(schema: Any, required: bool) -> ExpectedArgument | None:
    """Return an argument that may be any value of its type; None where no expectation can say so (lists, objects)."""
    schema = schema if isinstance(schema, Mapping) else {}
    optional = not required
    if isinstance(schema.get("enum"), list):
        return ExpectedArgument(any_of=tuple(schema["enum"]), optional=optional)
    match schema.get("type"):
        case "string":
            return ExpectedArgument(regex="(?s).*", optional=optional)
        case "boolean":
            return ExpectedArgument(any_of=(True, False), optional=optional)
        case "integer" | "number":
            return ExpectedArgument(any_of=(0,), tolerance=_ANY_NUMBER, optional=optional)
    return None


def _recorded(said: Sequence[Message]) -> dict[str, list[dict[str, Any]]]:
    """Return the calls of these messages with the results that they had, by tool, as recorded tools answer them."""
    results = {message.tool_call_id: message.content for message in said if message.role == "tool"}
    out: dict[str, list[dict[str, Any]]] = {}
    for call in (call for message in said for call in message.tool_calls if call.id in results):
        known = _json(results[call.id])
        result = results[call.id] if known is None else known
        out.setdefault(call.name, []).append({"arguments": call.arguments, "result": result})
    return out


def _is_executed(right: Expected, recorded: Mapping[str, list[dict[str, Any]]], tools: Sequence[ToolSpec]) -> bool:
    """Say whether the scenario goes on to an answer: no call is expected, or each has its recorded result.

    Raises `PinError` where an answer is expected that would need results which were not recorded.
    """
    schemas = {tool.name: tool.parameters for tool in tools}
    unknown = [call.name for call in right.calls if not _is_recorded(call, recorded, schemas.get(call.name, {}))]
    if right.any_call:
        unknown.append("any tool")
    if unknown and right.answer is not None and right.answer != ExpectedAnswer(reference=right.answer.reference):
        raise PinError(
            f"expected recorded results of the calls that the answer needs, found none of {', '.join(unknown)}, and"
            " production tools are not executed; expect the calls or the answer, not both"
        )
    return not unknown


def _is_recorded(call: ExpectedCall, recorded: Mapping[str, list[dict[str, Any]]], schema: Mapping[str, Any]) -> bool:
    made = (ToolCall(id="", name=call.name, arguments=one["arguments"]) for one in recorded.get(call.name, ()))
    return any(describes(call, one, schema) for one in made)


def _tool(tool: ToolSpec, executed: bool) -> ToolDef:
    return ToolDef(**tool.model_dump(), function=function_of(tool.name) if executed else None)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
