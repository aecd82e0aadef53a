"""What of an example is compared: a column of text made of its messages.

Decisions: system prompts are left out, since they are the same in thousands of rows and would make all of them alike;
a call is its name and its arguments as they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import pyarrow as pa

from evaluation.records import Example

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("text", pa.large_string()),
        pa.field("task_key", pa.string()),
        pa.field("quality", pa.float64()),
        pa.field("timestamp", pa.timestamp("us", "UTC")),
    ]
)
"""The columns that `dedup` needs."""
_BATCH = 1000


def text_of(messages: Sequence[Mapping[str, Any]], of: Literal["query", "conversation"]) -> str:
    """Return what is compared of messages in the OpenAI shape, a line for each thing that was said or called.

    The query is the last user message before the first answer; all that was said where there is no such message.
    """
    if of == "query":
        answered = next((n for n, message in enumerate(messages) if message["role"] == "assistant"), len(messages))
        asked = [message for message in messages[:answered] if message["role"] == "user"]
        if asked:
            return _content(asked[-1])
    return "\n".join(line for message in messages if message["role"] != "system" for line in _lines(message))


def rows(examples: Iterable[Example], of: Literal["query", "conversation"]) -> Iterator[pa.RecordBatch]:
    """Yield examples as batches of `SCHEMA`."""
    left = iter(examples)
    while some := list(islice(left, _BATCH)):
        columns = {
            "id": [example.id for example in some],
            "text": [text_of([message.to_openai() for message in example.messages], of) for example in some],
            "task_key": [example.task_key for example in some],
            "quality": [example.labels.response_quality for example in some],
            "timestamp": [example.timestamp for example in some],
        }
        yield pa.record_batch(columns, schema=SCHEMA)


def _lines(message: Mapping[str, Any]) -> Iterator[str]:
    if content := _content(message):
        yield content
    for call in message.get("tool_calls") or ():
        yield f"{call['function']['name']} {call['function']['arguments']}"


def _content(message: Mapping[str, Any]) -> str:
    """Return a message's text; of content in parts, the parts that are text."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part)
