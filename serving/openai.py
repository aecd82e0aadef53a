"""The OpenAI chat API as this gateway speaks it: requests in, responses, chunks and errors out.

Unknown request fields are ignored, as clients send many. Not covered: several choices (`n`), log probabilities, images,
and calls that are forced: a `tool_choice` that asks for one is refused.
"""

from __future__ import annotations

import json
import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evaluation.models import Completion
from evaluation.records import Message, OpenAITool, ToolCall, ToolSpec


class FunctionCall(BaseModel):
    """The function that a call names."""

    name: str
    arguments: str = "{}"


class ChatToolCall(BaseModel):
    """A call of an earlier assistant turn."""

    id: str = ""
    function: FunctionCall


class ChatMessage(BaseModel):
    """One message of a request."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[ChatToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    def text(self) -> str:
        """Return the content as one text."""
        if isinstance(self.content, list):
            return "".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")
        return self.content or ""


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """Body of `/v1/chat/completions`."""

    model_config = ConfigDict(extra="ignore")

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    tools: list[OpenAITool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None

    def records(self) -> tuple[Message, ...]:
        """Return the messages as records. Raises ValueError for a role or for arguments that cannot be read."""
        return tuple(record_of(m, n) for n, m in enumerate(self.messages))

    def specs(self) -> tuple[ToolSpec, ...]:
        """Return the offered tools; none where `tool_choice` forbids them. Raises ValueError where it forces a call."""
        if self.tool_choice not in (None, "auto", "none"):
            raise ValueError(
                f"tool_choice: expected auto or none, found {json.dumps(self.tool_choice)}; a call cannot be forced:"
                " leave tool_choice out, and offer only the tools that may be called"
            )
        if self.tool_choice == "none":
            return ()
        return tuple(tool.spec() for tool in self.tools or ())


def record_of(message: ChatMessage, number: int) -> Message:
    """Return message `number` as a record. Raises ValueError for a role or for arguments that cannot be read."""
    role = {"developer": "system", "function": "tool"}.get(message.role, message.role)
    if role not in ("system", "user", "assistant", "tool"):
        raise ValueError(f"messages[{number}].role: expected system, user, assistant or tool, found {message.role!r}")
    calls = []
    for call in message.tool_calls or ():
        try:
            arguments = json.loads(call.function.arguments or "{}")
        except ValueError as error:
            raise ValueError(f"messages[{number}].tool_calls: expected JSON arguments, found {error}") from error
        if not isinstance(arguments, dict):
            raise ValueError(f"messages[{number}].tool_calls: expected an object of arguments")
        calls.append(ToolCall(id=call.id, name=call.function.name, arguments=arguments))
    return Message.model_validate(
        {
            "role": role,
            "content": message.text(),
            "tool_calls": tuple(calls),
            "tool_call_id": message.tool_call_id,
            "name": message.name,
        }
    )


def response(completion: Completion, model: str, request_id: str) -> dict[str, Any]:
    """Return the body of a whole answer."""
    message = completion.message.to_openai()
    if not message["content"] and completion.message.tool_calls:
        message["content"] = None
    choice = {"index": 0, "message": message, "finish_reason": completion.finish, "logprobs": None}
    return {
        "id": request_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage(completion),
    }


def usage(completion: Completion) -> dict[str, Any]:
    """Return the usage block; what an upstream endpoint says of its cache is passed on."""
    total = completion.tokens_in + completion.tokens_out
    told = {"prompt_tokens": completion.tokens_in, "completion_tokens": completion.tokens_out, "total_tokens": total}
    cached = completion.tokens_cached
    return told | ({"prompt_tokens_details": {"cached_tokens": cached}} if cached else {})


def chunk(request_id: str, model: str, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """Return one chunk of a stream."""
    return {
        "id": request_id,
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}],
    }


def call_deltas(message: Message) -> list[dict[str, Any]]:
    """Return the calls of a message as stream deltas, each whole."""
    calls = message.to_openai().get("tool_calls", [])
    return [{"tool_calls": [{"index": n, **call}]} for n, call in enumerate(calls)]


def error_body(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    """Return an error as every OpenAI client reads it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
