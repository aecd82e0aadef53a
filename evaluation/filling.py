"""Values into texts: how placeholders are filled, and how a value is said in an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from evaluation.records import Message
from evaluation.scenarios import ExpectedAnswer
from evaluation.templates import PLACEHOLDER, Intent


def answer_mistakes(answer: ExpectedAnswer) -> list[str]:
    """Return what the reference answer leaves out of what it has to contain."""
    said = _plain(answer.reference)
    missing = [text for text in answer.contains if _plain(text) not in said]
    if answer.any_of and not any(_plain(text) in said for text in answer.any_of):
        missing.append(f"one of {list(answer.any_of)}")
    return missing


def _plain(text: str) -> str:
    return re.sub(r"(?<=\d)[,\u202f\u00a0](?=\d{3}\b)", "", text).casefold()


def render(value: Any) -> str:
    """Return a JSON value as an answer states it: `12`, `12.5`, `yes`, `a, b`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, list):
        return ", ".join(map(render, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Return `text` with its placeholders replaced."""
    return PLACEHOLDER.sub(lambda m: render(values[m[1]]), text)


def earlier_messages(intent: Intent, values: Mapping[str, Any]) -> list[Message]:
    """Return what was said before the user says what is wanted."""
    texts = [fill(text, values) for text in intent.told]
    return [Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(texts)]


def user_words(intent: Intent, values: Mapping[str, Any], message: str) -> str:
    """Return all that the user says, `message` last."""
    said = [earlier.content for earlier in earlier_messages(intent, values) if earlier.role == "user"]
    return " | ".join([*said, message])


def fill_value(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a JSON value with its placeholders replaced; a text that is one placeholder becomes the value itself.

    Keys of objects are texts, too.
    """
    if isinstance(value, str):
        alone = PLACEHOLDER.fullmatch(value)
        return values[alone[1]] if alone else fill(value, values)
    if isinstance(value, dict):
        return {fill(key, values): fill_value(item, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill_value(item, values) for item in value]
    return value


def result_values(results: list[Any]) -> dict[str, Any]:
    """Return every field of the results, by its placeholder: `result.0.city.name`."""
    return {name: value for at, result in enumerate(results) for name, value in _fields(f"result.{at}", result)}


def _fields(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield name, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _fields(f"{name}.{key}", item)
