"""From an item to an example: its calls are executed, its conversation played and judged.

Decisions: an item becomes a scenario with its own turns as script, and the scenario is played by the oracle through the
same agent loop, tools, faults and validators as any test; all requests of a conversation in their order, in one world,
so that a call finds what the calls before it have left. Tools that are functions of this process are executed; the
others return what the teacher said they return. Nothing is sent outside the process. A call that fails where the item
has no failure makes the item invalid. Validators compare the teacher's word with itself, so that their confidence says
little: how sure a label is follows from whether every value of a call is said by the user, and every number of the
answer by anybody.
Limits: a value that is said in other words ("next Friday" for a date) counts as unsaid, and lowers the confidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from evaluation.examples import Origin, Scales, to_example
from evaluation.generate.saying import says_all
from evaluation.generate.stub_tools import RECORDED, function_of, is_stub
from evaluation.grounding import content
from evaluation.oracle import reference_episode
from evaluation.records import (
    Episode,
    Example,
    FailureKind,
    Message,
    Metrics,
    RecoveryStrategy,
    Source,
    ToolCall,
    Validation,
    Verdict,
    stable_id,
)
from evaluation.scenarios import (
    Expected,
    ExpectedAnswer,
    ExpectedArgument,
    ExpectedCall,
    Fault,
    Kind,
    Part,
    Scenario,
    ScriptedUser,
    ToolDef,
)
from evaluation.tools.execute import argument_mistakes
from evaluation.validators import task_success, validate
from training.synthesis.config import SynthesisConfig
from training.synthesis.items import Item, ItemCall

GROUNDING = "grounding"
PENDING = "…"
"""Stands for the answer while the tools are called."""


class Played(NamedTuple):
    """An item whose conversation was played."""

    scenario: Scenario
    episode: Episode
    validations: tuple[Validation, ...]
    problem: str
    """Why it is no example; empty where it is one."""


class Made(NamedTuple):
    """What an example was made of, beside the conversation."""

    example_id: str
    run_id: str
    teacher: str
    variant: str
    seed: int
    metrics: Metrics
    """What it took of the teacher's answer."""
    at: datetime


def call_mistakes(item: Item, tools: Mapping[str, ToolDef]) -> list[str]:
    """Return what is wrong with the item's calls by the tools on offer and their schemas, for the teacher to read."""
    wrong = []
    for call in item.all_calls:
        tool = tools.get(call.name)
        if tool is None:
            wrong.append(f"there is no tool {call.name!r} on offer; the tools are: {', '.join(tools)}")
        elif mistakes := argument_mistakes(tool, call.arguments):
            wrong.append(f"arguments of {call.name}: {'; '.join(mistakes)}")
    return wrong


def is_executed(item: Item, tools: Mapping[str, ToolDef]) -> bool:
    """Whether a call of the item is executed here, so that the teacher does not know its result."""
    return any(_is_own(tools[call.name]) for call in item.all_calls if call.name in tools)


def scenario_of(
    item: Item, tools: Sequence[ToolDef], config: SynthesisConfig, *, scenario_id: str, group: str
) -> Scenario:
    """Return the item as a scenario whose script is its own turns."""
    kind = item.kind or Kind.ONE_CALL
    told: dict[str, list[dict[str, Any]]] = {}
    for call in item.all_calls:
        if call.result is not None and _works(item, call):
            told.setdefault(call.name, []).append({"arguments": call.arguments, "result": call.result})
    offered = tuple(_offered(tool, recorded=tool.name in told) for tool in tools)
    own = {tool.name for tool in tools if _is_own(tool)}
    recorded = {name: results for name, results in told.items() if name not in own}
    recovery = RecoveryStrategy.CLARIFY if item.kind == Kind.MISSING_ARGUMENT else item.recovery
    return Scenario(
        id=scenario_id,
        group=group,
        part=Part.TRAIN,
        kind=kind,
        task_key=config.task_key,
        messages=(Message(role="system", content=config.system), Message(role="user", content=item.user)),
        tools=offered,
        world={RECORDED: recorded} if recorded else {},
        faults=_faults(item),
        user=_user(item),
        expected=Expected(
            calls=tuple(_expected(call.name, call.arguments) for call in item.all_calls),
            order="any" if item.kind == Kind.PARALLEL else "strict",
            answer=ExpectedAnswer(reference=(item.then[-1] if item.then else item).answer or PENDING),
            recovery=recovery,
            script=tuple(_script(item)),
        ),
        max_turns=6 + 2 * len(item.then),
        tags=("synthetic", kind.value, *(("several_requests",) if item.then else ())),
    )


async def play(scenario: Scenario, item: Item, config: SynthesisConfig) -> Played:
    """Play the scenario and judge what happened."""
    episode = await reference_episode(scenario)
    validations = (*validate(scenario, episode), _grounded(scenario, item, episode, config))
    wrong = [f"{one.name}: {one.reason}" for one in validations if one.verdict == Verdict.FAILED]
    injected = scenario.faults.get(item.calls[0].name) if item.calls and scenario.faults else None
    wrong += [
        f"{failure.kind}: {failure.message}"
        for failure in episode.failures
        if injected is None or failure.kind is not FailureKind.TOOL_ERROR or failure.message != injected.message
    ]
    if not wrong and not task_success(validations):
        wrong = ["nothing could be judged"]
    return Played(scenario, episode, validations, "; ".join(wrong))


def conversations_of(item: Item, episode: Episode) -> list[str]:
    """Return a played conversation up to each of its answers, each as one line of JSON, for the teacher to answer."""
    said: list[dict[str, Any]] = []
    found: list[str] = []
    asked = not item.question
    for message in episode.messages:
        if message.role == "user":
            said.append({"user": message.content})
        elif message.role == "tool":
            said.append({"result": message.content})
        elif message.tool_calls:
            said.append({"calls": [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]})
        elif message.role == "assistant" and not asked:
            asked = True
            said.append({"assistant": message.content})
        elif message.role == "assistant":
            found.append(json.dumps(said, ensure_ascii=False))
    return found


def answered(item: Item, answers: Sequence[str]) -> Item:
    """Return the item with these answers: one for each request of its user."""
    then = tuple(
        further.model_copy(update={"answer": text}) for further, text in zip(item.then, answers[1:], strict=True)
    )
    return item.model_copy(update={"answer": answers[0], "then": then})


def example_of(played: Played, made: Made, scales: Scales, judged: Validation | None = None) -> Example:
    """Return the example that a played item is."""
    validations = (*played.validations, judged) if judged is not None else played.validations
    origin = Origin(source=Source.SYNTHETIC, model_version=made.teacher)
    example = to_example(played.scenario, played.episode, validations, run_id=made.run_id, origin=origin, scales=scales)
    provenance = example.provenance.model_copy(
        update={"teacher": made.teacher, "prompt_variant": made.variant, "seed": made.seed}
    )
    return example.model_copy(
        update={"id": made.example_id, "timestamp": made.at, "provenance": provenance, "metrics": made.metrics}
    )


def example_id(run_id: str, request: str, number: int) -> str:
    """Return the id of the example that an item of a request becomes: known before it is."""
    return stable_id("synthetic", run_id, request.split(".")[0], number)


def _grounded(scenario: Scenario, item: Item, episode: Episode, config: SynthesisConfig) -> Validation:
    """Judge whether the user says every value of the calls, and somebody every number of the answers.

    A value of a later request may have been returned by an earlier one's call.
    """
    schemas = {tool.name: tool.parameters.get("properties", {}) for tool in scenario.tools}
    unsaid = []
    for heard, calls in _requests(item, episode):
        for call in calls:
            properties = schemas.get(call.name, {})
            given = {
                name: value
                for name, value in call.arguments.items()
                if not isinstance(properties.get(name), Mapping) or properties[name].get("default") != value
            }
            unsaid += [f"{call.name} {value!r}" for value in says_all(heard, given)]
    answers = [one for one in episode.messages if one.role == "assistant" and not one.tool_calls]
    others = " ".join(message.content for message in episode.messages if message not in answers)
    known = content(f"{others} {item.question}" + json.dumps([call.arguments for call in item.all_calls]))
    said = " ".join(one.content for one in answers)
    numbers = [one for one in content(said) if isinstance(one, float) and one not in known]
    reasons = ["the user does not say " + ", ".join(unsaid[:4])] if unsaid else []
    reasons += ["nobody says " + ", ".join(f"{one:g}" for one in sorted(numbers)[:4])] if numbers else []
    confidence = config.trust.unsaid if reasons else config.trust.teacher
    reason = "; ".join(reasons) or "every value of a call is said by the user, every number of the answer by somebody"
    return Validation(name=GROUNDING, verdict=Verdict.PASSED, confidence=confidence, reason=reason)


def _requests(item: Item, episode: Episode) -> Iterator[tuple[str, Sequence[ItemCall]]]:
    """Yield the calls of each request, with what was said and returned before they were made."""
    heard = f"{item.user} {item.reply}"
    yield heard, item.calls
    starts = [at for at, message in enumerate(episode.messages) if message.role == "user"]
    for further, start in zip(item.then, starts[1 + bool(item.question) :], strict=False):
        heard += f" {further.user}"
        returned = " ".join(message.content for message in episode.messages[:start] if message.role == "tool")
        yield f"{heard} {returned}", further.calls


def _user(item: Item) -> ScriptedUser | None:
    """Return who answers the question, if there is one, and goes on after the answers."""
    if not item.question and not item.then:
        return None
    then = tuple(further.user for further in item.then)
    return ScriptedUser(otherwise=item.reply, consent=item.reply, then=then, replies=bool(item.question) + len(then))


def _is_own(tool: ToolDef) -> bool:
    """Whether the tool is a function of this process."""
    return tool.function is not None and not is_stub(tool)


def _works(item: Item, call: ItemCall) -> bool:
    """Whether the call's result is that of a call that worked: a teacher may repeat the injected error there."""
    if item.kind != Kind.TOOL_ERROR:
        return True
    failed = isinstance(call.result, Mapping) and "error" in call.result
    return item.recovery == RecoveryStrategy.RETRY and not failed


def _offered(tool: ToolDef, *, recorded: bool) -> ToolDef:
    """Return the tool as it is called: never outside this process."""
    if _is_own(tool):
        return tool
    return ToolDef(**tool.spec().model_dump(), function=function_of(tool.name) if recorded else None)


def _expected(name: str, arguments: Mapping[str, Any]) -> ExpectedCall:
    return ExpectedCall(
        name=name, arguments={key: ExpectedArgument(any_of=(value,)) for key, value in arguments.items()}
    )


def _faults(item: Item) -> dict[str, Fault]:
    if item.kind != Kind.TOOL_ERROR or not item.calls:
        return {}
    again = any(call.name == item.calls[0].name for further in item.then for call in further.calls)
    times = 1 if item.recovery == RecoveryStrategy.RETRY or again else None
    return {item.calls[0].name: Fault(kind="error", message=item.error, times=times)}


def _script(item: Item) -> list[Message]:
    turns = [Message(role="assistant", content=item.question)] if item.question else []
    for again in range(2 if item.recovery == RecoveryStrategy.RETRY else 1):
        turns += _calling(item.calls, again)
    turns.append(Message(role="assistant", content=item.answer or PENDING))
    for at, further in enumerate(item.then, 2):
        turns += [*_calling(further.calls, at), Message(role="assistant", content=further.answer or PENDING)]
    return turns


def _calling(calls: Sequence[ItemCall], turn: int) -> list[Message]:
    """Return the turn that makes the calls; none where there are none."""
    made = (ToolCall(id=f"call_{turn}_{at}", name=call.name, arguments=call.arguments) for at, call in enumerate(calls))
    return [Message(role="assistant", tool_calls=tuple(made))] if calls else []
