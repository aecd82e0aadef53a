"""Examples as a ledger holds them: conversations with calls, results and answers, seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.records import Example, Labels, Message, Metrics, Provenance, Source, ToolCall, ToolSpec
from training.prepare.candidates import StageConfig
from training.prepare.config import PrepareConfig
from training.prepare.pipeline import Asked, Prepared, candidates_here, prepare

NOW = datetime(2025, 3, 4, tzinfo=UTC)
WEATHER = ToolSpec(
    name="get_weather",
    description="Weather of a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
MAIL = ToolSpec(
    name="send_mail",
    description="Send a mail.",
    parameters={"type": "object", "properties": {"to": {"type": "string"}, "text": {"type": "string"}}},
)
GOOD = Labels(success=True, correct_tool_selection=True, validation_confidence=0.95, response_quality=4.5)
BAD = Labels(success=False, correct_tool_selection=False, validation_confidence=0.95, response_quality=1.0)
CITIES = ("Paris", "Rome", "Oslo", "Lima", "Cairo", "Quito", "Delhi", "Osaka", "Bergen", "Tunis")
_TEXT = """please tell show me the what how long until when should I go there with my brother friends sister today
tomorrow morning evening week holiday rain umbrella coat train boat ticket museum harbor garden market hotel"""
WORDS = tuple(_TEXT.split())


def example(number: int | str, query: str = "What is the weather in Paris?", **changes: Any) -> Example:
    """A good example: a call, its result, an answer."""
    origin = {"source": Source.PRODUCTION} | changes.pop("provenance", {})
    city = changes.pop("city", "Paris")
    answer = changes.pop("answer", f"It is sunny in {city}.")
    call = ToolCall(id=f"call_{number}", name="get_weather", arguments={"city": city})
    said = (
        Message(role="system", content="You help."),
        Message(role="user", content=query),
        Message(role="assistant", content="I look it up.", tool_calls=(call,)),
        Message(role="tool", content='{"sky": "sunny"}', tool_call_id=call.id, name="get_weather"),
        Message(role="assistant", content=answer),
    )
    values: dict[str, Any] = {
        "id": f"e-{number:>05}" if isinstance(number, int) else number,
        "task_key": "planner",
        "query": query,
        "timestamp": NOW + timedelta(seconds=number if isinstance(number, int) else 0),
        "messages": said,
        "tools": (WEATHER, MAIL),
        "response": answer,
        "tools_used": ("get_weather",),
        "labels": GOOD,
        "metrics": Metrics(latency_ms=120, tokens_in=200, tokens_out=30, cost=0.001, model_calls=2),
        "provenance": Provenance(**origin),
    }
    return Example(**values | changes)


def many(count: int, seed: int = 0) -> Iterator[Example]:
    """Different examples: some wrong, some unsure, some said twice, with mail addresses and conversations."""
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        twice = rng.random() < 0.1
        draw = random.Random(f"{seed}/{rng.randrange(max(count // 20, 1))}") if twice else rng
        city, words = draw.choice(CITIES), " ".join(draw.choices(WORDS, k=14))
        query = f"{words} {city}? Write to {draw.choice(WORDS)}@corp.com"
        known = {"validation_confidence": rng.choice([0.5, 0.8, 0.95]), "response_quality": rng.choice([3.5, 4.5, 5])}
        labels = GOOD.model_copy(update=known)
        yield example(
            number,
            query,
            city=city,
            labels=BAD if rng.random() < 0.1 else labels,
            answer=f"In {city} {' '.join(draw.choices(WORDS, k=12))}.",
            conversation=f"c{number // 3}",
            metrics=Metrics(
                latency_ms=rng.lognormvariate(5, 0.4), tokens_in=200, tokens_out=30, cost=0.001, model_calls=2
            ),
            provenance={"source": rng.choice([Source.PRODUCTION, Source.PRODUCTION, Source.SYNTHETIC])},
        )


def prepared(
    ledger: Ledger, folder: Path, config: PrepareConfig | None = None, *, dry_run: bool = False, **stage: Any
) -> Prepared:
    """Prepare all of a ledger in this process."""
    whole = StageConfig(config or PrepareConfig(), **stage)
    asked = Asked(ExampleFilter(), ledger.count(), ledger.count(), "made")
    rows = candidates_here(ledger, asked.wanted, whole)
    return prepare(rows, whole, asked, folder=folder, dry_run=dry_run)
