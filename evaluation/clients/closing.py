"""Close a model client, whatever kind it is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from evaluation.models import ModelClient


@runtime_checkable
class Closing(Protocol):
    """A client that holds connections or files."""

    async def aclose(self) -> None:
        """Let go of them. A closed client that is asked again opens anew."""
        ...


async def close(client: ModelClient) -> None:
    """Close the client's connections and files, where it holds any, in the event loop that used it."""
    if isinstance(client, Closing):
        await client.aclose()
