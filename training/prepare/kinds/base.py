"""What kinds share: the item that they are given, what they give back, and how a good conversation is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evaluation.ledger.collected import LabelRecord, LabelVerdict, RecoveryRecord
from evaluation.records import Example, Feedback, Labels, Message, Source, stable_id
from training.corrections import suggested
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.prompts import Prompt, load_prompt
from training.prepare.steps import is_good, limited


@dataclass(frozen=True)
class Item:
    """One example with what people and rules said of it."""

    example: Example
    """With the labels in force."""
    reward: float | None = None
    """The newest one."""
    feedback: tuple[Feedback, ...] = ()
    labels: tuple[LabelRecord, ...] = ()
    """None that was taken back; the earliest first."""
    recoveries: tuple[RecoveryRecord, ...] = ()


class Left(NamedTuple):
    """Why an item gives no row."""

    step: str
    """`wrong`, `confidence and quality`, or `kind`."""
    reason: str


@dataclass(frozen=True)
class Half(Made):
    """One side of a preference, to be paired with another example's."""

    side: int = 1
    """1: the better one; −1: the worse one."""
    score: float = 0.0


@dataclass(frozen=True)
class Kind:
    """A kind of data set."""

    name: str
    about: str
    """What its rows are, for a person to read."""
    make: Callable[[Item, KindConfig, LimitConfig], Iterable[Made] | Left]
    needs: frozenset[str] = frozenset()
    """Of `feedback`, `labels`, `recoveries`: what has to be read beside the examples."""


WRONG, LIMITS, AT_KIND = "wrong", "confidence and quality", "kind"
"""Steps that a kind decides, in this order."""


def good(item: Item, limits: LimitConfig, min_quality: float | None = None) -> Example | Left:
    """Return the example as it may be trained on: itself, or its correction. `min_quality`: if none is configured."""
    example = item.example
    if not is_good(example, limits.min_rating):
        found = corrected(item) if limits.correct else Left(WRONG, "wrong")
        if isinstance(found, Left):
            return found
        example = found
    least = limits.min_quality if limits.min_quality is not None else min_quality
    reason = limited(example, min_confidence=limits.min_confidence, min_quality=least)
    return example if reason is None else Left(LIMITS, reason)


def corrected(item: Item) -> Example | Left:
    """Return the example as a reviewer wrote it, else as a user suggested; the latest word counts."""
    for label in reversed(item.labels):
        if label.verdict is LabelVerdict.REJECT:
            return Left(WRONG, "rejected in review")
        if label.verdict is LabelVerdict.CORRECT and label.messages:
            return by_label(item.example, label)
    found = suggested(item.example, item.feedback)
    return found.example if found.example is not None else Left(WRONG, found.reason)


def by_label(example: Example, label: LabelRecord) -> Example:
    """Return the example as a label has it."""
    last = label.messages[-1]
    provenance = example.provenance.model_copy(update={"source": Source.MANUAL, "parent_id": example.id})
    labels = Labels(success=True, correct_tool_selection=True, validation_confidence=label.confidence)
    return example.model_copy(
        update={
            "id": stable_id("reviewed", label.id),
            "messages": label.messages,
            "response": last.content if last.role == "assistant" else "",
            "tools_used": tuple(call.name for message in label.messages for call in message.tool_calls),
            "error": None,
            "labels": labels,
            "provenance": provenance,
        }
    )


def row_id(kind: str, example_id: str) -> str:
    """Return the id of the one row that a kind makes of an example; a chat's is the example's own."""
    return example_id if kind == "chat" else f"{kind}-{example_id}"


def query_place(messages: Sequence[Message]) -> int | None:
    """Return where the query stands: the last user message before the first call or answer."""
    first = next((at for at, message in enumerate(messages) if message.role == "assistant"), len(messages))
    asked = [at for at, message in enumerate(messages[:first]) if message.role == "user"]
    return asked[-1] if asked else None


def prompted(config: KindConfig, own: str) -> Prompt:
    """Return the configured system prompt, else the kind's own."""
    return load_prompt(config.prompt or own)


def without_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages behind the system prompt."""
    return tuple(message for message in messages if message.role != "system")
