"""Close a model client, whatever kind it is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from evaluation.models import ModelClient


@runtime_checkable
class Closing(Protocol):
    """A client that holds a model, connections or a file."""

    def close(self) -> None:
        """Let go of it."""
        ...


def close(client: ModelClient) -> None:
    """Close what the client holds, where it holds anything."""
    if isinstance(client, Closing):
        client.close()
