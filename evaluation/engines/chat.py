"""Messages to token ids and back, by the model's own chat template: one piece for tests, gate and gateway.

`trained is served`: `training/render.py` renders through `template_messages` too, and both record `template_hash`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from evaluation.model_folder import ModelFolderError
from evaluation.protocols.hermes import Parsed, parse
from evaluation.records import Message, ToolCall, ToolSpec, stable_id


def template_messages(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return OpenAI-shaped messages with call arguments as objects, which is how chat templates take them."""
    out = []
    for message in messages:
        calls = [
            {**c, "function": {**c["function"], "arguments": _object(c["function"]["arguments"])}}
            for c in message.get("tool_calls") or ()
        ]
        out.append({**message, "tool_calls": calls} if calls else message)
    return out


def _object(arguments: str | dict[str, Any]) -> Any:
    return json.loads(arguments) if isinstance(arguments, str) else arguments


class ChatFormat:
    """How one model's conversations are written."""

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise ModelFolderError(
                "the tokenizer has no chat template: take an instruction-tuned model, or add chat_template.jinja"
            )
        self.tokenizer = tokenizer
        self.template_hash = hashlib.sha256(tokenizer.chat_template.encode()).hexdigest()[:16]

    @classmethod
    def load(cls, folder: str | Path) -> ChatFormat:
        """Read the tokenizer of a model folder."""
        return cls(AutoTokenizer.from_pretrained(str(folder)))

    def encode(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[int, ...]:
        """Return the prompt's token ids, up to where the assistant speaks."""
        encoded = self.tokenizer.apply_chat_template(
            template_messages([m.to_openai() for m in messages]),
            tools=[t.to_openai() for t in tools] or None,
            add_generation_prompt=True,
            return_dict=True,
        )
        return tuple(encoded["input_ids"])

    def text(self, token_ids: Sequence[int]) -> str:
        """Return output tokens as text, marks of calls included."""
        return str(self.tokenizer.decode(list(token_ids), skip_special_tokens=False))

    def message(self, token_ids: Sequence[int], turn: int) -> tuple[Message, str | None]:
        """Return the assistant message of an output, and why it is malformed where it is."""
        parsed: Parsed = parse(self.text(token_ids))
        calls = tuple(
            ToolCall(id=f"call_{stable_id(turn, n, call.name)[:8]}", name=call.name, arguments=dict(call.arguments))
            for n, call in enumerate(parsed.calls)
        )
        return Message(role="assistant", content=parsed.content, tool_calls=calls), parsed.malformed
