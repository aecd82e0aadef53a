"""Give the tools of a conversation other names, everywhere in it, so that a model reads what is said of them.

Trained on few tools, a model learns their names by heart and is lost where another tool is on offer. Rows in which the
names say nothing keep it reading (function masking, Hammer, arXiv 2410.04587). The names are words of the model's own
vocabulary: with names of made-up syllables it learns that a word which it never wrote is no name.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any


def vocabulary_words(tokenizer: Any) -> tuple[str, ...]:
    """Return the words of three to ten letters that are one token each, in order."""
    texts = (text.strip() for text in tokenizer.batch_decode([[token] for token in range(len(tokenizer))]))
    return tuple(
        sorted(
            {text for text in texts if text.isascii() and text.isalpha() and text.islower() and 3 <= len(text) <= 10}
        )
    )


def masked(
    messages: list[dict[str, Any]], tools: list[dict[str, Any]], seed: str, words: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return copies of OpenAI `messages` and `tools` in which each tool on offer is named by two of `words`."""
    names = other_names(tools, seed, words)
    return renamed(messages, names), renamed_tools(tools, names)


def other_names(tools: Sequence[dict[str, Any]], seed: str, words: Sequence[str]) -> dict[str, str]:
    """Return a name of two of `words` for each of the tools, by their own; the same for the same seed."""
    rng = random.Random(seed)
    names: dict[str, str] = {}
    for tool in tools:
        name = "_".join(rng.choices(words, k=2))
        while name in names.values():
            name = "_".join(rng.choices(words, k=2))
        names[tool["function"]["name"]] = name
    return names


def renamed_tools(tools: Sequence[dict[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the tools by their other `names`."""
    return [{**tool, "function": {**tool["function"], "name": names[tool["function"]["name"]]}} for tool in tools]


def renamed(messages: Sequence[dict[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the messages with calls and results of the tools by their other `names`."""
    out = []
    for message in messages:
        changed = dict(message)
        if calls := message.get("tool_calls"):
            changed["tool_calls"] = [{**call, "function": _called(call["function"], names)} for call in calls]
        if message.get("name") in names:
            changed["name"] = names[message["name"]]
        out.append(changed)
    return out


def _called(function: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {**function, "name": names.get(function["name"], function["name"])}
