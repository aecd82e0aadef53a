"""Replace personal data in a conversation so that it stays the same conversation.

Decisions: two passes over one example: first everything is found, then every text is rewritten with the same
replacements; so an address that the user says, a tool returns and the next call uses is one address afterwards too.
Only text is touched: message contents, string values of arguments and of JSON tool results, and numbers in them that
were found as text. Never touched: ids, JSON keys, tool names, and values that stand in the tools' own definitions (an
enum value has to stay callable).
Not covered: what `training/privacy/pii.py` does not find; a number of which only a part is repeated.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from evaluation.records import Message, ToolSpec
from training.privacy.config import PrivacyConfig
from training.privacy.find import find
from training.privacy.kinds import Pii
from training.privacy.pseudonyms import Pseudonyms

_JSON_TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<number>(?<![\w.+-])\d{7,19}(?![\w.]))')
_DIGIT_RUN = re.compile(r"(?<![\w.+-])[0-9]{7,19}(?![\w]|[.-][0-9])")


class Scrubbed(NamedTuple):
    """A conversation without the personal data that was found."""

    messages: tuple[Message, ...]
    counts: dict[Pii, int]
    """Replacements by kind."""


def scrub(
    messages: Sequence[Message], tools: Sequence[ToolSpec], key: str, config: PrivacyConfig | None = None
) -> Scrubbed:
    """Return the messages with all findings replaced; the same `key` (the example's id) gives the same result."""
    scrubber = _Scrubber(messages, tools, key)
    return Scrubbed(tuple(scrubber.message(message) for message in messages), dict(scrubber.counts))


class _Scrubber:
    """One example's replacements and their counts."""

    def __init__(self, messages: Sequence[Message], tools: Sequence[ToolSpec], key: str) -> None:
        self._public = json.dumps([tool.to_openai() for tool in tools], ensure_ascii=False)
        self._fakes = Pseudonyms(key)
        self.counts: Counter[Pii] = Counter()
        found = [
            (kind, text[start:end])
            for message in messages
            for text in _texts(message)
            for kind, start, end in find(text)
        ]
        private = [(kind, value) for kind, value in found if value not in self._public]
        for kind, value in found:
            self._fakes.reserve(kind, value)
        for kind, value in private:
            self._fakes.of(kind, value)

    def message(self, message: Message) -> Message:
        if not len(self._fakes):
            return message
        content = self._json(message.content) if _is_json(message) else self._text(message.content)
        calls = tuple(call.model_copy(update={"arguments": self._value(call.arguments)}) for call in message.tool_calls)
        return message.model_copy(update={"content": content, "tool_calls": calls})

    def _text(self, text: str) -> str:
        out, at = [], 0
        for kind, start, end in find(text):
            value = text[start:end]
            if value not in self._public:
                out += [self._digits(text[at:start]), self._fakes.of(kind, value)]
                self.counts[kind] += 1
                at = end
        return "".join([*out, self._digits(text[at:])])

    def _digits(self, text: str) -> str:
        """Replace bare digits that are a number found elsewhere with separators."""
        return _DIGIT_RUN.sub(lambda match: self._fakes.number(match.group()) or match.group(), text)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {key: self._value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return int(self._fakes.number(str(value)) or value)
        return value

    def _json(self, text: str) -> str:
        """Rewrite the string values of a JSON text and leave every other character as it is."""

        def rewrite(match: re.Match[str]) -> str:
            if match["number"]:
                return self._fakes.number(match["number"]) or match["number"]
            if match["colon"]:
                return match.group()
            before = json.loads(match["string"])
            after = self._text(before)
            return match.group() if after == before else json.dumps(after, ensure_ascii=match["string"].isascii())

        return _JSON_TOKEN.sub(rewrite, text)


def _is_json(message: Message) -> bool:
    if message.role != "tool" or not message.content.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(message.content)
    except ValueError:
        return False
    return True


def _texts(message: Message) -> Iterator[str]:
    yield from _strings(json.loads(message.content)) if _is_json(message) else (message.content,)
    for call in message.tool_calls:
        yield from _strings(call.arguments)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
