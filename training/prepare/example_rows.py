"""From what a kind made of an example to a row of the snapshot, scrubbed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evaluation.records import Example, Message, ToolCall, ToolSpec
from training.privacy.config import PrivacyConfig
from training.privacy.scrub import scrub
from training.snapshot import SnapshotRow


@dataclass(frozen=True)
class Made:
    """One row as a kind makes it, before it is scrubbed."""

    id: str
    example: Example
    """Where it comes from."""
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    kind: str = "chat"
    turns: tuple[int, ...] | None = None
    rejected: tuple[Message, ...] = ()
    reward: float | None = None
    prompt: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    """Replacements by kind of finding."""


def scrubbed(made: Made, config: PrivacyConfig | None = None) -> Made:
    """Return the row with all findings replaced, by values that depend on its id; both sides of a pair alike."""
    whole, counts = scrub((*made.messages, *made.rejected), made.tools, made.id, config)
    said = len(made.messages)
    found = {str(kind): count for kind, count in counts.items()}
    return replace(made, messages=whole[:said], rejected=whole[said:], counts=found)


def to_row(made: Made) -> SnapshotRow:
    """Return the row."""
    origin, labels = made.example.provenance, made.example.labels
    return SnapshotRow(
        id=made.id,
        kind=made.kind,
        task_key=made.example.task_key,
        messages=messages_json(made.messages),
        tools=json.dumps([tool.to_openai() for tool in made.tools], ensure_ascii=False),
        turns=made.turns,
        rejected=messages_json(made.rejected) if made.rejected else None,
        reward=made.reward,
        source=origin.source,
        scenario_id=origin.scenario_id,
        scenario_group=origin.scenario_group,
        part=origin.part,
        quality=labels.response_quality,
        confidence=labels.validation_confidence,
        examples=(origin.parent_id or made.example.id,),
        parent_id=origin.parent_id,
        run_id=origin.run_id,
        model_version=origin.model_version,
        teacher=origin.teacher,
        prompt_variant=origin.prompt_variant,
        prompt=made.prompt,
    )


def messages_json(messages: Sequence[Message]) -> str:
    """Return messages as a JSON list in the OpenAI shape."""
    return json.dumps([message.to_openai() for message in messages], ensure_ascii=False)


def messages_of(messages: Sequence[dict[str, Any]]) -> tuple[Message, ...]:
    """Return the messages that `messages_json` wrote."""
    return tuple(
        Message(
            **message
            | {
                "tool_calls": tuple(
                    ToolCall(id=call["id"], name=call["function"]["name"],
                             arguments=json.loads(call["function"]["arguments"]))
                    for call in message.get("tool_calls", ())
                )
            }
        )
        for message in messages
    )  # fmt: skip
