"""Replace personal data in a conversation so that it stays the same conversation.

Decisions: two passes over one example: first everything is found, then every text is rewritten with the same
replacements; so an address that the user says, a tool returns and the next call uses is one address afterwards too.
Only text is touched: message contents, string values of arguments and of JSON tool results, keys in them that are no
plain words (a map by address), and numbers that were found as text or that their key names. Never touched: ids, tool
names, and values that stand in the tools' own definitions (a property's name or an enum value has to stay callable).
What was scrubbed is not changed by scrubbing it again.
Not covered: what `training/privacy/find.py` does not find; a number of which only a part is repeated.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from evaluation.records import Message, ToolSpec
from training.privacy.arguments import limited
from training.privacy.config import PrivacyConfig
from training.privacy.fields import another, is_json, is_number, is_plain, named, rewrite_json, texts_of
from training.privacy.find import DEFAULT, find
from training.privacy.kinds import Finding, Pii
from training.privacy.pseudonyms import Fits, Pseudonyms
from training.privacy.public import public_of

_DIGIT_RUN = re.compile(r"(?<![\w.+-])[0-9]{7,19}(?![\w]|[.-][0-9])")


class Scrubbed(NamedTuple):
    """A conversation without the personal data that was found."""

    messages: tuple[Message, ...]
    counts: dict[Pii, int]
    """Replacements by kind."""


class ScrubReport(NamedTuple):
    """What was replaced, without any of the values."""

    messages: tuple[Message, ...]
    counts: dict[tuple[Pii, str], int]
    """Replacements by kind and field."""
    unfit: int
    """Values for which no replacement fitted the schema of the argument in which they stand."""


def scrub(
    messages: Sequence[Message], tools: Sequence[ToolSpec], key: str, config: PrivacyConfig | None = None
) -> Scrubbed:
    """Return the messages with all findings replaced; the same `key` (the example's id) gives the same result.

    Raises `ScrubError` where a value has no free replacement, and `PrivacyError` as `find` does.
    """
    report = scrub_with_fields(messages, tools, key, config)
    counts = Counter[Pii]()
    for (kind, _), count in report.counts.items():
        counts[kind] += count
    return Scrubbed(report.messages, dict(counts))


def scrub_with_fields(
    messages: Sequence[Message], tools: Sequence[ToolSpec], key: str, config: PrivacyConfig | None = None
) -> ScrubReport:
    """Return what `scrub` does, with the fields that replacements stand in. Raises the same."""
    scrubber = _Scrubber(messages, tools, key, config or DEFAULT)
    done = tuple(scrubber.message(message) for message in messages)
    return ScrubReport(done, dict(scrubber.counts), scrubber.fakes.unfit)


def scrub_texts(
    texts: Sequence[str], like: Sequence[Message], key: str, config: PrivacyConfig | None = None
) -> list[str]:
    """Return further texts of an example (query, context) with the replacements that its messages have, too."""
    carried = [Message(role="user", content=text) for text in texts]
    done = scrub([*like, *carried], (), key, config).messages
    return [message.content for message in done[len(like) :]]


class _Scrubber:
    """One example's replacements and their counts."""

    def __init__(self, messages: Sequence[Message], tools: Sequence[ToolSpec], key: str, config: PrivacyConfig) -> None:
        told = json.dumps([tool.to_openai() for tool in tools], ensure_ascii=False) if tools else ""
        self._public = public_of(told, config).values
        self._config = config
        self._known: dict[tuple[str, str], list[Finding]] = {}
        self.fakes = Pseudonyms(key, config)
        self.counts: Counter[tuple[Pii, str]] = Counter()
        found = [
            (kind, one.text[start:end])
            for message in messages
            for one in texts_of(message)
            for kind, start, end in self._find(one.text, one.label)
        ]
        if not found:
            return
        for kind, value in found:
            self.fakes.reserve(kind, value)
        self._ask(messages, tools)
        for kind, value in found:
            self.fakes.of(kind, value)

    def _find(self, text: str, label: str) -> list[Finding]:
        """Return what is found and is neither public nor a replacement already."""
        at = (text, label)
        if at not in self._known:
            self._known[at] = [
                one
                for one in find(text, self._config, label)
                if (value := text[one.start : one.end]) not in self._public and not self.fakes.made(one.kind, value)
            ]
        return self._known[at]

    def _ask(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> None:
        """Let the schemas of the tools limit the replacements of what stands in arguments."""
        known = {tool.name: tool for tool in tools}
        for message in messages:
            for call in message.tool_calls:
                for text, label, fits in limited(call, known):
                    for kind, start, end in self._find(text, label):
                        self.fakes.ask(kind, text[start:end], _within(fits, text[:start], text[end:]))

    def message(self, message: Message) -> Message:
        if not len(self.fakes):
            return message
        if is_json(message):
            field = f"{message.name or 'tool'}.result"
            content = rewrite_json(
                message.content,
                lambda text, label: self._text(text, f"{field}.{named(label)}", label),
                lambda digits, label: self._number(digits, f"{field}.{named(label)}", label),
            )
        else:
            content = self._text(message.content, message.role, "")
        calls = tuple(
            call.model_copy(update={"arguments": self._value(call.arguments, f"{call.name}.arguments", "")})
            for call in message.tool_calls
        )
        return message.model_copy(update={"content": content, "tool_calls": calls})

    def _text(self, text: str, field: str, label: str) -> str:
        out, at = [], 0
        for kind, start, end in self._find(text, label):
            out += [self._digits(text[at:start]), self.fakes.of(kind, text[start:end])]
            self.counts[kind, field] += 1
            at = end
        return "".join([*out, self._digits(text[at:])])

    def _digits(self, text: str) -> str:
        """Replace bare digits that are a number found elsewhere with separators."""
        return _DIGIT_RUN.sub(lambda match: self.fakes.number(match.group()) or match.group(), text)

    def _number(self, digits: str, field: str, label: str) -> str:
        found = self._find(digits, label)
        if len(found) == 1 and found[0][1:] == (0, len(digits)):
            self.counts[found[0].kind, field] += 1
            return self.fakes.of(found[0].kind, digits)
        return self.fakes.number(digits) or digits

    def _value(self, value: Any, field: str, label: str) -> Any:
        if isinstance(value, str):
            return self._text(value, field, label)
        if isinstance(value, dict):
            return self._map(value, field, label)
        if isinstance(value, list):
            return [self._value(item, field, label) for item in value]
        return type(value)(self._number(str(int(value)), field, label)) if is_number(value) else value

    def _map(self, value: dict[str, Any], field: str, label: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        taken = set(value)
        for key, item in value.items():
            name = key if is_plain(key) or key in self._public else self._text(key, f"{field}.…", label)
            out[another(name, taken) if name != key else key] = self._value(item, f"{field}.{named(key)}", key)
        return out


def _within(fits: Fits, before: str, after: str) -> Fits:
    return lambda fake: fits(f"{before}{fake}{after}")
