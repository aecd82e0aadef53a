"""What a user is told of what was found out: `Query: …`, `Analysis: <JSON>`, and the final message.

Decisions: quality of at least 4.0 unless configured otherwise. The analysis is the example's own where that is JSON (an
agent's), else what was called, with arguments and results, which is all that the final message can rest on; without
either there is nothing to summarise, and no row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from evaluation.records import Message
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.kinds.base import AT_KIND, LIMITS, Item, Kind, Left, good, prompted, query_place, row_id

MIN_QUALITY = 4.0


def make(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    """Return query, analysis and final message."""
    example = good(item, limits, MIN_QUALITY)
    if isinstance(example, Left):
        return example
    quality = example.labels.response_quality
    if quality is None and example.labels.user_satisfaction is None and example.id == item.example.id:
        return Left(LIMITS, "quality is not known")
    at = query_place(example.messages)
    last = example.messages[-1]
    if at is None:
        return Left(AT_KIND, "no query")
    if last.role != "assistant" or last.tool_calls or not last.content.strip():
        return Left(AT_KIND, "no final message")
    prompt = prompted(config, "summarizer")
    called = steps(example.messages)
    analysis = _own(example.analysis) or ({"steps": called} if called else None)
    if analysis is None:
        return Left(AT_KIND, "no analysis")
    asked = f"Query: {example.messages[at].content}\n\nAnalysis: {json.dumps(analysis, ensure_ascii=False)}"
    messages = (
        Message(role="system", content=prompt.filled(example.tools)),
        Message(role="user", content=asked),
        Message(role="assistant", content=last.content),
    )
    return [Made(row_id("summarizer", example.id), example, messages, kind="summarizer", turns=(2,),
                 prompt=prompt.version)]  # fmt: skip


def steps(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return what was called, with arguments and results; a result that is JSON stands as such."""
    results = {message.tool_call_id: _json(message.content) for message in messages if message.role == "tool"}
    return [
        {"tool": call.name, "arguments": call.arguments, "result": results.get(call.id)}
        for message in messages
        for call in message.tool_calls
    ]


def _own(analysis: str) -> dict[str, Any] | None:
    found = _json(analysis)
    return found if isinstance(found, dict) and found else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


KIND = Kind("summarizer", "what a user is told of what was found out", make, frozenset({"feedback", "labels"}))
