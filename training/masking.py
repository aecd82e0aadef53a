"""Give the tools of a conversation other names, everywhere in it, so that a model reads what is said of them.

Trained on few tools, a model learns their names by heart and is lost where another tool is on offer. Rows in which the
names say nothing keep it reading (function masking, Hammer, arXiv 2410.04587).
"""

from __future__ import annotations

import copy
import random
from typing import Any

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


def masked(
    messages: list[dict[str, Any]], tools: list[dict[str, Any]], seed: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return copies of OpenAI `messages` and `tools` in which each tool on offer has a name like `kelo_dari`."""
    rng = random.Random(seed)
    names: dict[str, str] = {}
    for tool in tools:
        name = _name(rng)
        while name in names.values():
            name = _name(rng)
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


def _name(rng: random.Random) -> str:
    return "_".join("".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(2)) for _ in range(2))
