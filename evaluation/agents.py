"""One attempt at a scenario: ask the model, make its calls, tell it the results, until it answers.

Decisions: an attempt always ends in an `Episode`. Whatever breaks is classified once, where it breaks, and recorded as
a `Failure`: the model client (stops the episode), output that cannot be read (its text stands as the answer), calls
that cannot be made and tools that fail (the tool message says what was wrong, and the model may try again).
Every call that was made is answered by a tool message, also when a limit then ends the episode.
Not covered: what was right (`evaluation/validators/`), and many attempts at once (`evaluation/run.py`).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from evaluation.models import Completion, ModelClient, Sampling
from evaluation.records import (
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


@dataclass(frozen=True)
class Limits:
    """What an attempt may take, beside the scenario's own `max_turns`."""

    output_tokens: int = 2048
    """Most output tokens of all model calls together."""
    tool_seconds: float = 5.0
    """Most seconds of one tool call."""
    tool_characters: int = 20_000
    """Most characters of one tool's result."""


def episode_id(scenario: Scenario, model: str, sampling: Sampling, *, attempt: int = 0, run_id: str = "") -> str:
    """Return the id that the attempt's episode, and its example, will have: known before it runs."""
    return stable_id(run_id, scenario.id, model, attempt, sampling.seed)


async def attempt(
    scenario: Scenario,
    model: ModelClient,
    *,
    sampling: Sampling,
    attempt: int = 0,
    run_id: str = "",
    limits: Limits | None = None,
) -> Episode:
    """Drive `model` through `scenario` and return all that happened. Raises nothing but cancellation."""
    run = _Attempt(scenario, model, sampling, limits or Limits())
    started_at = datetime.now(UTC)
    stop_reason = await run.until_stopped()
    return Episode(
        id=episode_id(scenario, model.name, sampling, attempt=attempt, run_id=run_id),
        scenario_id=scenario.id,
        task_key=scenario.task_key,
        messages=tuple(run.messages),
        tools=run.specs,
        model_calls=tuple(run.model_calls),
        failures=tuple(run.failures),
        stop_reason=stop_reason,
        attempt=attempt,
        seed=sampling.seed,
        model=model.name,
        template_hash=model.template_hash,
        started_at=started_at,
        world=run.box.world if run.box is not None else scenario.world,
    )


@dataclass
class _Attempt:
    """The state of one attempt while it runs."""

    scenario: Scenario
    model: ModelClient
    sampling: Sampling
    limits: Limits
    messages: list[Message] = field(init=False)
    specs: tuple[ToolSpec, ...] = field(init=False)
    box: ToolBox | None = field(init=False, default=None)
    model_calls: list[ModelCall] = field(init=False, default_factory=list)
    failures: list[Failure] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.messages = list(self.scenario.messages)
        self.specs = tuple(tool.spec() for tool in self.scenario.tools)

    async def until_stopped(self) -> StopReason:
        while len(self.model_calls) < self.scenario.max_turns:
            left = self.limits.output_tokens - sum(call.tokens_out for call in self.model_calls)
            if left <= 0:
                return StopReason.TOKEN_LIMIT
            completion = await self._ask(replace(self.sampling, max_tokens=min(self.sampling.max_tokens, left)))
            if completion is None:
                return StopReason.MODEL_ERROR
            calls = completion.message.tool_calls
            if not calls:
                return StopReason.TOKEN_LIMIT if completion.finish == "length" else StopReason.ANSWERED
            if self.scenario.stop == "calls":
                self._check(calls)
                return StopReason.CALLED
            for call in calls:
                await self._call(call)
        return StopReason.TURN_LIMIT

    async def _ask(self, sampling: Sampling) -> Completion | None:
        """Make one model call and record it. None where the model failed."""
        begun = time.perf_counter()
        try:
            completion = await self.model.complete(tuple(self.messages), self.specs, sampling)
            message = _writable(completion.message)
        except Exception as error:  # a client should raise ModelError only; one that breaks its word is data too
            taken = (time.perf_counter() - begun) * 1000
            self.model_calls.append(ModelCall(latency_ms=taken, tokens_in=0, tokens_out=0, finish="error"))
            self._fail(FailureKind.MODEL_ERROR, f"{type(error).__name__}: {error}")
            return None
        self.messages.append(message)
        self.model_calls.append(
            ModelCall(
                latency_ms=completion.latency_ms,
                tokens_in=completion.tokens_in,
                tokens_out=completion.tokens_out,
                finish=completion.finish,
            )
        )
        if completion.malformed is not None:
            self._fail(FailureKind.MALFORMED_OUTPUT, completion.malformed)
        return replace(completion, message=message)

    def _check(self, calls: tuple[ToolCall, ...]) -> None:
        """Record which of the calls could not be made, without making any."""
        tools = {tool.name: tool for tool in self.scenario.tools}
        for call in calls:
            if call.name not in tools:
                offered = ", ".join(tools) or "none"
                wrong = f"there is no tool {call.name}; the tools are: {offered}"
                self._fail(FailureKind.UNKNOWN_TOOL, wrong, call.id)
            elif mistakes := argument_mistakes(tools[call.name], call.arguments):
                wrong = f"invalid arguments for {call.name}: {'; '.join(mistakes)}"
                self._fail(FailureKind.INVALID_ARGUMENTS, wrong, call.id)

    async def _call(self, call: ToolCall) -> None:
        """Make one call; its result, or what went wrong, becomes a tool message."""
        try:
            outcome = await self._toolbox().call(call)
        except Exception as error:
            outcome = failed(FailureKind.TOOL_ERROR, f"{type(error).__name__}: {error}")
        if outcome.failure is not None:
            self._fail(outcome.failure, outcome.message, call.id)
        self.messages.append(_answered(call, outcome))

    def _toolbox(self) -> ToolBox:
        """Return the tools, made at the first call, so that a world that cannot be copied is that call's failure."""
        if self.box is None:
            self.box = ToolBox(
                self.scenario.tools,
                self.scenario.world,
                self.scenario.faults,
                time_limit_s=self.limits.tool_seconds,
                output_limit=self.limits.tool_characters,
            )
        return self.box

    def _fail(self, kind: FailureKind, message: str, call_id: str | None = None) -> None:
        turn = len(self.model_calls) - 1
        self.failures.append(Failure(kind=kind, message=_utf8(message), turn=turn, call_id=call_id))


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
