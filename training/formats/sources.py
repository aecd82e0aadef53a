"""Conversations to be written into a file: of the ledger's examples, or of a snapshot's rows.

Decisions: all of it streams, some hundred at a time. Pairs come from what people said should have been: a reviewer's
correction, a suggested response, or an example that corrects another one (`parent_id`), in this order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import LabelRecord, LabelVerdict
from evaluation.ledger.trail import Trail
from evaluation.records import Example, Feedback, Message, OpenAITool, ToolCall, stable_id
from training.corrections import suggested
from training.formats.lines import FormatError
from training.formats.names import FormatName
from training.formats.row import Carried, Talk, talk_of
from training.snapshot import HOLD_OUT, Snapshot, scan

BATCH = 500
_NO_TRAIL = Trail()
OF_ROWS = frozenset(
    {
        "task_key",
        "sources",
        "run_ids",
        "parts",
        "scenario_id",
        "model_version",
        "min_quality",
        "max_quality",
        "min_confidence",
        "max_confidence",
        "min_reward",
        "max_reward",
        "limit",
    }
)
"""Fields of a filter that a snapshot's rows can be told by."""


def of_ledger(
    ledger: Ledger, wanted: ExampleFilter, *, pairs: bool = False, last_only: bool = False
) -> Iterator[Carried]:
    """Yield the examples that match, with all that was said of them; or, with `pairs`, each with what should have been.

    `last_only`: of each conversation only what follows the user's last words is to be learned.
    """
    examples = ledger.examples(wanted)
    while batch := list(islice(examples, BATCH)):
        said = ledger.feedback_by_example([example.id for example in batch])
        if pairs:
            yield from _pairs(ledger, batch, said)
            continue
        trails = ledger.trails([example.id for example in batch])
        for one in batch:
            weights = _last(one.messages) if last_only else ()
            trail = trails.get(one.id, _NO_TRAIL)
            yield Carried(talk_of(one, weights), one, feedback=said.get(one.id, ()), trail=trail)


def _pairs(ledger: Ledger, batch: Sequence[Example], said: dict[str, tuple[Feedback, ...]]) -> Iterator[Carried]:
    labels = _corrections(ledger, batch)
    parents = ledger.examples_by_id([e.provenance.parent_id for e in batch if e.provenance.parent_id])
    for example in batch:
        feedback = said.get(example.id, ())
        parent = parents.get(example.provenance.parent_id or "")
        if example.id in labels:
            yield _paired(_corrected(example, labels[example.id]), example, feedback, whole=True)
        elif (better := suggested(example, feedback).example) is not None:
            yield _paired(better, example, feedback, whole=False)
        elif parent is not None:
            yield _paired(example, parent, feedback, whole=True)


def _corrections(ledger: Ledger, batch: Sequence[Example]) -> dict[str, LabelRecord]:
    """Return the latest label that says how an example should have been, by example."""
    return {
        example_id: label
        for example_id, labels in ledger.labels_by_example([example.id for example in batch]).items()
        for label in labels
        if label.verdict is LabelVerdict.CORRECT and label.undone_at is None and label.messages
    }


def _paired(better: Example, worse: Example, feedback: Sequence[Feedback], *, whole: bool) -> Carried:
    """`whole`: the better one is an example of its own; otherwise the feedback says all of it."""
    talk = Talk(messages=better.messages, tools=better.tools, rejected=worse.messages, weights=())
    return Carried(talk, better if whole else None, worse, feedback=feedback)


def _corrected(example: Example, label: LabelRecord) -> Example:
    """Return the example as a reviewer has it."""
    name = stable_id("corrected", label.id)
    provenance = example.provenance.model_copy(update={"parent_id": example.id})
    response = label.messages[-1].content if label.messages[-1].role == "assistant" else ""
    update = {"id": name, "messages": label.messages, "response": response, "provenance": provenance}
    return example.model_copy(update=update)


def _last(messages: Sequence[Message]) -> tuple[int, ...]:
    """Return the weights by which only what follows the user's last words is learned."""
    users = [at for at, message in enumerate(messages) if message.role == "user"]
    return tuple(int(not users or at > users[-1]) for at in range(len(messages)))


def of_snapshot(
    snapshot: Snapshot, wanted: ExampleFilter, *, pairs: bool = False, held_out: bool = False
) -> Iterator[Carried]:
    """Yield the snapshot's rows that match, after checking it; with `pairs`, only those with a rejected end.

    `held_out`: only the rows that are kept for evaluation; otherwise only those to train on.

    Raises `FormatError` for a filter that rows cannot be told by, `SnapshotError` for a damaged snapshot.
    """
    asked = wanted.model_dump(exclude_none=True).keys()
    if unknown := sorted(asked - OF_ROWS):
        raise FormatError(
            f"expected filters that a snapshot's rows can be told by ({', '.join(sorted(OF_ROWS))}), found"
            f" {', '.join(unknown)}; filter before the snapshot is made (ratchet data prepare)"
        )
    every = (row for block in scan(snapshot) for row in block.to_pylist())
    rows = (row for row in every if (row["split"] == HOLD_OUT) is held_out and _matches(row, wanted))
    chosen = (row for row in rows if row["rejected"] is not None) if pairs else rows
    yield from map(of_row, islice(chosen, wanted.limit))


def without_rewards(rows: Iterable[Carried], name: FormatName, wanted: ExampleFilter) -> Iterator[Carried]:
    """Yield rows for a format. Raises `FormatError` at one with a reward where neither the format keeps it nor a least
    one is asked for: what reads the file would learn from what was bad as from what was good.
    """
    kept = name is FormatName.PARQUET or wanted.min_reward is not None
    for carried in rows:
        if not kept and (carried.row or {}).get("reward") is not None:
            raise FormatError(
                f"expected a format that keeps a row's reward, found {name}, which trains on rows of reward"
                f" {carried.row['reward'] if carried.row else 0:+.2f} as on any other; write --format parquet, or take"
                " only what is good enough (--min-reward 0.5)"
            )
        yield carried


def _matches(row: dict[str, Any], wanted: ExampleFilter) -> bool:
    equal = {"task_key": wanted.task_key, "scenario_id": wanted.scenario_id, "model_version": wanted.model_version}
    among = {"source": wanted.sources, "run_id": wanted.run_ids, "part": wanted.parts}
    bounds = {
        "quality": (wanted.min_quality, wanted.max_quality),
        "confidence": (wanted.min_confidence, wanted.max_confidence),
        "reward": (wanted.min_reward, wanted.max_reward),
    }
    return (
        all(value is None or row[name] == value for name, value in equal.items())
        and all(values is None or row[name] in values for name, values in among.items())
        and all(_within(row[name], low, high) for name, (low, high) in bounds.items())
    )


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def of_row(row: dict[str, Any]) -> Carried:
    """Return a snapshot's row as it is to be written."""
    messages = messages_from(row["messages"])
    turns = row.get("turns")
    weights: tuple[int, ...] = ()
    rejected: tuple[Message, ...] = ()
    if row.get("rejected") is not None:
        begin = turns[0] if turns else len(messages)
        rejected = (*messages[:begin], *messages_from(row["rejected"]))
    elif turns is not None:
        weights = tuple(int(at in turns) for at in range(len(messages)))
    tools = tuple(OpenAITool.model_validate(tool).spec() for tool in json.loads(row["tools"]))
    rest = {name: value for name, value in row.items() if value is not None and name not in _TEXTS}
    talk = Talk(messages=messages, tools=tools, rejected=rejected, weights=weights)
    return Carried(talk, row=rest)


_TEXTS = ("messages", "tools", "rejected")


def messages_from(text: str) -> tuple[Message, ...]:
    """Return messages from JSON text in the shape of the chat API."""
    return tuple(_message(message) for message in json.loads(text))


def _message(data: dict[str, Any]) -> Message:
    calls = []
    for call in data.get("tool_calls") or ():
        inner = call["function"]
        given = inner["arguments"]
        arguments = json.loads(given) if isinstance(given, str) else given
        calls.append(ToolCall(id=call["id"], name=inner["name"], arguments=arguments))
    return Message(
        role=data["role"],
        content=data.get("content") or "",
        tool_calls=tuple(calls),
        tool_call_id=data.get("tool_call_id"),
        name=data.get("name"),
    )
