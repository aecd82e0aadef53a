"""One attempt at a scenario: all that an agent can do in it, recorded as it happens.

Decisions: an attempt always ends in an `Episode`. Whatever breaks is classified once, where it breaks, and recorded as
a `Failure`: the model client (stops the episode), output that cannot be read (its text stands as the answer), calls
that cannot be made and tools that fail (the tool message says what was wrong, and the model may try again), the agent.
Every call that was made is answered by a tool message, also when a limit then ends the episode.
Not covered: what was right (`evaluation/validators/`), and many attempts at once (`evaluation/run.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from evaluation.agents.tools import ToolsAgent
from evaluation.models import Completion, ModelClient, Sampling
from evaluation.records import (
    AgentStep,
    Episode,
    Failure,
    FailureKind,
    Message,
    ModelCall,
    StopReason,
    ToolCall,
    ToolSpec,
    stable_id,
)
from evaluation.scenarios import Scenario
from evaluation.tools.execute import ToolBox, ToolOutcome, argument_mistakes, failed
from evaluation.tools.outside import NOWHERE, Reach
from evaluation.users import User, user_of

if TYPE_CHECKING:
    from evaluation.agents.base import Agent


@dataclass(frozen=True)
class Limits:
    """What an attempt may take, beside the scenario's own `max_turns`."""

    output_tokens: int = 2048
    """Most output tokens of all model calls together."""
    steps: int = 64
    """Most model calls of an agent's own steps."""
    tool_seconds: float = 5.0
    """Most seconds of one tool call."""
    tool_characters: int = 20_000
    """Most characters of one tool's result."""
    reach: Reach = NOWHERE
    """What HTTP and MCP tools may reach; by default nothing."""


class Stopped(Exception):
    """The attempt cannot go on."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def episode_id(
    scenario: Scenario, model: str, sampling: Sampling, *, attempt: int = 0, run_id: str = "", agent: str = "tools"
) -> str:
    """Return the id that the attempt's episode, and its example, will have: known before it runs."""
    return stable_id(run_id, scenario.id, model, attempt, sampling.seed, *([agent] if agent != "tools" else []))


async def attempt(
    scenario: Scenario,
    model: ModelClient,
    *,
    sampling: Sampling,
    agent: Agent | None = None,
    attempt: int = 0,
    run_id: str = "",
    limits: Limits | None = None,
    user_model: ModelClient | None = None,
) -> Episode:
    """Drive `model` through `scenario` by `agent` and return all that happened. Raises nothing but cancellation.

    `user_model` plays the user where the scenario has one that a model plays.
    """
    driver = agent or ToolsAgent()
    run = Attempt(scenario, model, sampling, limits=limits or Limits(), user=user_of(scenario, user_model))
    started_at = datetime.now(UTC)
    stop_reason = await run.driven_by(driver)
    return Episode(
        id=episode_id(scenario, model.name, sampling, attempt=attempt, run_id=run_id, agent=driver.name),
        scenario_id=scenario.id,
        task_key=scenario.task_key,
        messages=tuple(run.messages),
        tools=run.specs,
        given=run.given,
        model_calls=tuple(run.model_calls),
        steps=tuple(run.steps),
        failures=tuple(run.failures),
        stop_reason=stop_reason,
        agent=driver.name,
        attempt=attempt,
        seed=sampling.seed,
        model=model.name,
        template_hash=model.template_hash,
        started_at=started_at,
        world=run.world,
    )


class Attempt:
    """One attempt while it runs: what an agent sees of it and can do."""

    def __init__(
        self, scenario: Scenario, model: ModelClient, sampling: Sampling, *, limits: Limits, user: User | None
    ) -> None:
        self.scenario = scenario
        self.specs: tuple[ToolSpec, ...] = tuple(tool.spec() for tool in scenario.tools)
        """The tools on offer, as a model may see them."""
        self.messages: list[Message] = list(scenario.prompt)
        """The conversation: what the user, the tools and the assistant said."""
        self.given = len(self.messages)
        self.model_calls: list[ModelCall] = []
        self.steps: list[AgentStep] = []
        self.failures: list[Failure] = []
        self.sampling = sampling
        """How the attempt's tokens are drawn; what an agent draws from its seed is the same every time."""
        self._model, self._limits, self._user = model, limits, user
        self._box: ToolBox | None = None
        self._turns = 0

    @property
    def world(self) -> dict[str, object]:
        """The state of the world after the last call."""
        return self._box.world if self._box is not None else dict(self.scenario.world)

    async def driven_by(self, agent: Agent) -> StopReason:
        """Let `agent` run, and return how the attempt ended."""
        try:
            return await agent.run(self)
        except Stopped as stopped:
            return stopped.reason
        except Exception as error:
            self.fail(FailureKind.AGENT_ERROR, f"agent {agent.name}: {type(error).__name__}: {error}")
            return StopReason.AGENT_ERROR
        finally:
            if self._box is not None:
                self._box.close()

    async def ask(self) -> Completion:
        """Ask for the next turn of the conversation, which then stands in it. Raises `Stopped` at a limit, or where
        the model cannot answer.
        """
        if sum(not call.task_key for call in self.model_calls) >= self.scenario.max_turns:
            raise Stopped(StopReason.TURN_LIMIT)
        completion = await self._complete(self.messages, self.specs, self.sampling, "")
        self.say(completion.message)
        if completion.malformed is not None:
            self.fail(FailureKind.MALFORMED_OUTPUT, completion.malformed)
        return completion

    async def ask_step(
        self,
        task_key: str,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec] = (),
        *,
        temperature: float = 0.0,
        max_tokens: int | None = None,
        seed: int = 0,
    ) -> Completion:
        """Ask something beside the conversation, under its own task key; `seed` is added to the attempt's.

        Raises `Stopped` as `ask` does.
        """
        if len(self.steps) >= self._limits.steps:
            raise Stopped(StopReason.TURN_LIMIT)
        most = max_tokens or self.sampling.max_tokens
        sampling = Sampling(temperature, most, self.sampling.seed + seed)
        completion = await self._complete(messages, tools, sampling, task_key)
        shown = tuple(messages)
        self.steps.append(AgentStep(task_key=task_key, messages=shown, tools=tuple(tools), response=completion.message))
        return completion

    def unreadable(self) -> None:
        """Record that the last step's response could not be read."""
        self.steps[-1] = self.steps[-1].model_copy(update={"readable": False})

    def say(self, message: Message) -> None:
        """Put an assistant turn into the conversation: calls that an agent decided on, or its answer."""
        self.messages.append(_writable(message))
        self._turns += 1

    async def call(self, call: ToolCall) -> ToolOutcome:
        """Make one call; its result, or what went wrong, becomes a tool message. Never raises."""
        try:
            outcome = await self._toolbox().call(call)
        except Exception as error:
            outcome = failed(FailureKind.TOOL_ERROR, f"{type(error).__name__}: {error}")
        if outcome.failure is not None:
            self.fail(outcome.failure, outcome.message, call.id)
        self.messages.append(_answered(call, outcome))
        return outcome

    def refuse(self, call: ToolCall, reason: str) -> None:
        """Answer a call with the reason why it was not made, which is a failure of the call's."""
        self.fail(FailureKind.TOOL_ERROR, reason, call.id)
        self.messages.append(_answered(call, failed(FailureKind.TOOL_ERROR, reason)))

    def check(self, calls: Sequence[ToolCall]) -> None:
        """Record which of the calls could not be made, without making any."""
        tools = {tool.name: tool for tool in self.scenario.tools}
        for call in calls:
            if call.name not in tools:
                offered = ", ".join(tools) or "none"
                wrong = f"there is no tool {call.name}; the tools are: {offered}"
                self.fail(FailureKind.UNKNOWN_TOOL, wrong, call.id)
            elif mistakes := argument_mistakes(tools[call.name], call.arguments):
                wrong = f"invalid arguments for {call.name}: {'; '.join(mistakes)}"
                self.fail(FailureKind.INVALID_ARGUMENTS, wrong, call.id)

    async def reply(self) -> bool:
        """Let the user answer what the assistant said last; return whether the user said something."""
        if self._user is None:
            return False
        try:
            said = await self._user.reply(self.messages[self.given - 1 :])
        except Exception as error:
            self.fail(FailureKind.USER_ERROR, f"{type(error).__name__}: {error}")
            raise Stopped(StopReason.USER_ERROR) from error
        if said is None:
            return False
        self.messages.append(Message(role="user", content=_utf8(said)))
        return True

    def fail(self, kind: FailureKind, message: str, call_id: str | None = None) -> None:
        """Record what broke, with the turn in or after which it did."""
        missing = kind in (FailureKind.MODEL_ERROR, FailureKind.AGENT_ERROR)
        turn = self._turns if missing else max(self._turns - 1, 0)
        self.failures.append(Failure(kind=kind, message=_utf8(message), turn=turn, call_id=call_id))

    async def _complete(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling, task_key: str
    ) -> Completion:
        """Make one model call and record what it took. Raises `Stopped`."""
        left = self._limits.output_tokens - sum(call.tokens_out for call in self.model_calls)
        if left <= 0:
            raise Stopped(StopReason.TOKEN_LIMIT)
        begun = time.perf_counter()
        try:
            limited = replace(sampling, max_tokens=min(sampling.max_tokens, left))
            completion = await self._model.complete(tuple(messages), tuple(tools), limited)
            message = _writable(completion.message)
        except Exception as error:  # a client should raise ModelError only; one that breaks its word is data too
            taken = (time.perf_counter() - begun) * 1000
            self.model_calls.append(
                ModelCall(task_key=task_key, latency_ms=taken, tokens_in=0, tokens_out=0, finish="error")
            )
            self.fail(FailureKind.MODEL_ERROR, f"{type(error).__name__}: {error}")
            raise Stopped(StopReason.MODEL_ERROR) from error
        self.model_calls.append(
            ModelCall(
                task_key=task_key,
                latency_ms=completion.latency_ms,
                tokens_in=completion.tokens_in,
                tokens_out=completion.tokens_out,
                tokens_cached=completion.tokens_cached,
                finish=completion.finish,
                fingerprint=completion.fingerprint,
            )
        )
        return replace(completion, message=message)

    def _toolbox(self) -> ToolBox:
        """Return the tools, made at the first call, so that a world that cannot be copied is that call's failure."""
        if self._box is None:
            self._box = ToolBox(
                self.scenario.tools,
                self.scenario.world,
                self.scenario.faults,
                time_limit_s=self._limits.tool_seconds,
                output_limit=self._limits.tool_characters,
                reach=self._limits.reach,
            )
        return self._box


def _answered(call: ToolCall, outcome: ToolOutcome) -> Message:
    return Message(role="tool", content=_utf8(outcome.content), tool_call_id=call.id, name=call.name)


def _writable(message: Message) -> Message:
    """Return the message without lone surrogates, which a model can emit and no store can keep as UTF-8."""
    try:
        message.model_dump_json()
    except ValueError:
        return Message.model_validate_json(_utf8(json.dumps(message.model_dump(), ensure_ascii=False)))
    return message


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
