"""Conversations about made-up tools, beside the selected examples: what a small model can do at large it keeps doing.

Trained on one suite alone, a small model forgets how to read a tool that it has not met (rehearsal against forgetting,
Robins 1995, doi:10.1080/09540099550039318). They are `tiny`'s own kind (`training/tiny/generator.py`), and say nothing
of any suite.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from evaluation.records import Source
from training.snapshot import SnapshotRow
from training.tiny.generator import conversation

SHARE_IF_SMALL = 0.3


def rehearsal(count: int, seed: int, task_key: str) -> Iterator[SnapshotRow]:
    """Yield `count` rows in which tools are on offer; the same for the same seed."""
    made = (conversation(seed, index) for index in itertools.count())
    rows = (row for row in made if row["tools"])
    for number, row in enumerate(itertools.islice(rows, count)):
        yield SnapshotRow(
            id=f"rehearsal-{seed}-{number:06}",
            task_key=task_key,
            messages=json.dumps([_openai(message) for message in row["messages"]], ensure_ascii=False),
            tools=json.dumps(row["tools"], ensure_ascii=False),
            source=Source.SYNTHETIC,
            scenario_group=f"rehearsal-{seed}-{number:06}",
            confidence=1.0,
        )


def _openai(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message with its arguments as JSON text."""
    calls = [
        call | {"function": call["function"] | {"arguments": json.dumps(call["function"]["arguments"])}}
        for call in message.get("tool_calls") or ()
    ]
    return message | ({"tool_calls": calls} if calls else {})
