"""Calls can only name a tool that is on offer: which tokens may come next inside the name of a call.

Decisions: it works on text, so that any tokenizer will do whose single tokens decode to the text that they stand for;
outside a call's name nothing is restricted. Protocol: `evaluation/protocols/hermes.py`, the name first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from evaluation.protocols.hermes import OPEN

_IN_NAME = re.compile(r'\s*\{\s*"name"\s*:\s*"([^"\\]*)\Z')


class Vocabulary:
    """What each token of a tokenizer stands for."""

    def __init__(self, tokenizer: Any) -> None:
        self._texts: list[str] = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
        self._tokens: dict[str, list[int]] = defaultdict(list)
        for token, text in enumerate(self._texts):
            self._tokens[text].append(token)
        self._closing = [token for text, tokens in self._tokens.items() if text.startswith('"') for token in tokens]

    @classmethod
    def load(cls, folder: str | Path) -> Vocabulary:
        """Return the vocabulary of a model folder's tokenizer."""
        return cls(AutoTokenizer.from_pretrained(str(folder)))

    def text(self, token: int) -> str:
        """Return what a token stands for; nothing for an id that the tokenizer does not know."""
        return self._texts[token] if token < len(self._texts) else ""

    def towards(self, rest: str) -> list[int]:
        """Return the tokens that go on with `rest` and then close the string."""
        if not rest:
            return self._closing
        return [token for end in range(1, len(rest) + 1) for token in self._tokens.get(rest[:end], ())]


class NameGuide:
    """Follows one generation."""

    def __init__(self, vocabulary: Vocabulary, names: Sequence[str]) -> None:
        self._vocabulary = vocabulary
        self._names = names
        self._text = ""

    def push(self, token: int) -> None:
        """Take note of the token that was generated."""
        text = self._text + self._vocabulary.text(token)
        at = text.rfind(OPEN)
        # Of text outside of calls only as much is kept as may be the beginning of a call.
        self._text = text[at:] if at >= 0 else text[-len(OPEN) :]

    def allowed(self) -> list[int]:
        """Return the tokens that may come next; none at all means any."""
        inside = _IN_NAME.match(self._text[len(OPEN) :]) if self._text.startswith(OPEN) else None
        if inside is None:
            return []
        begun = inside[1]
        rests = {name[len(begun) :] for name in self._names if name.startswith(begun)}
        return sorted({token for rest in rests for token in self._vocabulary.towards(rest)})
