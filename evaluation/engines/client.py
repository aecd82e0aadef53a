"""A model client over an engine in this process: messages in, one assistant message out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from evaluation.engines.base import Engine, Generation, GenerationRequest, OnToken
from evaluation.engines.chat import ChatFormat
from evaluation.engines.config import EngineConfig
from evaluation.engines.offered import offered
from evaluation.engines.transformers import TransformersEngine
from evaluation.models import Completion, ModelError, Sampling, UnfitPrompt
from evaluation.records import Message, ToolSpec


def generation_request(
    prompt: tuple[int, ...], tools: Sequence[ToolSpec], sampling: Sampling, on_token: OnToken | None = None
) -> GenerationRequest:
    """Return what the engine is asked for one assistant turn."""
    return GenerationRequest(
        prompt, sampling.max_tokens, sampling.temperature, sampling.seed, offered=offered(tools), on_token=on_token
    )


class LocalModel:
    """Asks an engine."""

    def __init__(self, engine: Engine, chat: ChatFormat, name: str) -> None:
        self.engine = engine
        self.chat = chat
        self._name = name

    @classmethod
    def load(cls, folder: str | Path, name: str, config: EngineConfig | None = None) -> LocalModel:
        """Load a model folder into the local engine. Raises `ModelFolderError`."""
        engine = TransformersEngine(folder, config)
        return cls(engine, ChatFormat.load(folder), name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def template_hash(self) -> str:
        return self.chat.template_hash

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn. Raises `ModelError`, `UnfitPrompt` among them."""
        started = time.perf_counter()
        try:
            prompt = self.chat.encode(messages, tools)
            request = generation_request(prompt, tools, sampling)
            generation = await self.engine.generate(request)
        except UnfitPrompt:
            raise
        except Exception as error:
            raise ModelError(f"{self._name}: {error}") from error
        return self.completion(generation, len(prompt), len(messages), started)

    def completion(self, generation: Generation, tokens_in: int, turn: int, started: float) -> Completion:
        """Return a generation as an assistant turn; `started` is on `time.perf_counter`'s clock."""
        message, malformed = self.chat.message(generation.token_ids, turn=turn)
        finish: Literal["stop", "tool_calls", "length"] = "tool_calls" if message.tool_calls else generation.finish
        took = (time.perf_counter() - started) * 1000
        return Completion(message, tokens_in, len(generation.token_ids), took, finish, malformed, self.template_hash)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()
