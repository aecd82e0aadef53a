"""What a call came to, and how a result becomes one: JSON text within a limit, or a classified failure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from evaluation.records import FailureKind
from evaluation.tools.outside import NOWHERE, Reach

MOST_SAID = 2_000
"""Most characters of a failure's message."""
SHORTEST_SECRET = 6
"""Shorter values are left where they are: they would be found in words that say nothing secret."""

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


@dataclass(frozen=True)
class ToolOutcome:
    """What a call came to."""

    content: str
    """JSON text for the tool message."""
    failure: FailureKind | None = None
    message: str = ""
    """What went wrong."""


@dataclass(frozen=True)
class Bounds:
    """What one call may take."""

    seconds: float
    characters: int
    """Most characters of its result."""
    reach: Reach = NOWHERE
    start_seconds: float = 20.0
    """What the start of a server may take before its first call; it does not count as the call's time."""


class CallFailed(Exception):
    """A call came to nothing; says of which kind the failure is."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def failed(kind: FailureKind, message: str) -> ToolOutcome:
    """Return the outcome of a failed call."""
    shown = message if len(message) <= MOST_SAID else message[: MOST_SAID - 1] + "…"
    said = shown.encode("utf-8", "replace").decode()
    return ToolOutcome(json.dumps({"error": said}, ensure_ascii=False), kind, said)


def raised(error: BaseException) -> ToolOutcome:
    """Return the outcome of a call that raised; an error that cannot even say what it is has its type told."""
    if isinstance(error, CallFailed):
        return failed(error.kind, str(error))
    try:
        said = f"{type(error).__name__}: {error}"
    except BaseException:
        said = type(error).__name__
    return failed(FailureKind.TOOL_ERROR, said)


def outcome_of(name: str, result: Any, characters: int) -> ToolOutcome:
    """Return the outcome of a call that returned `result`. Raises `ValueError` or `TypeError` where it is no JSON."""
    content = as_json(result)
    if len(content) > characters:
        too_long = f"{name} returned {len(content)} characters; at most {characters} are allowed"
        return failed(FailureKind.TOOL_ERROR, too_long)
    if isinstance(result, dict) and "error" in result:
        return ToolOutcome(content, FailureKind.TOOL_ERROR, str(result["error"])[:MOST_SAID])
    return ToolOutcome(content)


def as_json(value: Any) -> str:
    """Return JSON text. Raises `ValueError` for NaN and lone surrogates, `TypeError` and `RecursionError`."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"expected Unicode text, found a lone surrogate at character {error.start}") from error
    return text


def to_plain(value: Any) -> Any:
    """Return records, dates and enumerations as JSON values. Raises `ValueError` for what is none."""
    return _ANYTHING.dump_python(value, mode="json")


def _plain(value: Any) -> Any:
    # A set has no order, and bytes no characters: pydantic would make them up.
    if not isinstance(value, set | frozenset | bytes):
        with contextlib.suppress(ValueError):
            return to_plain(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def redacted(outcome: ToolOutcome, secrets: Mapping[str, str]) -> ToolOutcome:
    """Return the outcome with the values of `secrets`, by their variables' names, taken out of all that it says."""
    content, message = outcome.content, outcome.message
    for name, value in secrets.items():
        if len(value) < SHORTEST_SECRET:
            continue
        for form in {
            value,
            quote(value, safe=""),
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
        }:
            content, message = content.replace(form, f"[{name}]"), message.replace(form, f"[{name}]")
    return replace(outcome, content=content, message=message)
