"""Makes records for the ledger's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from evaluation.ledger import RolloutRecord
from evaluation.records import (
    ErrorRecovery,
    Example,
    Feedback,
    Labels,
    Message,
    Metrics,
    Provenance,
    RecoveryStrategy,
    RewardSignal,
    Source,
    ToolCall,
    ToolSpec,
    Validation,
    Verdict,
)

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

_ORIGIN: dict[str, Any] = {"source": Source.TEST, "scenario_id": "s1", "part": "train", "seed": 2**63 - 1}


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def example(number: int, labels: Labels | None = None, **origin: Any) -> Example:
    """Make an example with every field filled; `number` seconds after the start."""
    call = ToolCall(id="c1", name="search", arguments={"q": "Grüße \U0001f600", "deep": [1, None, {"x": 0.1}]})
    return Example(
        id=f"e{number:04d}",
        task_key="planner",
        query="Wo ist \x00 mein 'Paket'?",
        context="Be brief.",
        user_hash="u1",
        conversation="talk-1",
        timestamp=START + timedelta(seconds=number),
        messages=(
            Message(role="user", content="Wo?"),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", content="here", tool_call_id="c1", name="search"),
            Message(role="assistant", content="Here."),
        ),
        tools=(ToolSpec(name="search", description="Search.", parameters={"type": "object"}),),
        response="Here.",
        error="tool_error: broke",
        tools_used=("search",),
        analysis="answer: right",
        validations=(Validation(name="answer", verdict=Verdict.PASSED, confidence=0.9, reason="equal"),),
        labels=labels
        or Labels(correct_tool_selection=True, response_quality=4.5, validation_confidence=0.9, success=True),
        metrics=Metrics(latency_ms=12.5, tokens_in=10, tokens_out=3, cost=0.001, model_calls=2),
        provenance=Provenance(**_ORIGIN | origin),
        reward=RewardSignal(value=0.5, correctness=1, speed=0, cost=0, user_satisfaction=0.1),
        recovery=ErrorRecovery(
            query="Wo?",
            error_type="tool_error",
            correct_response="again",
            incorrect_response=None,
            strategy=RecoveryStrategy.RETRY,
        ),
    )


def feedback(name: str, example_id: str, rating: int, rater: str = "r1") -> Feedback:
    """Make feedback by one rater."""
    return Feedback(id=name, example_id=example_id, rating=rating, rater=rater, timestamp=START, suggested_tools=("a",))


def rollout(name: str = "ro1", **changes: Any) -> RolloutRecord:
    """Make a rollout of model `m` from version 1 to version 2."""
    values: dict[str, Any] = {
        "id": name,
        "model": "m",
        "champion": "1",
        "candidate": "2",
        "created_at": START,
        "updated_at": START,
    }
    return RolloutRecord(**values | {"weights": {"1": 0.9, "2": 0.1}} | changes)
