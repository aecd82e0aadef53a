from __future__ import annotations

import asyncio

import pytest

from evaluation.agents import Agent, Attempt, Limits, agent_named, agent_names, attempt
from evaluation.models import Sampling, ScriptedModel
from evaluation.records import Episode, FailureKind, Message, StopReason
from evaluation.validators.base import made_calls
from tests.evaluation.attempts import BY_ID, call, calling, saying

CHAIN = BY_ID["chain"]


class Splitting:
    """Asks a step of its own, makes a call that the model never wrote, and answers."""

    name = "splitting"

    async def run(self, at: Attempt) -> StopReason:
        plan = await at.ask_step("splitting.plan", (Message(role="user", content="plan it"),), temperature=0.2, seed=3)
        made = call("stock", item="pen")
        at.say(calling(made))
        await at.call(made)
        at.say(saying(plan.message.content))
        return StopReason.ANSWERED if not await at.reply() else StopReason.TURN_LIMIT


class Breaking:
    name = "breaking"

    async def run(self, at: Attempt) -> StopReason:
        await at.ask()
        raise RuntimeError("lost the thread")


def drive(agent: Agent, *turns: Message, limits: Limits | None = None) -> Episode:
    return asyncio.run(
        attempt(CHAIN, ScriptedModel(turns), sampling=Sampling(), agent=agent, run_id="r", limits=limits)
    )


def test_a_step_is_recorded_beside_the_conversation_under_its_own_task_key() -> None:
    episode = drive(Splitting(), saying("the plan"))
    assert [m.role for m in episode.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert [(s.task_key, s.response.content) for s in episode.steps] == [("splitting.plan", "the plan")]
    assert [m.task_key for m in episode.model_calls] == ["splitting.plan"]
    assert [m.call.name for m in made_calls(episode)] == ["stock"]
    assert (episode.agent, episode.answer, episode.given) == ("splitting", "the plan", 2)
    assert Episode.model_validate_json(episode.model_dump_json()) == episode


def test_the_same_attempt_by_another_agent_is_another_episode() -> None:
    assert drive(Splitting(), saying("a")).id != drive(agent_named("tools"), saying("a")).id


def test_an_agent_that_breaks_ends_its_episode_and_says_how() -> None:
    episode = drive(Breaking(), saying("fine"))
    assert episode.stop_reason == StopReason.AGENT_ERROR
    assert [(f.kind, f.message, f.turn) for f in episode.failures] == [
        (FailureKind.AGENT_ERROR, "agent breaking: RuntimeError: lost the thread", 1)
    ]


def test_steps_have_a_limit_of_their_own() -> None:
    episode = drive(Splitting(), saying("a"), limits=Limits(steps=0))
    assert (episode.stop_reason, episode.steps) == (StopReason.TURN_LIMIT, ())


def test_an_unknown_agent_is_named_with_those_there_are() -> None:
    assert "tools" in agent_names()
    with pytest.raises(LookupError, match=r"expected an agent \(.*tools.*\), found 'flatt'"):
        agent_named("flatt")
