"""What keeps a row of a file from being one to learn from: what keeps any conversation, and of a pair its other end."""

from __future__ import annotations

from collections.abc import Iterator

from evaluation import conversation_checks
from evaluation.located import Location
from training.formats.row import Talk


def mistakes_in(talk: Talk) -> Iterator[tuple[Location, str]]:
    """Yield where, as message numbers from 0, and what is wrong."""
    yield from conversation_checks.mistakes_in(talk.messages, talk.tools)
    if talk.rejected:
        # Calls of tools that are not on offer may well be what is wrong with it.
        yield from conversation_checks.order_mistakes(talk.rejected)
