"""One attempt as a person reads it, whatever it is shown on: what was said, called and returned, and what was wrong.

The terminal (`cluster/episode_text.py`), the page (`cluster/run_html.py`) and the JUnit file (`cluster/run_export.py`)
show the same view. Nothing in it is marked up or escaped: that is the reader's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from evaluation.figures import confusions
from evaluation.records import Failure, Message, StopReason, ToolCall, Verdict
from evaluation.run_folder import Attempted
from evaluation.scenarios import ExpectedArgument, ExpectedCall
from evaluation.validators import task_success
from evaluation.validators.accepted import argument_likeness
from evaluation.validators.base import BROKEN_TOOL
from evaluation.validators.values import DIFFERENT


class Tone(StrEnum):
    """How a block is meant."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    FAINT = "faint"


class Block(NamedTuple):
    """One thing that was said, or is said of it."""

    who: str
    """`system`, `user`, `assistant`, `call`, `result`, `step`, `failure`."""
    title: str
    text: str
    tone: Tone = Tone.PLAIN


class Side(NamedTuple):
    """An expected call beside the one that was made; empty where there is none."""

    expected: str
    given: str
    same_tool: bool


class View(NamedTuple):
    """One attempt."""

    id: str
    scenario: str
    kind: str
    tags: tuple[str, ...]
    attempt: int
    verdict: str
    """`passed`, `failed`, or `not judged`."""
    wrong: tuple[str, ...]
    """Why it failed: `validator: reason`, one each; what broke where no validator says it."""
    where: str
    """Where it went wrong first; empty where it did not."""
    ended: str
    agent: str
    seed: int
    seconds: float
    tokens: int
    tools: tuple[str, ...]
    """Names of the tools that were expected or called."""
    failures: tuple[str, ...]
    """Kinds."""
    blocks: tuple[Block, ...]
    sides: tuple[Side, ...]
    validations: tuple[Block, ...]
    """Every validation: the validator as title, its reason as text."""


def verdict_of(one: Attempted) -> str:
    """Return what came of an attempt."""
    return {True: "passed", False: "failed", None: "not judged"}[task_success(one.validations)]


def tools_of(one: Attempted) -> tuple[str, ...]:
    """Return the names of the tools that were expected or called."""
    names = [call.name for call in one.scenario.expected.calls] + [call.name for call in own_calls(one)]
    return tuple(dict.fromkeys(names))


def own_calls(one: Attempted) -> list[ToolCall]:
    """Return the calls that were made in the attempt."""
    return [call for message in one.episode.messages[one.episode.given :] for call in message.tool_calls]


def view(one: Attempted) -> View:
    """Return an attempt as it is read."""
    episode, scenario = one.episode, one.scenario
    wrong = [f"{v.name}: {v.reason}" for v in one.validations if v.verdict == Verdict.FAILED]
    failures = [f"{f.kind.value}: {f.message}" for f in episode.failures]
    verdict = verdict_of(one)
    said = tuple(wrong or (failures if verdict != "passed" else ()))
    return View(
        id=episode.id,
        scenario=scenario.id,
        kind=scenario.kind.value,
        tags=scenario.tags,
        attempt=episode.attempt,
        verdict=verdict,
        wrong=said,
        where=_where(one, said) if verdict != "passed" else "",
        ended=episode.stop_reason.value,
        agent=episode.agent,
        seed=episode.seed,
        seconds=episode.latency_ms / 1000,
        tokens=episode.tokens_in + episode.tokens_out,
        tools=tools_of(one),
        failures=tuple(dict.fromkeys(f.kind.value for f in episode.failures)),
        blocks=tuple(_blocks(one)),
        sides=_sides(one),
        validations=tuple(Block(v.verdict.value, v.name, v.reason, _TONES[v.verdict]) for v in one.validations),
    )


_TONES = {Verdict.PASSED: Tone.GOOD, Verdict.FAILED: Tone.BAD, Verdict.NOT_APPLICABLE: Tone.FAINT}


def _where(one: Attempted, wrong: Sequence[str]) -> str:
    """Return the first turn in which something broke that was not the tool's fault, or a call was none of those
    expected; else the last.
    """
    broke = {f.turn: f.message for f in reversed(one.episode.failures) if f.kind not in BROKEN_TOOL}
    turns = [m for m in one.episode.messages[one.episode.given :] if m.role == "assistant"]
    for number, message in enumerate(turns):
        astray = [_given(call) for call in message.tool_calls if _is_astray(one, call)]
        if astray or number in broke:
            return f"turn {number + 1}: " + (f"called {', '.join(astray)}" if astray else broke[number])
    last = max([len(turns) - 1, *broke])
    return f"turn {last + 1}: {broke.get(last) or next(iter(wrong), 'nothing could be judged')}"


def _is_astray(one: Attempted, call: ToolCall) -> bool:
    """Whether no expected call is like this one, where others than those are no good."""
    expected = one.scenario.expected
    if expected.any_call:
        return False
    same = [wanted for wanted in expected.calls if wanted.name == call.name]
    return not any(_is_like(wanted, call) for wanted in same) if same else not expected.partial


def _is_like(wanted: ExpectedCall, call: ToolCall) -> bool:
    given = call.arguments
    missing = (name for name, one in wanted.arguments.items() if name not in given and not one.optional)
    unlike = (n for n, v in given.items() if n not in wanted.arguments or argument_likeness(wanted, n, v) == DIFFERENT)
    return not any(missing) and not any(unlike)


def _blocks(one: Attempted) -> Iterator[Block]:
    episode = one.episode
    broken: dict[tuple[int, str | None], list[Failure]] = defaultdict(list)
    for failure in episode.failures:
        broken[failure.turn, failure.call_id].append(failure)
    turn = -1
    for at, message in enumerate(episode.messages):
        own = at >= episode.given
        turn += own and message.role == "assistant"
        yield from _message(one, message, own=own)
        if own and message.role == "assistant":
            for call in message.tool_calls:
                failed = any(f.kind not in BROKEN_TOOL for f in broken.get((turn, call.id), ()))
                tone = Tone.BAD if failed or _is_astray(one, call) else Tone.PLAIN
                yield Block("call", call.name, json_text(call.arguments), tone)
                yield from map(_failure, broken.pop((turn, call.id), ()))
            yield from map(_failure, broken.pop((turn, None), ()))
    yield from (_failure(failure) for failures in broken.values() for failure in failures)
    for step in episode.steps:
        yield Block("step", step.task_key, step.response.content or _calls(step.response), Tone.FAINT)


def _message(one: Attempted, message: Message, *, own: bool) -> Iterator[Block]:
    if message.role == "tool":
        yield Block("result", message.name or "", message.content, Tone.FAINT)
    elif message.content or (own and not message.tool_calls):
        tone = Tone.FAINT if message.role == "system" else Tone.PLAIN
        empty = "(nothing)" if one.episode.stop_reason != StopReason.CALLED else ""
        yield Block(message.role, "", message.content or empty, tone)
    if not own:
        yield from (Block("call", call.name, json_text(call.arguments), Tone.FAINT) for call in message.tool_calls)


def _failure(failure: Failure) -> Block:
    tone = Tone.FAINT if failure.kind in BROKEN_TOOL else Tone.BAD
    return Block("failure", failure.kind.value, failure.message, tone)


def _calls(message: Message) -> str:
    return "; ".join(f"{call.name}({json_text(call.arguments)})" for call in message.tool_calls)


def _sides(one: Attempted) -> tuple[Side, ...]:
    """Return the expected calls beside those that were made, paired by the name of the tool first."""
    expected = list(one.scenario.expected.calls)
    given = own_calls(one)
    sides = []
    for wanted, called in confusions([c.name for c in expected], [c.name for c in given]):
        want = _take(expected, wanted)
        got = _take(given, called)
        if want or got:
            sides.append(Side(_expected(want) if want else "", _given(got) if got else "", wanted == called))
    return tuple(sides)


def _take(calls: list[Any], name: str) -> Any:
    found = next((call for call in calls if call.name == name), None)
    if found is not None:
        calls.remove(found)
    return found


def _given(call: ToolCall) -> str:
    return f"{call.name}({', '.join(f'{name}={json_text(value)}' for name, value in call.arguments.items())})"


def _expected(call: ExpectedCall) -> str:
    return f"{call.name}({', '.join(f'{name}={_argument(one)}' for name, one in call.arguments.items())})"


def _argument(one: ExpectedArgument) -> str:
    options = [json_text(value) for value in one.any_of] + ([f"/{one.regex}/"] if one.regex is not None else [])
    text = " or ".join(options) or "nothing"
    text += f" ± {one.tolerance:g}" if one.tolerance else ""
    return f"[{text}]" if one.optional else text


def json_text(value: Any) -> str:
    """Return a value in JSON, in one line."""
    return json.dumps(value, ensure_ascii=False, default=str)
