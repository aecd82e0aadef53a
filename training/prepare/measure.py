"""Figures of one row that tell whether it is unlike the others: length, latency, tokens, repetition, writing."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.records import Message, Metrics

_WORD = re.compile(r"\w+")
_GRAM = 4
_LOOKED_AT = 2_000
"""Characters of a text whose script is told."""
_LETTERS = 20
"""Letters that a text needs to be in a script."""


@dataclass(frozen=True)
class Figures:
    """Of one row. NaN where it is not known."""

    chars: float
    """Of all messages, calls included."""
    latency_ms: float
    token_ratio: float
    """Tokens out to tokens in."""
    repetition: float
    """Share of the assistant's word 4-grams that it had said before."""
    other_script: bool
    """User and assistant write in different scripts."""


def measure(messages: Sequence[Message], metrics: Metrics) -> Figures:
    """Return the figures of a conversation."""
    said = " ".join(message.content for message in messages if message.role == "assistant")
    asked = " ".join(message.content for message in messages if message.role == "user")
    known = metrics.tokens_in > 0 and metrics.tokens_out > 0
    scripts = {script(text) for text in (said, asked)} - {None}
    return Figures(
        chars=float(length(messages)),
        latency_ms=metrics.latency_ms or float("nan"),
        token_ratio=metrics.tokens_out / metrics.tokens_in if known else float("nan"),
        repetition=repetition(said),
        other_script=len(scripts) > 1,
    )


def length(messages: Sequence[Message]) -> int:
    """Return the characters of all messages, names and arguments of calls included."""
    calls = (call for message in messages for call in message.tool_calls)
    return sum(len(message.content) for message in messages) + sum(
        len(call.name) + len(str(call.arguments)) for call in calls
    )


def repetition(text: str) -> float:
    """Return the share of word 4-grams that stand in the text before; 0 for short texts."""
    words = _WORD.findall(text.casefold())
    grams = Counter(zip(*(words[at:] for at in range(_GRAM)), strict=False))
    count = grams.total()
    return 0.0 if count < 2 * _GRAM else 1 - len(grams) / count


def script(text: str) -> str | None:
    """Return the script of most letters, `LATIN`, `CYRILLIC`, `CJK`, …; None for a text with few letters.

    What is written with more than one of the scripts of Japanese or Korean counts as `CJK`.
    """
    if text.isascii():
        return "LATIN" if sum(map(str.isalpha, text[:_LOOKED_AT])) >= _LETTERS else None
    found = Counter(unicodedata.name(c, "?").partition(" ")[0] for c in text[:_LOOKED_AT] if c.isalpha())
    for name in ("HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH"):
        found["CJK"] += found.pop(name, 0)
    if found.total() < _LETTERS:
        return None
    return found.most_common(1)[0][0]
