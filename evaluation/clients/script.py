"""A model that says what a file tells it to: JSON lines, each a rule of what to say when.

A rule: `{"when": "weather in Paris", "after": "user", "say": {"content": "…"}}`, or with calls
`{"say": {"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]}}`. The first rule that fits the last
message answers: `when` occurs in it (in any case of letters), `after` is its role; a rule without either always fits.
Nothing is remembered between calls, so many conversations at once get the same answers as one by one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from evaluation.models import ModelError, ModelErrorKind, ScriptedModel
from evaluation.records import Message, Record, ToolCall, ToolSpec


class SaidCall(Record):
    """A call that a rule makes."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Said(Record):
    """What a rule says."""

    content: str = ""
    tool_calls: tuple[SaidCall, ...] = ()


class Rule(Record):
    """What to say when."""

    when: str = ""
    after: Literal["system", "user", "tool", "assistant"] | None = None
    say: Said

    def fits(self, last: Message) -> bool:
        return self.when.casefold() in last.content.casefold() and self.after in (None, last.role)


class ScriptError(ValueError):
    """A script cannot be read; the message lists every mistake with its line."""


def scripted(path: Path) -> ScriptedModel:
    """Return the model that a file scripts, named `scripted:` and the file's stem. Raises `ScriptError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "a file that is not UTF-8"
        raise ScriptError(f"expected a script at {path}, found {why}") from error
    rules, mistakes = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            rules.append(Rule.model_validate(json.loads(line)))
        except ValidationError as error:
            found = [f"{'.'.join(map(str, one['loc'])) or 'the line'}: {one['msg']}" for one in error.errors()]
            mistakes.append(f"line {number}: {'; '.join(found)}")
        except (ValueError, RecursionError) as error:
            mistakes.append(f"line {number}: expected a rule as JSON, found {error}")
    if not rules and not mistakes:
        mistakes = ['expected at least one rule, such as {"say": {"content": "hello"}}, found none']
    if mistakes:
        raise ScriptError(f"{path}: {'; '.join(mistakes)}")
    name = f"scripted:{path.stem}"

    def say(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Message:
        said = next((rule.say for rule in rules if messages and rule.fits(messages[-1])), None)
        if said is None:
            last = f"{messages[-1].role}: {messages[-1].content[:80]!r}" if messages else "no message"
            raise ModelError(f"{path}: no rule fits after {last}", ModelErrorKind.NO_ANSWER)
        calls = tuple(
            ToolCall(id=f"call_{len(messages)}_{n}", name=call.name, arguments=call.arguments)
            for n, call in enumerate(said.tool_calls)
        )
        return Message(role="assistant", content=said.content, tool_calls=calls)

    return ScriptedModel(say, name)
