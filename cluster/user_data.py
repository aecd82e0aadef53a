"""All that is kept of one person, as they would read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from evaluation.ledger import Ledger
from evaluation.records import Example, Feedback, Message, stable_id


def user_data(ledger: Ledger, user_hash: str) -> dict[str, Any]:
    """Return a person's examples, what they said of others, and labels, with keys that say what they are."""
    examples = list(ledger.examples_of_user(user_hash))
    ids = [example.id for example in examples]
    received = ledger.feedback_by_example(ids)
    labels: dict[str, list[dict[str, Any]]] = {}
    for label in ledger.labels_of_examples(ids):
        labels.setdefault(label.example_id, []).append(label.model_dump(mode="json", exclude={"example_id"}))
    return {
        "about": "All rows that this installation of Ratchet keeps of one person",
        "person": f"known here by this hash of their id only: {user_hash}",
        "written at": datetime.now(UTC).isoformat(timespec="seconds"),
        "your requests": [_example(one, received.get(one.id, ()), labels.get(one.id, [])) for one in examples],
        "your feedback": [_feedback(one) for one in ledger.feedback_of_user(user_hash)],
    }


def counts_of(ledger: Ledger, user_hash: str) -> dict[str, int]:
    """Return how many rows of each kind the ledger keeps of a person."""
    ids = ledger.ids_of_user(user_hash)
    counts = ledger.rows_to_forget(sorted(ids), user_hash, [user_hash])
    own = sum(1 for _ in ledger.examples_of_user(user_hash))
    given = len(ledger.feedback_of_user(user_hash))
    return {"examples": own, "made from them": counts["examples"] - own, "feedback given": given,
            **{name: count for name, count in counts.items() if name != "examples"}}  # fmt: skip


def digest_of(data: Mapping[str, Any]) -> str:
    """Return a digest of what was handed out, for the trail."""
    return stable_id(data)


def _example(example: Example, feedback: Sequence[Feedback], labels: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": example.id,
        "when": example.timestamp.isoformat(),
        "kind of request": example.task_key,
        "you asked": example.query,
        "answer": example.response,
        "conversation": [_message(message) for message in example.messages],
        "tools used": list(example.tools_used),
        "figures": example.metrics.model_dump(mode="json"),
        "judged": example.labels.model_dump(mode="json", exclude_none=True),
        "labels": list(labels),
        "feedback on it": [_feedback(one) for one in feedback],
        "where it comes from": example.provenance.model_dump(mode="json", exclude_none=True),
    }


def _message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"who": message.role, "said": message.content}
    if message.tool_calls:
        said["called"] = [{"tool": call.name, "with": call.arguments} for call in message.tool_calls]
    return said


def _feedback(feedback: Feedback) -> dict[str, Any]:
    shown = feedback.model_dump(mode="json", exclude_none=True, exclude={"rater", "timestamp", "example_id"})
    return {"when": feedback.timestamp.isoformat(), "about request": feedback.example_id, **shown}
