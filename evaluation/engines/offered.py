"""Calls can only name a tool that is on offer, and its parameters: which tokens may come next inside a name or a key.

Decisions: it works on text, so that any tokenizer will do whose tokens stand for the same text wherever they are, but
for what they put between themselves and a word before them (a space, where they begin one).
Nothing else is restricted: a model may leave a required argument out, or give a wrong value, and its validators say so.
Protocol: `evaluation/protocols/hermes.py`, the name before the arguments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from evaluation.protocols.hermes import OPEN
from evaluation.records import ToolSpec

Offered = Mapping[str, tuple[str, ...]]
"""Parameters by tool; none at all: any."""


def offered(tools: Sequence[ToolSpec]) -> Offered:
    """Return what calls of `tools` may name; any parameter where a schema admits further ones, or lists none."""
    return {tool.name: _parameters(tool.parameters) for tool in tools}


def _parameters(schema: Mapping[str, Any]) -> tuple[str, ...]:
    properties, further = schema.get("properties"), schema.get("additionalProperties", False)
    return () if further is not False or not isinstance(properties, Mapping) else tuple(properties)


class _Texts:
    """The text of each token in one place, and the tokens of each text."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.of = texts
        self.tokens: dict[str, list[int]] = defaultdict(list)
        for token, text in enumerate(texts):
            self.tokens[text].append(token)
        self.closing = [token for text, tokens in self.tokens.items() if text.startswith('"') for token in tokens]


class Vocabulary:
    """What each token of a tokenizer stands for; `inside`: right behind a letter or a digit."""

    def __init__(self, tokenizer: Any) -> None:
        alone: list[str] = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
        letter = alone.index("a") if "a" in alone else None
        behind = alone
        if letter is not None:
            both = tokenizer.batch_decode([[letter, token] for token in range(len(tokenizer))])
            behind = [text[1:] if text.startswith("a") else own for text, own in zip(both, alone, strict=True)]
        self._texts = {False: _Texts(alone), True: _Texts(behind)}

    @classmethod
    def load(cls, folder: str | Path) -> Vocabulary:
        """Return the vocabulary of a model folder's tokenizer."""
        return cls(AutoTokenizer.from_pretrained(str(folder)))

    def text(self, token: int, *, inside: bool = False) -> str:
        """Return what a token stands for; nothing for an id that the tokenizer does not know."""
        texts = self._texts[inside].of
        return texts[token] if token < len(texts) else ""

    def towards(self, rest: str, *, inside: bool = False) -> list[int]:
        """Return the tokens that go on with `rest` and then close the string."""
        texts = self._texts[inside]
        if not rest:
            return texts.closing
        return [token for end in range(1, len(rest) + 1) for token in texts.tokens.get(rest[:end], ())]


@dataclass
class _Call:
    """Where in the JSON of a call its text has come to."""

    closers: list[str] = field(default_factory=list)
    """Of the objects and lists that are open."""
    keys: list[str] = field(default_factory=list)
    """The key in each of them, the outermost first; empty in lists."""
    string: str | None = None
    """Text so far of the string that is open."""
    is_key: bool = False
    escaped: bool = False
    key_next: bool = False
    name: str = ""
    given: set[str] = field(default_factory=set)
    """Arguments named so far."""

    def feed(self, character: str) -> None:
        """Go on by one character."""
        if self.string is not None:
            self._in_string(character)
        elif character == '"':
            self.string, self.is_key = "", self.key_next
        elif character in "{[":
            self.closers.append("}" if character == "{" else "]")
            self.keys.append("")
            self.key_next = character == "{"
        elif character in "}]" and self.closers:
            self.closers.pop()
            self.keys.pop()
            self.key_next = False
        elif character == ",":
            self.key_next = self.closers[-1:] == ["}"]

    def _in_string(self, character: str) -> None:
        assert self.string is not None
        if self.escaped or character not in '"\\':
            self.escaped = False
            self.string += character
        elif character == "\\":
            self.escaped = True
            self.string += character
        else:
            self._end_string(self.string)

    def _end_string(self, text: str) -> None:
        if self.is_key and self.keys:
            self.keys[-1] = text
            if self.in_arguments:
                self.given.add(text)
        elif self.keys == ["name"]:
            self.name = text
        self.string, self.key_next = None, False

    @property
    def in_arguments(self) -> bool:
        """Whether the innermost object holds the arguments themselves."""
        return len(self.keys) == 2 and self.keys[0] == "arguments" and self.closers[-1] == "}"


class CallGuide:
    """Follows one generation."""

    def __init__(self, vocabulary: Vocabulary, tools: Offered) -> None:
        self._vocabulary = vocabulary
        self._tools = tools
        self._tail = ""
        self._call: _Call | None = None

    def push(self, token: int) -> None:
        """Take note of the token that was generated."""
        for character in self._vocabulary.text(token, inside=self._tail[-1:].isalnum()):
            if self._call is not None:
                self._call.feed(character)
            self._tail = (self._tail + character)[-len(OPEN) :]
            if self._tail == OPEN and (self._call is None or self._call.string is None):
                self._call = _Call()

    def allowed(self) -> list[int]:
        """Return the tokens that may come next; none at all means any."""
        call = self._call
        if call is None or call.string is None or call.escaped:
            return []
        if not call.is_key and call.keys == ["name"]:
            may: Sequence[str] = tuple(self._tools)
        elif call.is_key and call.in_arguments:
            may = [key for key in self._tools.get(call.name, ()) if key not in call.given]
        else:
            return []
        rests = {text[len(call.string) :] for text in may if text.startswith(call.string)}
        inside = call.string[-1:].isalnum()
        return sorted({token for rest in rests for token in self._vocabulary.towards(rest, inside=inside)})
