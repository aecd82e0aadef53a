from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from evaluation.clients.serve import ServeModel
from evaluation.models import Completion, ModelError, ModelErrorKind, Sampling, UnfitPrompt
from evaluation.records import Message, ToolSpec

HI = (Message(role="user", content="hi"),)


class Answer:
    """What a handle returns: awaited for the answer, and can be cancelled."""

    def __init__(self, result: Any, seconds: float = 0.0) -> None:
        self.result, self.seconds, self.cancelled = result, seconds, False

    def __await__(self) -> Any:
        yield from asyncio.sleep(self.seconds).__await__()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def cancel(self) -> None:
        self.cancelled = True


class Method:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def remote(self, *asked: Any) -> Awaitable[Completion]:
        self.asked.append(asked)
        return self.answer


def ask(answer: Answer, **more: Any) -> Any:
    method = Method(answer)
    model = ServeModel(method, "shop:1", **more)
    try:
        return asyncio.run(model.complete(list(HI), [], Sampling(seed=3)))
    except ModelError as error:
        return error
    finally:
        assert method.asked == [(HI, (), Sampling(seed=3))]


def test_a_handle_s_answer_is_told_with_the_time_that_it_took_from_here() -> None:
    got = ask(Answer(Completion(HI[0], 1, 2, 0.5, "stop"), 0.02))
    assert (got.message, got.tokens_out) == (HI[0], 2)
    assert got.latency_ms >= 19


def test_what_takes_too_long_is_cancelled() -> None:
    answer = Answer(None, 60)
    got = ask(answer, time_limit_s=0.02)
    assert (got.kind, answer.cancelled) == (ModelErrorKind.TIMED_OUT, True)


class RayTaskError(Exception):
    """As Ray raises what a replica raised: the text of a traceback, and the error as its cause."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"ray::complete() (pid=1)\n  File x\n{cause}")
        self.cause = cause


class BackPressureError(Exception):
    pass


class ActorDiedError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (RayTaskError(UnfitPrompt("too many tokens")), ModelErrorKind.UNFIT_PROMPT, "shop:1: too many tokens"),
        (RayTaskError(ModelError("x", ModelErrorKind.FILTERED)), ModelErrorKind.FILTERED, "filtered: shop:1: x"),
        (RayTaskError(KeyError("k")), ModelErrorKind.OTHER, "other: shop:1: 'k'"),
        (BackPressureError("queue is full"), ModelErrorKind.RATE_LIMITED, "shop:1: queue is full"),
        (ActorDiedError("a\nb"), ModelErrorKind.UNREACHABLE, "unreachable: shop:1: b"),
        (ValueError(""), ModelErrorKind.OTHER, "shop:1: ValueError"),
    ],
)
def test_what_a_replica_or_ray_raises_is_classified(error: Exception, kind: ModelErrorKind, words: str) -> None:
    got = ask(Answer(error))
    assert (got.kind, isinstance(got, UnfitPrompt)) == (kind, kind is ModelErrorKind.UNFIT_PROMPT)
    assert str(got) == words or str(got).endswith(words)


def test_an_answer_that_is_no_completion_is_broken() -> None:
    assert ask(Answer({"message": "x"})).kind is ModelErrorKind.BROKEN_ANSWER


class Deployed:
    """What a deployment does."""

    async def complete(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> Completion:
        if messages[-1].content == "long":
            raise UnfitPrompt("too many tokens")
        return Completion(Message(role="assistant", content=messages[-1].content.upper()), 1, 1, 0.1, "stop")


@pytest.mark.ray
@pytest.mark.slow
def test_it_asks_a_replica(ray_session: None) -> None:
    from ray import serve

    async def go() -> None:
        try:
            model = ServeModel(serve.get_app_handle("upper").complete, "shop:1")
            assert (await model.complete(HI, (), Sampling())).message.content == "HI"
            with pytest.raises(UnfitPrompt, match="shop:1: too many tokens"):
                await model.complete((Message(role="user", content="long"),), (), Sampling())
        finally:
            await serve.shutdown_async()  # the handle lives in this event loop

    serve.run(serve.deployment(Deployed).bind(), name="upper", route_prefix=None)
    asyncio.run(go())
