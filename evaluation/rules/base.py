"""What rules say of one recorded output, and how an output is read as calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from evaluation.records import Record
from evaluation.scenarios import Scenario


class Finding(Record):
    """One thing that is wrong."""

    error: str
    """Its type, by the rules' own names."""
    call: int | None = None
    """Index of the call among the output's, from 0; None where it is about no single one."""
    parameter: str | None = None
    message: str
    """What was expected and what was found."""


class Ruling(Record):
    """What rules say of an output."""

    valid: bool
    error: str | None = None
    """The error's type; None where valid."""
    details: tuple[Finding, ...] = ()
    """What is wrong; empty where valid."""


Judge = Callable[[Scenario, Any], Ruling]
"""Judges one output: decoded JSON of any shape, in sound Unicode. Pure; never raises."""

VALID = Ruling(valid=True)


class Call(NamedTuple):
    """A recorded call."""

    name: str
    arguments: dict[str, Any]


def invalid(*found: Finding) -> Ruling:
    """Return the ruling of an output that is wrong in `found`, by the first of them."""
    return Ruling(valid=False, error=found[0].error, details=found)


def calls_of(output: Any) -> list[Call] | None:
    """Return the calls of a list of objects with one key each, `{name: arguments}`; None where it is none."""
    if not isinstance(output, list):
        return None
    calls = [Call(*next(iter(item.items()))) for item in output if isinstance(item, dict) and len(item) == 1]
    sound = len(calls) == len(output) and all(isinstance(call.arguments, dict) for call in calls)
    return calls if sound else None
