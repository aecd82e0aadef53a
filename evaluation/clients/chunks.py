"""A streamed answer put together: the chunks of a `chat.completion.chunk` stream as one `chat.completion`.

Pieces of a call belong together by their index; where an endpoint leaves the index out, a piece with an id begins a new
call and one without goes on with the last. A stream that ends before its finish reason was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Call:
    id: Any = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    def whole(self) -> dict[str, Any]:
        return {"id": self.id, "function": {"name": self.name, "arguments": "".join(self.pieces)}}


class Assembled:
    """One answer while its chunks come in. Takes any JSON value as a chunk and never raises."""

    def __init__(self) -> None:
        self.chunks = 0
        """How many there were."""
        self.size = 0
        """Characters of content and arguments so far."""
        self.finish: Any = None
        """The finish reason; None until it came."""
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._logprobs: list[Any] = []
        self._calls: dict[Any, _Call] = {}
        self._usage: Any = None
        self._fingerprint: Any = None

    def feed(self, chunk: Any) -> None:
        """Take the next chunk."""
        self.chunks += 1
        if not isinstance(chunk, Mapping):
            return
        self._usage = chunk.get("usage") or self._usage
        self._fingerprint = chunk.get("system_fingerprint") or self._fingerprint
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, Mapping):
            return
        self.finish = choice.get("finish_reason") or self.finish
        told = choice.get("logprobs")
        tokens = told.get("content") if isinstance(told, Mapping) else None
        self._logprobs += tokens if isinstance(tokens, list) else []
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            self._take(self._content, delta.get("content"))
            self._take(self._refusal, delta.get("refusal"))
            calls = delta.get("tool_calls")
            for piece in calls if isinstance(calls, list) else ():
                self._call(piece)

    def _take(self, pieces: list[str], piece: Any) -> None:
        if isinstance(piece, str):
            pieces.append(piece)
            self.size += len(piece)

    def _call(self, piece: Any) -> None:
        if not isinstance(piece, Mapping):
            return
        index = piece.get("index")
        if not isinstance(index, int):
            index = len(self._calls) if piece.get("id") or not self._calls else next(reversed(self._calls))
        call = self._calls.setdefault(index, _Call())
        call.id = call.id or piece.get("id")
        function = piece.get("function")
        if isinstance(function, Mapping):
            name = function.get("name")
            call.name = call.name or (name if isinstance(name, str) else "")
            self._take(call.pieces, function.get("arguments"))

    def body(self) -> dict[str, Any]:
        """Return the answer as it would have come in one piece."""
        message: dict[str, Any] = {"content": "".join(self._content), "refusal": "".join(self._refusal)}
        if self._calls:
            message["tool_calls"] = [call.whole() for call in self._calls.values()]
        choice = {"message": message, "finish_reason": self.finish, "logprobs": {"content": self._logprobs}}
        return {"choices": [choice], "usage": self._usage, "system_fingerprint": self._fingerprint}
