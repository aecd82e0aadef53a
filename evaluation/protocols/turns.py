"""What was read from one assistant turn, and what was found in it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from evaluation.protocols.spec import ErrorKind
from evaluation.records import Record


class Call(Record):
    """A call as it was written."""

    tool: str
    """The name as called; aliases and dynamic names are not resolved."""
    params: dict[str, Any] = Field(default_factory=dict)
    """The arguments as read; empty where they could not be. XML has text values only."""
    value: Any = None
    """What the arguments are, where they are JSON but no object."""
    error: ErrorKind | None = None
    """Why the call could not be read whole."""
    detail: str = ""
    """What was expected and what was found, where `error` is set."""


class Turn(Record):
    """One assistant turn."""

    text: str = ""
    """What was said outside the calls."""
    calls: tuple[Call, ...] = ()
    error: ErrorKind | None = None
    """Why nothing could be read at all."""


class Verdict(Record):
    """Whether a turn is a proper one, and if not, why."""

    valid: bool
    tool: str | None = None
    """The tool called first, or the first one that was called badly; aliases resolved."""
    params: dict[str, Any] = Field(default_factory=dict)
    """The arguments of that call, as the tool gets them."""
    error: ErrorKind | None = None
    error_param: str | None = None
    """The parameter that is missing."""
    parameter: str | None = None
    """The parameter at fault, missing or not, where there is one."""
    detail: str = ""
    """What was expected and what was found."""
