"""OpenAI's file for preference training: `input` with messages and tools, `preferred_output`, `non_preferred_output`.

Format: https://platform.openai.com/docs/guides/direct-preference-optimization. An output is one message of the
assistant, the first in which the two conversations differ: what came after it has no room here. Reading takes outputs
of several messages, too.
Lost without the field `ratchet`: what follows the first differing message, all labels and figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.importers.openai import read_openai
from evaluation.importers.rows import Row
from evaluation.located import Location
from evaluation.records import Message
from training.formats.openai import messages_of, tools_of
from training.formats.row import Talk

_OUTPUTS = ("preferred_output", "non_preferred_output")


def write(talk: Talk) -> dict[str, Any] | None:
    """Return the row; None where there is no other end, or the two do not differ in what the assistant says."""
    at = shared(talk.messages, talk.rejected)
    ends = [said[at : at + 1] for said in (talk.messages, talk.rejected)]
    if not all(end and end[0].role == "assistant" for end in ends):
        return None
    both = [*talk.messages, *talk.rejected]
    return {
        "input": {"messages": messages_of(talk.messages[:at]), **tools_of(both, talk.tools)},
        "preferred_output": messages_of(ends[0]),
        "non_preferred_output": messages_of(ends[1]),
    }


def read(row: Row) -> Talk | None:
    """Return the conversation of a row with both its ends; mistakes go to the row."""
    if not isinstance(row.data, dict) or not isinstance(row.data.get("input"), dict):
        row.mistake(("input",), "expected the messages that both outputs answer, found none")
        return None
    for name in _OUTPUTS:
        if not isinstance(row.data.get(name), list) or not row.data[name]:
            row.mistake((name,), "expected a list with the assistant's message, found none")
    if row.mistakes:
        return None
    found = read_openai(row)
    other = _Other(row.document, row.at, {**row.data, _OUTPUTS[0]: row.data[_OUTPUTS[1]]}, row.mistakes)
    rejected = None if row.mistakes else read_openai(other)
    if found is None or rejected is None:
        return None
    tools = tuple(tool.spec() for tool in found.tools)
    return Talk(messages=found.messages, tools=tools, rejected=rejected.messages, weights=())


def shared(messages: Sequence[Message], rejected: Sequence[Message]) -> int:
    """Return how many messages both begin with."""
    pairs = zip(messages, rejected, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(messages), len(rejected)))


class _Other(Row):
    """The row with its ends exchanged, so that its mistakes still name what stands in the file."""

    def mistake(self, where: Location, text: str) -> None:
        """Note a mistake under the name of the field that was read."""
        super().mistake((_OUTPUTS[1], *where[1:]) if where[:1] == _OUTPUTS[:1] else where, text)
