"""A model that writes its calls in one encoding, as a client like any other: structured calls in, structured calls out.

Wrap a client in it and the same scenario is attempted in that encoding; agent, tools and validators do not change. The
model behind it sees no tools: they are told in the system message, and calls and results stand in the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evaluation.models import Completion, ModelClient, Sampling
from evaluation.protocols.codec import Codec
from evaluation.protocols.spec import Protocol
from evaluation.records import Message, ToolSpec


class EncodedModel:
    """Asks one model in one encoding of one protocol."""

    def __init__(self, model: ModelClient, protocol: Protocol, encoding: str) -> None:
        """Wrap `model`. Raises `ProtocolError` where the protocol has no such encoding."""
        Codec(protocol, encoding)
        self._model, self._protocol, self._encoding = model, protocol, encoding

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def template_hash(self) -> str:
        return self._model.template_hash

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn. Raises `ModelError`.

        A turn with native calls, from a model that was told to write text, is returned as it is; without tools
        there is nothing to encode.
        """
        codec = Codec(self._protocol, self._encoding, tools)
        if not codec.in_text or not tools:
            return await self._model.complete(messages, tools, sampling)
        completion = await self._model.complete(codec.encode(messages), (), sampling)
        if completion.message.tool_calls:
            return completion
        message, malformed = codec.decode(completion.message.content, turn=len(messages))
        finish = "tool_calls" if message.tool_calls else completion.finish
        return replace(completion, message=message, finish=finish, malformed=malformed or completion.malformed)
