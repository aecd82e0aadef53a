"""A suite of tasks in an agent's protocol: its tools, in each encoding in the form that this has, over a tree of files.

A folder with `protocol.yaml` and files of tasks (docs/protocols.md). Phrasings and slots are divided over the
parts and drawn as those of templates are (`expand.py`); half of the scenarios have the tools of one encoding, half of
the next. Decisions: what a task's script calls is really carried out, in a copy of its world, before there is a
scenario: a script that fails where it should not is a mistake of the file. What has to come out is the world that the
script leaves. Calls that are marked `free` may be made otherwise or not at all; then only the others, and the world,
are judged. A task ends with the call that completes it. Tools refuse what the agent refuses, not what it only declares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pydantic import Field

from evaluation.alternatives import alternatives
from evaluation.filling import fill, fill_value
from evaluation.located import SuiteError, parse, read_yaml
from evaluation.pools import Pool, Values, share_of
from evaluation.protocols.load import load_protocol
from evaluation.protocols.spec import Parameter, Protocol, Tool, object_schema
from evaluation.records import FailureKind, Message, Record, StopReason, ToolCall, stable_id
from evaluation.scenarios import (
    Expected,
    ExpectedArgument,
    ExpectedCall,
    Fault,
    Kind,
    Part,
    Scenario,
    ToolDef,
)
from evaluation.splits import Suite, normalised
from evaluation.templates import slots_of
from evaluation.tools.execute import ToolBox

HEAD = "protocol.yaml"
TRIES = 400
"""Draws for one task and part before it counts as having no further scenarios."""
SPARE_TURNS = 3
"""Model calls that an attempt may take beyond those of the script."""


class ScriptedCall(Record):
    """A call of a task's script; texts may hold slots, also in the keys of objects."""

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    only: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By encoding: further arguments, where encodings have the tool in different forms."""
    accept: dict[str, ExpectedArgument] = Field(default_factory=dict)
    """What an argument may be, beside the value in `arguments`."""
    free: bool = False
    """May be made otherwise, or not at all: only what comes out of it is judged."""
    beside: bool = False
    """Stands in the same turn as the call before it."""
    fails: bool = False
    """The tool refuses this call, or is struck; what is then done right is what counts."""


class TaskTemplate(Record):
    """Something that users ask a coding agent for."""

    id: str
    family: str
    """The family of tools, for the tags."""
    rule: str | None = None
    """The rule of the protocol that the task tries, for the tags."""
    encodings: tuple[str, ...] = ()
    """Those that have the tools; empty: all."""
    mode: str = "code"
    phrasings: tuple[str, ...] = Field(min_length=3)
    calls: tuple[ScriptedCall, ...] = Field(min_length=1)
    world: dict[str, Any] = Field(default_factory=dict)
    """Put into the suite's world, table by table."""
    final: tuple[str, ...] = ()
    """Tables of the world that have to be as the script leaves them; empty: none is judged."""
    fault: Fault | None = None
    """Strikes the first call's tool, which has to be called again."""
    forbidden: tuple[str, ...] = ()
    """Tools that may not be called."""
    offer: tuple[str, ...] = ()
    """Further tools that are on offer."""
    withhold: tuple[str, ...] = ()
    """Tools that are not on offer."""
    weight: int = Field(default=1, ge=1)


class TaskFile(Record):
    """One file of tasks."""

    tasks: tuple[TaskTemplate, ...]


class TaskHead(Record):
    """`protocol.yaml`."""

    name: str
    protocol: str
    functions: str
    """Module of the tools' functions, each of the tool's name; a tool without one is recorded."""
    renamed: dict[str, str] = Field(default_factory=dict)
    """By tool: the function's name where it is another one."""
    system: str
    """`{mode}` is filled in."""
    counts: dict[Part, int]
    always: tuple[str, ...]
    """Tools that are always on offer."""
    others: tuple[int, int] = (3, 5)
    """How many further tools of the mode are on offer."""
    beside: tuple[str, ...]
    """Tools that these are drawn from."""
    left_out: dict[str, dict[str, ExpectedArgument]] = Field(default_factory=dict)
    """By tool: arguments that may be given so, or left out, wherever a script does not give them."""
    slots: dict[str, Pool]
    world: dict[str, Any]


class _Encoding(NamedTuple):
    name: str
    tools: dict[str, ToolDef]
    groups: dict[str, str | None]
    """By tool: the group that a mode must allow."""


class _Drawn(NamedTuple):
    """A task with its values."""

    encoding: _Encoding
    task: TaskTemplate
    part: Part
    phrasing: str
    """Which of the task's texts it is."""
    message: str
    values: dict[str, Any]
    tools: list[str]


def is_task_suite(folder: Path) -> bool:
    """Return whether the folder holds tasks in a protocol."""
    return (folder / HEAD).is_file()


def expand_tasks(
    folder: Path, seed: int, split_seed: int | None = None, counts: Mapping[Part, int | None] | None = None
) -> Suite:
    """Return the scenarios of a folder of tasks. Raises `SuiteError` as `expand` does."""
    head, tasks = read_tasks(folder)
    divided = seed if split_seed is None else split_seed
    expander = _Expander(head, tasks, seed, divided)
    wanted = {**head.counts, **{part: number for part, number in (counts or {}).items() if number is not None}}
    scenarios = [s for part in Part if wanted.get(part, 0) > 0 for s in expander.part(part, wanted[part])]
    return Suite(name=head.name, seed=seed, split_seed=divided, scenarios=tuple(scenarios))


def read_tasks(folder: Path) -> tuple[TaskHead, tuple[TaskTemplate, ...]]:
    """Read a folder of tasks. Raises `SuiteError` with all mistakes of form."""
    mistakes: list[str] = []
    document = read_yaml(folder / HEAD)
    head = parse(TaskHead, document, document.data, (), mistakes=mistakes)
    tasks: list[TaskTemplate] = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name != HEAD:
            document = read_yaml(path)
            found = parse(TaskFile, document, document.data, (), mistakes=mistakes)
            tasks += found.tasks if found is not None else ()
    twice = sorted({task.id for task in tasks if [other.id for other in tasks].count(task.id) > 1})
    mistakes += [f"{folder.name}: expected each task once, found {name} again" for name in twice]
    if head is None or mistakes:
        raise SuiteError(mistakes)
    return head, tuple(tasks)


class _Expander:
    """Draws scenarios of one folder for one pair of seeds."""

    def __init__(self, head: TaskHead, tasks: Sequence[TaskTemplate], seed: int, split_seed: int) -> None:
        self._head, self._tasks, self._seed, self._split_seed = head, tasks, seed, split_seed
        self._values = Values(head.slots, split_seed)
        self._protocol = load_protocol(head.protocol)
        self._encodings = [_encoding(name, self._protocol, head) for name in self._protocol.encodings]

    def part(self, part: Part, count: int) -> list[Scenario]:
        """Return `count` scenarios, the encodings in turn. Raises `SuiteError` where there are not so many."""
        streams = [self._stream(encoding, part) for encoding in self._encodings]
        out: list[Scenario] = []
        while len(out) < count:
            drawn = next(streams[len(out) % len(streams)], None)
            if drawn is None:
                wanted = f"suite {self._head.name}: expected {count} different scenarios for part {part.value}"
                raise SuiteError([f"{wanted}, found {len(out)}; lower counts.{part.value}, or add phrasings"])
            out.append(self._scenario(drawn, len(out) + 1))
        Random(stable_id("order", self._seed, part.value)).shuffle(out)
        return out

    def _stream(self, encoding: _Encoding, part: Part) -> Iterator[_Drawn]:
        """Yield drawn tasks, one of each before a second of any, until no task has another."""
        tasks = [task for task in self._tasks for _ in range(task.weight) if _suits(task, encoding.name)]
        random = Random(stable_id("tasks", self._seed, encoding.name, part.value))
        random.shuffle(tasks)
        streams = [self._of_task(task, encoding, part, random.random()) for task in tasks]
        while streams:
            for stream in list(streams):
                drawn = next(stream, None)
                if drawn is None:
                    streams.remove(stream)
                else:
                    yield drawn

    def _of_task(self, task: TaskTemplate, encoding: _Encoding, part: Part, salt: float) -> Iterator[_Drawn]:
        texts = [
            (f"{at}.{number}", text)
            for at, phrasing in enumerate(task.phrasings)
            for number, text in enumerate(alternatives(phrasing))
        ]
        own = share_of(part, texts, Random(stable_id("phrasings", self._split_seed, task.id)))
        random = Random(stable_id("draw", self._seed, task.id, encoding.name, part.value, salt))
        seen: set[str] = set()
        for _ in range(TRIES):
            name, text = random.choice(own)
            slots = slots_of([text, task.model_dump(exclude={"phrasings"}), self._head.world]) & set(self._head.slots)
            values = {slot: self._values.draw(slot, part, random) for slot in sorted(slots)}
            message = fill(text, values)
            if normalised(message) not in seen:
                seen.add(normalised(message))
                yield _Drawn(encoding, task, part, name, message, values, self._offer(task, encoding, random))

    def _offer(self, task: TaskTemplate, encoding: _Encoding, random: Random) -> list[str]:
        """Return the tools on offer: those of the script, those that always are, and some more of the mode's."""
        groups = self._protocol.modes[task.mode].groups
        allowed = [name for name, group in encoding.groups.items() if group is None or group in groups]
        right = [name for name in (*self._head.always, *task.offer, *(c.tool for c in task.calls)) if name in allowed]
        others = [n for n in self._head.beside if n in allowed and n not in right and n not in task.withhold]
        number = min(random.randint(*self._head.others), len(others))
        offered = [*dict.fromkeys(right), *random.sample(others, number)]
        random.shuffle(offered)
        return offered

    def _scenario(self, drawn: _Drawn, number: int) -> Scenario:
        task, encoding = drawn.task, drawn.encoding
        mode = self._protocol.modes[task.mode]
        only = next((pattern for pattern in mode.groups.values() if pattern), None)
        base = {**self._head.world, "mode": task.mode, **({"only": only} if only else {})}
        world = _merged(_filled(base, drawn.values), _filled(task.world, drawn.values))
        tools = [encoding.tools[name] for name in drawn.tools]
        script, after = self._rehearsed(drawn, tools, world)
        digest = stable_id(drawn.message, encoding.name, drawn.tools)[:6]
        return Scenario(
            id=f"{self._head.name}/{task.id}/{encoding.name}/{drawn.part.value}/{number:03d}-{digest}",
            group=f"{task.id}#{drawn.phrasing}",
            part=drawn.part,
            kind=Kind.PROTOCOL,
            messages=(
                Message(role="system", content=fill(self._head.system, {"mode": task.mode})),
                Message(role="user", content=drawn.message),
            ),
            tools=tuple(tools),
            world=world,
            faults={task.calls[0].tool: task.fault} if task.fault else {},
            expected=self._expected(drawn, script, after),
            completion=tuple(name for name in self._protocol.rules.completion if name in drawn.tools),
            max_turns=len(script) + SPARE_TURNS,
            tags=_tags(task, encoding.name),
        )

    def _rehearsed(
        self, drawn: _Drawn, tools: Sequence[ToolDef], world: Mapping[str, Any]
    ) -> tuple[list[Message], dict[str, Any]]:
        """Carry the script out; return its turns and the world after it. Raises `SuiteError` where it goes wrong."""
        faults = {drawn.task.calls[0].tool: drawn.task.fault} if drawn.task.fault else {}
        box = ToolBox(tools, world, faults)
        turns: list[list[ToolCall]] = []
        for at, call in enumerate(drawn.task.calls):
            made = ToolCall(id=f"call_{at}", name=call.tool, arguments=_arguments(call, drawn))
            outcome = box.call_now(made)
            struck = drawn.task.fault is not None and outcome.failure in (
                FailureKind.TOOL_ERROR,
                FailureKind.TOOL_TIMEOUT,
            )
            if (outcome.failure is not None) != call.fails and not struck:
                wanted = "fail" if call.fails else "work"
                found = outcome.message or outcome.content
                raise SuiteError(
                    [f"{drawn.task.id} ({drawn.encoding.name}): expected {call.tool} to {wanted}, found: {found}"]
                )
            turns[-1:] = [[*turns[-1], made]] if call.beside and turns else [*turns[-1:], [made]]
        return [Message(role="assistant", tool_calls=tuple(calls)) for calls in turns], box.world

    def _expected(self, drawn: _Drawn, script: Sequence[Message], after: Mapping[str, Any]) -> Expected:
        task = drawn.task
        last = {call.tool for call in task.calls[-1:]}
        completes = bool(last & set(self._protocol.rules.completion))
        return Expected(
            calls=tuple(self._expected_call(call, drawn) for call in task.calls if not (call.free or call.fails)),
            order="any" if any(call.beside for call in task.calls) else "strict",
            partial=any(call.free for call in task.calls),
            forbidden=tuple(ExpectedCall(name=name, arguments={}) for name in task.forbidden if name in drawn.tools),
            world={name: after.get(name) for name in task.final} or None,
            stop_reason=StopReason.CALLED if completes else None,
            script=tuple(script),
        )

    def _expected_call(self, call: ScriptedCall, drawn: _Drawn) -> ExpectedCall:
        given = _arguments(call, drawn)
        known = drawn.encoding.tools[call.tool].parameters["properties"]
        arguments = {name: ExpectedArgument(any_of=(value,)) for name, value in given.items()}
        for name, accepted in call.accept.items():
            values = _filled(accepted.model_dump(), drawn.values)
            values["any_of"] = (*((given[name],) if name in given else ()), *values["any_of"])
            arguments[name] = ExpectedArgument.model_validate(values)
        for name, argument in self._head.left_out.get(call.tool, {}).items():
            if name in known and name not in arguments:
                arguments[name] = argument.model_copy(update={"optional": True})
        return ExpectedCall(name=call.tool, arguments=arguments)


def _suits(task: TaskTemplate, encoding: str) -> bool:
    return not task.encodings or encoding in task.encodings


def _arguments(call: ScriptedCall, drawn: _Drawn) -> dict[str, Any]:
    filled = _filled({**call.arguments, **call.only.get(drawn.encoding.name, {})}, drawn.values)
    assert isinstance(filled, dict)
    return filled


def _encoding(name: str, protocol: Protocol, head: TaskHead) -> _Encoding:
    tools = {tool.name: _tool(tool, head) for tool in protocol.tools_of(name)}
    return _Encoding(name, tools, {tool.name: tool.group for tool in protocol.tools_of(name)})


def _tool(tool: Tool, head: TaskHead) -> ToolDef:
    """Return a tool that refuses what the agent refuses: what is only declared as required may be left out."""
    schema = object_schema({name: _refusing(parameter) for name, parameter in tool.parameters.items()})
    function = f"{head.functions}:{head.renamed.get(tool.name, tool.name)}"
    return ToolDef(name=tool.name, description=tool.description, parameters=schema, function=function)


def _refusing(parameter: Parameter) -> Parameter:
    """Return the parameter with only what is refused without it as required, at every depth."""
    inner = {name: _refusing(one) for name, one in parameter.properties.items()}
    items = _refusing(parameter.items) if parameter.items is not None else None
    return parameter.model_copy(update={"required": parameter.required is True, "properties": inner, "items": items})


def _tags(task: TaskTemplate, encoding: str) -> tuple[str, ...]:
    rule = [f"rule:{task.rule}"] if task.rule else []
    tools = dict.fromkeys(f"tool:{call.tool}" for call in task.calls)
    return (f"encoding:{encoding}", f"family:{task.family}", f"mode:{task.mode}", *rule, *tools)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a JSON value with the slots in it filled in; braces that are no slot's stay."""
    known = {f"{{{name}}}" for name in values}
    if isinstance(value, str):
        return fill_value(value, values) if any(name in value for name in known) else value
    if isinstance(value, Mapping):
        return {str(_filled(key, values)): _filled(item, values) for key, item in value.items()}
    return [_filled(item, values) for item in value] if isinstance(value, list | tuple) else value


def _merged(world: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(world)
    for key, value in more.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = {**out[key], **value} if both else value
    return out
