"""Examples of people, for what is forgotten and counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from evaluation.records import Example, Feedback, Labels, Message, Metrics, Provenance, Source, stable_id

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ANN, BOB = "a" * 24, "b" * 24
PLANTED = "XYZPLANTEDXYZ"


def example(number: int = 0, user: str | None = None, *, days: int = 0, said: str = "hello", **origin: Any) -> Example:
    """Return an example of production that is `days` old."""
    messages = (Message(role="user", content=f"{said} {number}"), Message(role="assistant", content="Done."))
    return Example(
        id=stable_id("example", number),
        task_key="tools",
        query=messages[0].content,
        user_hash=user,
        conversation=f"talk-{number}",
        timestamp=NOW - timedelta(days=days),
        messages=messages,
        tools=(),
        response="Done.",
        tools_used=(),
        labels=Labels(success=True, validation_confidence=0.9),
        metrics=Metrics(latency_ms=1, tokens_in=1, tokens_out=1, cost=0, model_calls=1),
        provenance=Provenance(**{"source": Source.PRODUCTION, "run_id": "r1", "model_version": "agent:1", **origin}),
    )


def feedback(name: str, about: Example, by: str) -> Feedback:
    """Return what somebody said of an example."""
    return Feedback(
        id=name, example_id=about.id, rating=4, rater=by, comment=PLANTED if by == ANN else "fine", timestamp=NOW
    )
