"""A model behind a Ray Serve handle, or behind anything that is asked the same way.

Ray is not imported: a handle's method is whatever has `remote`. The application answers with a `Completion`, as
`serving/engine.py` does. Latency is measured here, so that it holds the way there and the wait for a replica.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from evaluation.models import Completion, ModelError, ModelErrorKind, Sampling, UnfitPrompt
from evaluation.records import Message, ToolSpec

_AWAY = frozenset({"ActorDiedError", "ActorUnavailableError", "DeploymentUnavailableError", "RayServeException"})
"""Ray's errors, by name, where no replica can be asked."""


class RemoteMethod(Protocol):
    """`handle.complete` of a Serve deployment."""

    def remote(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> Awaitable[Completion]:
        """Ask, and return what is awaited for the answer."""
        ...


class ServeModel:
    """Asks a deployment."""

    def __init__(
        self, method: RemoteMethod, name: str, *, template_hash: str = "", time_limit_s: float = 300.0
    ) -> None:
        self._method, self._name, self._template_hash = method, name, template_hash
        self._time_limit_s = time_limit_s

    @property
    def name(self) -> str:
        return self._name

    @property
    def template_hash(self) -> str:
        return self._template_hash

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn. Raises `ModelError`; what takes too long is cancelled where that is known."""
        started = time.perf_counter()
        answer: Any = None
        try:
            async with asyncio.timeout(self._time_limit_s):
                answer = self._method.remote(tuple(messages), tuple(tools), sampling)
                completion = await answer
        except TimeoutError:
            _cancel(answer)
            raise ModelError(
                f"{self._name}: no answer within {self._time_limit_s:g} s", ModelErrorKind.TIMED_OUT
            ) from None
        except asyncio.CancelledError:
            _cancel(answer)
            raise
        except Exception as error:
            raise _classified(error, self._name) from error
        if not isinstance(completion, Completion):
            found = type(completion).__name__
            raise ModelError(f"{self._name}: expected a Completion, found a {found}", ModelErrorKind.BROKEN_ANSWER)
        return replace(completion, latency_ms=(time.perf_counter() - started) * 1000)


def _cancel(answer: Any) -> None:
    cancel = getattr(answer, "cancel", None)
    if cancel is not None:
        with suppress(Exception):
            cancel()


def _classified(error: Exception, name: str) -> ModelError:
    """Return the replica's own `ModelError`, or what Ray's error means. Ray's holds the replica's as its `cause`."""
    inner = getattr(error, "cause", None)
    inner = inner if isinstance(inner, BaseException) else error
    words = str(inner.args[0] if isinstance(inner, ModelError) and inner.args else inner).strip()
    message = f"{name}: {words.splitlines()[-1] if words else type(inner).__name__}"
    if isinstance(inner, UnfitPrompt):
        return UnfitPrompt(message)
    if isinstance(inner, ModelError):
        return ModelError(message, inner.kind)
    found = type(inner).__name__
    kind = (
        ModelErrorKind.RATE_LIMITED if found == "BackPressureError"
        else ModelErrorKind.UNREACHABLE if found in _AWAY
        else ModelErrorKind.OTHER
    )  # fmt: skip
    return ModelError(message, kind)
