"""A parquet file of ours: conversations as JSON text, and a column for each figure that one filters and sums by.

Decisions: `messages`, `tools` and `rejected` are JSON texts in the shapes of the chat API, as in a snapshot, since the
schemas of different tools have no type in common. Nothing is lost: what has no column travels in `ratchet`. Reading
takes any table with a column `messages`, be it of JSON texts or of lists.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from evaluation.importers.rows import Row
from evaluation.protocols.strict_json import NotJson, parse_json
from evaluation.records import Message
from training.formats import openai
from training.formats.row import FIELD, Carried, Talk
from training.formats.trl import with_ids

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("task_key", pa.string()),
        pa.field("timestamp", pa.timestamp("us", tz="UTC")),
        pa.field("source", pa.string()),
        pa.field("query", pa.string()),
        pa.field("response", pa.string()),
        pa.field("messages", pa.string(), nullable=False),
        pa.field("tools", pa.string()),
        pa.field("rejected", pa.string()),
        pa.field("success", pa.bool_()),
        pa.field("correct_tool_selection", pa.bool_()),
        pa.field("response_quality", pa.float64()),
        pa.field("validation_confidence", pa.float64()),
        pa.field("user_satisfaction", pa.float64()),
        pa.field("reward", pa.float64()),
        pa.field("latency_ms", pa.float64()),
        pa.field("tokens_in", pa.int64()),
        pa.field("tokens_out", pa.int64()),
        pa.field("cost", pa.float64()),
        pa.field("scenario_id", pa.string()),
        pa.field("part", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("error", pa.string()),
        pa.field(FIELD, pa.string()),
    ]
)
"""Columns of an exported file."""

_TEXTS = ("messages", "tools", "rejected")
_OF_LABELS = ("success", "correct_tool_selection", "response_quality", "validation_confidence", "user_satisfaction")
_OF_METRICS = ("latency_ms", "tokens_in", "tokens_out", "cost")
_OF_PROVENANCE = ("scenario_id", "part", "run_id", "model_version")
_OF_EXAMPLE = ("id", "task_key", "timestamp", "query", "response", "error")


def write(talk: Talk) -> dict[str, Any] | None:
    """Return the columns of the conversation."""
    shown: dict[str, Any] = {"messages": _messages(talk.messages, talk.weights)}
    if talk.tools:
        shown["tools"] = json.dumps([tool.to_openai() for tool in talk.tools], ensure_ascii=False)
    if talk.rejected:
        shown["rejected"] = _messages(talk.rejected)
    return shown


def columns(carried: Carried) -> dict[str, Any]:
    """Return the columns of what is known beside the conversation."""
    example = carried.example or carried.rejected
    if example is None:
        row = dict(carried.row or {})
        return {
            **{name: row.get(name) for name in ("id", "task_key", "source", *_OF_PROVENANCE)},
            "response_quality": row.get("quality"),
            "validation_confidence": row.get("confidence"),
        }
    rewards = carried.trail.rewards
    reward = rewards[-1].signal if rewards else example.reward
    return {
        **{name: getattr(example, name) for name in _OF_EXAMPLE},
        **{name: getattr(example.labels, name) for name in _OF_LABELS},
        **{name: getattr(example.metrics, name) for name in _OF_METRICS},
        **{name: getattr(example.provenance, name) for name in _OF_PROVENANCE},
        "source": example.provenance.source.value,
        "reward": None if reward is None else reward.value,
    }


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a read row that the digest is of."""
    return {name: row.get(name) for name in _TEXTS}


def read(row: Row) -> Talk | None:
    """Return the conversation of a row; mistakes go to the row."""
    texts = {name: _decoded(row, name) for name in _TEXTS}
    if row.mistakes:
        return None
    found = _read(row, texts, "messages")
    other = _read(row, texts, "rejected") if texts["rejected"] else None
    if found is None or row.mistakes:
        return None
    return found if other is None else found.model_copy(update={"rejected": other.messages})


def _decoded(row: Row, name: str) -> Any:
    value = row.data.get(name)
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value) if value else None
    except NotJson as error:
        row.mistake((name,), f"expected JSON text, found: {error}")
        return None


def _read(row: Row, texts: dict[str, Any], name: str) -> Talk | None:
    said = texts[name]
    data = {
        "messages": with_ids(said) if isinstance(said, list) else said,
        "tools": texts["tools"],
        "id": row.data.get("id"),
    }
    return openai.read(Row(row.document, row.at, data, row.mistakes))


def _messages(messages: tuple[Message, ...], weights: tuple[int, ...] = ()) -> str:
    # With the names of tool messages, which a snapshot has, too.
    named = openai.messages_of(messages, weights)
    for out, message in zip(named, messages, strict=True):
        if message.name is not None:
            out["name"] = message.name
    return json.dumps(named, ensure_ascii=False)
