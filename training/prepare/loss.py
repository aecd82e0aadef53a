"""Which assistant messages of a conversation carry loss. `training/render.py` makes the mask of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from evaluation.records import Message

Loss = Literal["all", "last", "first-after-query", "calls", "answers", "right"]
"""`all` assistant messages; the `last` one; the `first-after-query`: the first behind the last user message; those with
`calls`; the `answers`, which have none; those that were `right`: all but the ones behind which an error is known."""


def loss_turns(messages: Sequence[Message], loss: Loss, failed: Collection[int] = ()) -> tuple[int, ...] | None:
    """Return the places of the messages that carry loss; None: all of the assistant's. `failed`: what went wrong."""
    said = [place for place, message in enumerate(messages) if message.role == "assistant"]
    if loss == "all":
        return None
    if loss == "last":
        return tuple(said[-1:])
    if loss == "first-after-query":
        asked = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
        return tuple(place for place in said if place > asked)[:1]
    if loss == "right":
        return tuple(place for place in said if place not in failed)
    return tuple(place for place in said if bool(messages[place].tool_calls) == (loss == "calls"))
