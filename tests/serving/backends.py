"""In-process backends, gateways and small model folders that the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from evaluation.models import Completion, ModelError, Sampling, UnfitPrompt
from evaluation.records import Message, ToolCall, ToolSpec
from serving.gateway import Gateway, Routing
from serving.spool import Spool

ROUTING = Routing(
    "shop", {"shop:2": 0.1, "shop:1": 0.9}, 0, {"champion": "shop:1", "candidate": "shop:2"}, "salt", "rollout-1"
)
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


class Scripted:
    """Calls each offered tool once, then answers; fails as often as it is told to."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.failures = 0
        self.room = 100
        """Messages that fit."""
        self.breaks_after: int | None = None
        """Pieces after which a stream breaks."""
        self.asked = 0
        self.closed = 0

    async def complete(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> Completion:
        self.asked += 1
        if len(messages) > self.room:
            raise UnfitPrompt(f"expected at most {self.room} messages")
        if self.failures:
            self.failures -= 1
            raise ModelError("out of order")
        if tools and messages[-1].role == "user":
            call = ToolCall(id="call_1", name=tools[0].name, arguments={"city": "Oslo"})
            return Completion(Message(role="assistant", tool_calls=(call,)), 7, 5, 2.0, "tool_calls")
        return Completion(Message(role="assistant", content=f"It rains, says {self.version}."), 7, 4, 2.0, "stop")

    async def stream(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> AsyncGenerator[str | Completion, None]:
        completion = await self.complete(messages, tools, sampling)
        try:
            for number, word in enumerate(filter(None, completion.message.content.split(" "))):
                if number == self.breaks_after:
                    raise ModelError("broke")
                yield word if number == 0 else f" {word}"
            yield completion
        finally:
            self.closed += 1


def make_gateway(folder: Path, routing: Routing = ROUTING, limit: int = 1000) -> tuple[Gateway, dict[str, Scripted]]:
    """Return a gateway over two scripted variants."""
    backends = {version: Scripted(version) for version in ("shop:1", "shop:2", "shop:3")}
    spool = Spool(folder / "spool.db", limit)
    return Gateway(backends.__getitem__, spool, b"key", routing=routing), backends
