from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from evaluation.agents import Limits, attempt, episode_id
from evaluation.models import Completion, ModelError, Sampling, ScriptedModel
from evaluation.records import Episode, FailureKind, Message, StopReason, ToolSpec
from tests.evaluation.attempts import BY_ID, call, calling, follow, run, saying

NEAR_TWIN = BY_ID["near_twin"]


class Says:
    """A client that always gives the same completion, or raises."""

    name = "says"
    template_hash = "t"

    def __init__(self, completion: Completion | Exception) -> None:
        self.completion = completion
        self.asked: list[Sampling] = []

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        self.asked.append(sampling)
        if isinstance(self.completion, Exception):
            raise self.completion
        return self.completion


def test_an_episode_holds_everything_and_survives_json() -> None:
    episode = follow(
        BY_ID["chain"], calling(call("stock", item="pen")), calling(call("order", item="pen", count=4)), saying("ok")
    )
    assert [m.role for m in episode.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    assert episode.messages[3].content == '{"item": "pen", "left": 1234}'
    assert episode.world["stock"]["pen"] == 1230
    assert BY_ID["chain"].world["stock"]["pen"] == 1234
    assert (episode.stop_reason, episode.answer, len(episode.model_calls)) == (StopReason.ANSWERED, "ok", 3)
    assert episode.id == episode_id(BY_ID["chain"], "scripted", Sampling(), run_id="r")
    assert Episode.model_validate_json(episode.model_dump_json()) == episode


def test_parallel_calls_run_in_order_and_are_answered_one_by_one() -> None:
    turn = calling(call("order", id="a", item="pen", count=34), call("stock", id="b", item="pen"))
    episode = follow(NEAR_TWIN, turn, saying("ok"))
    assert [(m.tool_call_id, m.content) for m in episode.messages if m.role == "tool"] == [
        ("a", '{"ordered": 34}'),
        ("b", '{"item": "pen", "left": 1200}'),
    ]


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (call("nonsense"), FailureKind.UNKNOWN_TOOL),
        (call("stock"), FailureKind.INVALID_ARGUMENTS),
        (call("stock", item=5), FailureKind.INVALID_ARGUMENTS),
        (call("stock", item="saucer"), FailureKind.TOOL_ERROR),
        (call("raises"), FailureKind.TOOL_ERROR),
        (call("hangs"), FailureKind.TOOL_TIMEOUT),
    ],
)
def test_a_call_that_fails_is_recorded_once_told_to_the_model_and_the_episode_goes_on(made, kind) -> None:
    episode = follow(NEAR_TWIN, calling(made), saying("Sorry."), limits=Limits(tool_seconds=0.05))
    assert [(f.kind, f.turn, f.call_id) for f in episode.failures] == [(kind, 0, "c")]
    assert "error" in episode.messages[3].content
    assert episode.stop_reason == StopReason.ANSWERED


@pytest.mark.parametrize("error", [ModelError("the endpoint said 500"), RuntimeError("a bug in a client")])
def test_a_model_that_fails_ends_the_episode_and_is_recorded(error) -> None:
    episode = run(NEAR_TWIN, Says(error))
    assert episode.stop_reason == StopReason.MODEL_ERROR
    assert [(f.kind, f.turn) for f in episode.failures] == [(FailureKind.MODEL_ERROR, 0)]
    assert str(error) in episode.failures[0].message
    assert [c.finish for c in episode.model_calls] == ["error"]


def test_malformed_output_is_recorded_and_its_text_stands_as_the_answer() -> None:
    text = '<tool_call>{"name": "stock", '
    episode = run(NEAR_TWIN, Says(Completion(saying(text), 9, 7, 1.5, "stop", malformed="JSON ends early")))
    assert (episode.answer, episode.stop_reason) == (text, StopReason.ANSWERED)
    assert [(f.kind, f.message) for f in episode.failures] == [(FailureKind.MALFORMED_OUTPUT, "JSON ends early")]


def test_garbage_of_any_kind_can_still_be_written_down() -> None:
    made = call("stock\ud800", item="\udfff", more=[float("nan")])
    episode = run(
        NEAR_TWIN, Says(Completion(Message(role="assistant", content="\ud800", tool_calls=(made,)), 1, 1, 1, "stop"))
    )
    assert episode.stop_reason == StopReason.TURN_LIMIT
    assert {f.kind for f in episode.failures} == {FailureKind.UNKNOWN_TOOL}
    assert "?" in Episode.model_validate_json(episode.model_dump_json()).calls[0].name


def test_limits_end_the_episode_with_every_call_answered() -> None:
    forever = Completion(calling(call("stock", item="pen")), 3, 40, 1.0, "tool_calls")
    turns = run(NEAR_TWIN, Says(forever))
    assert (turns.stop_reason, len(turns.model_calls)) == (StopReason.TURN_LIMIT, NEAR_TWIN.max_turns)
    assert turns.messages[-1].role == "tool"
    model = Says(forever)
    tokens = run(NEAR_TWIN, model, Limits(output_tokens=100), max_tokens=60)
    assert (tokens.stop_reason, len(tokens.model_calls)) == (StopReason.TOKEN_LIMIT, 3)
    assert [asked.max_tokens for asked in model.asked] == [60, 60, 20]
    cut = run(NEAR_TWIN, Says(Completion(saying("and and and"), 3, 96, 1.0, "length")))
    assert cut.stop_reason == StopReason.TOKEN_LIMIT


def test_calls_only_ends_after_the_first_turn_executes_nothing_and_still_checks() -> None:
    one = BY_ID["imported"]
    turn = calling(call("order", id="a", item="pen", count=1), call("order", id="b", item="pen"), call("nope", id="d"))
    episode = follow(one, turn)
    assert episode.stop_reason == StopReason.CALLED
    assert episode.world == one.world
    assert [(f.kind, f.call_id) for f in episode.failures] == [
        (FailureKind.INVALID_ARGUMENTS, "b"),
        (FailureKind.UNKNOWN_TOOL, "d"),
    ]


def test_cancelling_is_not_swallowed() -> None:
    class Never(Says):
        async def complete(self, messages, tools, sampling):
            await asyncio.Event().wait()

    async def cancelled() -> None:
        await asyncio.wait_for(attempt(NEAR_TWIN, Never(ModelError("")), sampling=Sampling()), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())


def test_ids_tell_attempts_apart_and_are_the_same_every_time() -> None:
    ids = {
        episode_id(NEAR_TWIN, model, Sampling(seed=seed), attempt=number, run_id=run_id)
        for model in "ab"
        for seed in (0, 1)
        for number in (0, 1)
        for run_id in ("r", "s")
    }
    assert len(ids) == 16
    again = follow(NEAR_TWIN, saying("x")).id
    assert again == follow(NEAR_TWIN, saying("y")).id == episode_id(NEAR_TWIN, "scripted", Sampling(), run_id="r")


def test_a_scripted_model_that_ends_early_is_a_model_error() -> None:
    assert run(NEAR_TWIN, ScriptedModel([])).stop_reason == StopReason.MODEL_ERROR


def test_a_client_whose_clock_went_backwards_is_an_error_of_the_model_s_and_no_negative_latency() -> None:
    class Backwards(ScriptedModel):
        async def complete(
            self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling
        ) -> Completion:
            return Completion(Message(role="assistant", content="x"), 1, 1, -3.0, "stop")

    episode = asyncio.run(attempt(BY_ID["near_twin"], Backwards([]), sampling=Sampling()))
    assert episode.stop_reason == StopReason.MODEL_ERROR
    assert "expected a completion to take 0 or more, found latency_ms -3.0" in episode.failures[0].message
    assert episode.latency_ms >= 0
