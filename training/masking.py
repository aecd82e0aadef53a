"""Give the tools of a conversation other names, everywhere in it, so that a model reads what is said of them.

Trained on few tools, a model learns their names by heart and is lost where another tool is on offer. Rows in which the
names say nothing keep it reading (function masking, Hammer, arXiv 2410.04587). The names are words of the model's own
vocabulary: with names of made-up syllables it learns that a word which it never wrote is no name.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
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
    rng = random.Random(seed)
    names: dict[str, str] = {}
    for tool in tools:
        name = "_".join(rng.choices(words, k=2))
        while name in names.values():
            name = "_".join(rng.choices(words, k=2))
        names[tool["function"]["name"]] = name
    messages, tools = copy.deepcopy(messages), copy.deepcopy(tools)
    for tool in tools:
        tool["function"]["name"] = names[tool["function"]["name"]]
    for message in messages:
        for call in message.get("tool_calls") or ():
            function = call["function"]
            function["name"] = names.get(function["name"], function["name"])
        if message.get("name") in names:
            message["name"] = names[message["name"]]
    return messages, tools
