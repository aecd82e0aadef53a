"""What an engine is: text generation over token ids, shared by tests and production.

An engine takes many requests at once and answers each when it is done. It knows nothing of tools or of HTTP:
`evaluation/engines/client.py` turns messages into ids and text into calls, the same for the gate and for the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True)
class Generation:
    """What came back for one request."""

    token_ids: tuple[int, ...]
    """Output tokens, the stop token left out."""
    finish: Literal["stop", "length"]
    latency_ms: float
    """From submission to the last token."""


OnToken = Callable[[int], None]
"""Called in the engine's thread with each output token id."""


@dataclass(frozen=True)
class GenerationRequest:
    """One prompt."""

    prompt_ids: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    offered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Parameters by tool on offer; none at all: any."""
    on_token: OnToken | None = field(default=None, compare=False)


class Engine(Protocol):
    """Generates."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Return the continuation of one prompt. Cancelling the call stops its generation."""
        ...

    def close(self) -> None:
        """Stop the engine's thread and free the model."""
        ...


async def gather(engine: Engine, requests: list[GenerationRequest]) -> list[Generation]:
    """Generate for all `requests` at once, in their order."""
    return list(await asyncio.gather(*(engine.generate(r) for r in requests)))
