"""What a model got wrong in an episode, by failure class: a pure function of the episode and its protocol.

Decisions: one mistake per cause. A call is judged as it would have been written in the encoding, so that an episode is
scored alike whoever decoded it. A tool that fails is not the model's mistake; going on as if it had not failed is.
A call that failed through no fault of the model may be made once more; after the second failure, again is a mistake.
Limits: whether a text to be replaced is in the file is known from the tool's failure only. Reasoning is what stands
between `<think>` or `<thinking>` tags.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluation.protocols import edits, signs
from evaluation.protocols.codec import Codec
from evaluation.protocols.spec import ErrorKind, FailureClass, Tool, XmlEncoding
from evaluation.protocols.turns import Verdict
from evaluation.records import Episode, Failure, FailureKind, Message, Record, StopReason, ToolCall, stable_id

_OF_ERROR = {
    ErrorKind.NO_TOOL_USE: FailureClass.NO_CALL,
    ErrorKind.UNKNOWN_TOOL: FailureClass.UNKNOWN_TOOL,
    ErrorKind.MULTIPLE_TOOLS: FailureClass.TOO_MANY_CALLS,
    ErrorKind.MISSING_PARAM: FailureClass.MISSING_ARGUMENT,
    ErrorKind.INVALID_PARAM: FailureClass.INVALID_ARGUMENT,
}
_TOOL_FAULTS = frozenset({FailureKind.TOOL_ERROR, FailureKind.TOOL_TIMEOUT})


class Mistake(Record):
    """One thing that went wrong."""

    failure: FailureClass
    turn: int
    """Index of the assistant turn, from 0."""
    tool: str | None = None
    call_id: str | None = None
    parameter: str | None = None
    error: ErrorKind | None = None
    """Why the call is refused, where it is."""
    detail: str = ""
    """What was expected and what was found."""


@dataclass(frozen=True)
class Said:
    """One assistant turn of an episode and what became of it."""

    number: int
    message: Message
    results: tuple[Message, ...]
    failures: tuple[Failure, ...]
    tokens_in: int

    def failed(self, call: ToolCall, kinds: frozenset[FailureKind] = frozenset(FailureKind)) -> bool:
        """Return whether the call failed in one of these ways."""
        return any(failure.call_id == call.id and failure.kind in kinds for failure in self.failures)


def turns_of(episode: Episode) -> list[Said]:
    """Return the turns that the model took; a scenario may begin with earlier ones.

    Raises `ValueError` where the turns are not those of the model calls, as with an agent that has steps of its own.
    """
    answered = [call for call in episode.model_calls if call.finish != "error"]
    own = enumerate(episode.messages[episode.given :], start=episode.given)
    starts = [at for at, message in own if message.role == "assistant"]
    out = []
    for number, (at, call) in enumerate(zip(starts, answered, strict=True)):
        after = starts[number + 1] if number + 1 < len(starts) else len(episode.messages)
        results = tuple(m for m in episode.messages[at + 1 : after] if m.role == "tool")
        failures = tuple(failure for failure in episode.failures if failure.turn == number)
        out.append(Said(number, episode.messages[at], results, failures, call.tokens_in))
    return out


def find_mistakes(episode: Episode, codec: Codec, mode: str | None = None) -> tuple[Mistake, ...]:
    """Return every mistake of an episode, turn by turn.

    `codec`: of the encoding that the model wrote, made with the episode's tools unless they are the protocol's own.
    `mode`: the agent's mode; None: everything is allowed.

    Raises `ValueError` where the protocol has no such mode, and where the episode has fewer turns than model calls.
    """
    if mode is not None and mode not in codec.protocol.modes:
        known = ", ".join(codec.protocol.modes) or "none"
        raise ValueError(f"expected a mode of {codec.protocol.name} ({known}), found {mode!r}")
    turns = turns_of(episode)
    executed = episode.stop_reason != StopReason.CALLED
    found: list[Mistake] = []
    for said in turns:
        found += _of_turn(said, codec, mode)
        if codec.protocol.rules.result_per_call and (executed or said is not turns[-1]):
            found += _result_mismatches(said)
    found += _repetitions(turns, codec)
    return tuple(sorted(found, key=lambda mistake: mistake.turn))


def mistake_of(verdict: Verdict, codec: Codec, turn: int = 0) -> Mistake | None:
    """Return the mistake that a verdict names; None where there is none."""
    if verdict.error is None:
        return None
    failure = _OF_ERROR.get(verdict.error, FailureClass.MALFORMED_CALL)
    known = codec.tools.get(verdict.tool or "")
    if known is not None and verdict.parameter is not None:
        name = verdict.parameter.split(".")[0]
        schema = known.spec.parameters.get("properties", {}).get(name, {})
        patches = {check.parameter for check in known.tool.checks if check.kind == "patch"} if known.tool else set()
        # In XML a list is text, too.
        lists = list | str if isinstance(codec.encoding, XmlEncoding) else list
        if schema.get("type") == "array" and not isinstance(verdict.params.get(name), lists):
            failure = FailureClass.NOT_AN_ARRAY
        elif name in patches and verdict.error == ErrorKind.INVALID_PARAM:
            failure = FailureClass.DIFF_GRAMMAR
    return Mistake(
        failure=failure, turn=turn, tool=verdict.tool, parameter=verdict.parameter,
        error=verdict.error, detail=verdict.detail,
    )  # fmt: skip


def _of_turn(said: Said, codec: Codec, mode: str | None) -> Iterator[Mistake]:
    calls = said.message.tool_calls
    malformed = [failure for failure in said.failures if failure.kind == FailureKind.MALFORMED_OUTPUT]
    yield from (_malformed(failure, said.number) for failure in malformed)
    if not calls:
        if not malformed:
            yield from _without_call(said, codec)
        return
    most = codec.encoding.most_calls
    if most is not None and len(calls) > most:
        detail = f"expected at most {most} call(s) in a turn, found {len(calls)}"
        yield Mistake(
            failure=FailureClass.TOO_MANY_CALLS, turn=said.number, error=ErrorKind.MULTIPLE_TOOLS, detail=detail
        )
    for call in calls:
        # What could not be read of a native call is gone; it was named above.
        if call.arguments or not malformed:
            yield from _of_call(said, call, codec, mode)
    yield from _together(said, codec)


def _malformed(failure: Failure, turn: int) -> Mistake:
    kind = failure.message.split(":", 1)[0]
    error = ErrorKind(kind) if kind in list(ErrorKind) else None
    found = _OF_ERROR.get(error, FailureClass.MALFORMED_CALL) if error is not None else FailureClass.MALFORMED_CALL
    return Mistake(failure=found, turn=turn, error=error, detail=failure.message)


def _without_call(said: Said, codec: Codec) -> Iterator[Mistake]:
    text = said.message.content
    reasoning, rest = signs.split_reasoning(text)
    names = list(codec.tools)
    if sign := signs.call_sign(rest, names):
        detail = f"expected a call as {codec.name}, found {sign!r} in the text"
        yield Mistake(failure=FailureClass.CALL_AS_TEXT, turn=said.number, detail=detail)
    elif sign := signs.call_sign(reasoning, names):
        detail = f"expected the call after the reasoning, found {sign!r} inside it"
        yield Mistake(failure=FailureClass.CALL_IN_REASONING, turn=said.number, detail=detail)
    elif codec.encoding.least_calls:
        detail = f"expected a call, found {text[:40]!r}"
        yield Mistake(failure=FailureClass.NO_CALL, turn=said.number, error=ErrorKind.NO_TOOL_USE, detail=detail)


def _of_call(said: Said, call: ToolCall, codec: Codec, mode: str | None) -> Iterator[Mistake]:
    mistake = mistake_of(codec.judge.call(codec.as_written(call)), codec, said.number)
    known = codec.tools.get(call.name)
    tool = known.tool if known is not None else None
    if mistake is not None:
        yield mistake.model_copy(update={"call_id": call.id})
    elif tool is not None:
        yield from _contents(said, call, tool)
    if tool is not None and mode is not None and (detail := _forbidden(call, tool, codec, mode)):
        yield _mistake(FailureClass.NOT_ALLOWED, said, call, detail)


def _contents(said: Said, call: ToolCall, tool: Tool) -> Iterator[Mistake]:
    """Yield what is wrong inside arguments that the agent itself would take."""
    diff = call.arguments.get(tool.diff) if tool.diff is not None else None
    search = call.arguments.get(tool.search) if tool.search is not None else None
    whole = call.arguments.get(tool.whole_file) if tool.whole_file is not None else None
    if isinstance(diff, str) and (wrong := edits.block_mistake(diff)):
        yield _mistake(FailureClass.DIFF_GRAMMAR, said, call, wrong, parameter=tool.diff)
    elif isinstance(diff, str) or isinstance(search, str):
        texts = edits.searched(diff) if isinstance(diff, str) else [str(search)]
        wrong = next((found for text in texts if (found := signs.copied(text))), None)
        if wrong is None and said.failed(call, _TOOL_FAULTS):
            wrong = "expected text that stands in the file, found none that matches"
        if wrong is not None:
            yield _mistake(FailureClass.SEARCH_TEXT, said, call, wrong, parameter=tool.diff or tool.search)
    if isinstance(whole, str) and (line := signs.left_out(whole)):
        detail = f"expected the whole file, found {line!r}"
        yield _mistake(FailureClass.TRUNCATED_FILE, said, call, detail, parameter=tool.whole_file)


def _forbidden(call: ToolCall, tool: Tool, codec: Codec, mode: str) -> str | None:
    groups = codec.protocol.modes[mode].groups
    if tool.group is None:
        return None
    if tool.group not in groups:
        return f"expected a tool of {', '.join(groups) or 'no group'} in {mode} mode, found {call.name} ({tool.group})"
    pattern, path = groups[tool.group], call.arguments.get(tool.path or "")
    if pattern is not None and isinstance(path, str) and not re.search(pattern, path):
        return f"expected a path that matches {pattern} in {mode} mode, found {path!r}"
    return None


def _together(said: Said, codec: Codec) -> Iterator[Mistake]:
    """Yield what is wrong with calls beside each other."""
    rules, calls = codec.protocol.rules, said.message.tool_calls
    lone = next((call for call in calls if call.name in rules.alone), None)
    if lone is not None and len(calls) > 1:
        detail = f"expected {lone.name} to be the only call of its turn, found {len(calls)} calls"
        yield _mistake(FailureClass.NOT_ALONE, said, lone, detail)
    for call in calls:
        if call.name not in rules.completion:
            continue
        if not rules.completion_after_failure and any(said.failed(other) for other in calls if other.id != call.id):
            detail = f"expected no failure in the turn that calls {call.name}, found one"
            yield _mistake(FailureClass.COMPLETED_AFTER_FAILURE, said, call, detail)
        texts = [value for value in call.arguments.values() if isinstance(value, str)]
        if not rules.completion_may_ask and texts and texts[0].rstrip().endswith("?"):
            detail = f"expected a result, found a question: {texts[0].rstrip()[-40:]!r}"
            yield _mistake(FailureClass.COMPLETION_ASKS, said, call, detail)


def _result_mismatches(said: Said) -> Iterator[Mistake]:
    answered = Counter(message.tool_call_id for message in said.results)
    for call in said.message.tool_calls:
        if answered[call.id] != 1:
            detail = f"expected one result, found {answered[call.id]}"
            yield _mistake(FailureClass.RESULT_MISMATCH, said, call, detail)


def _repetitions(turns: Sequence[Said], codec: Codec) -> Iterator[Mistake]:
    limit = codec.protocol.rules.identical_calls
    before, streak, failures = "", 0, 0
    for said in turns:
        for call in said.message.tool_calls:
            now = stable_id(call.name, call.arguments)
            streak, failures = (streak + 1, failures) if now == before else (1, 0)
            before = now
            if streak > 1 and failures > 1:
                detail = f"expected another call after {failures} failures of this one, found it again"
                yield _mistake(FailureClass.REPEATED_CALL, said, call, detail)
            elif limit is not None and streak > limit:
                detail = f"expected at most {limit} identical calls, found number {streak}"
                yield _mistake(FailureClass.REPEATED_CALL, said, call, detail)
            # The tool's own failure may pass by itself; what is wrong with the call does not.
            failures += 1 if said.failed(call, _TOOL_FAULTS) else 2 if said.failed(call) else 0


def _mistake(
    failure: FailureClass, said: Said, call: ToolCall, detail: str, *, parameter: str | None = None
) -> Mistake:
    return Mistake(
        failure=failure, turn=said.number, tool=call.name, call_id=call.id, parameter=parameter, detail=detail
    )
