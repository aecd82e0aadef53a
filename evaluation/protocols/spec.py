"""A protocol as data: its tools, how calls are written, the rules of a turn and of an episode, and its error texts.

The records only: `load.py` reads them from YAML files and says what is wrong in one; docs/protocols.md tells the
format. Decisions: an encoding says how calls are written and how strictly their arguments are judged. Judged by
`schema`, a call must fit what its tool declares; judged by `checks`, it must pass what the agent itself looks at, which
may be less (a parameter that is declared as required but missed by nobody) and more (a patch that must be readable).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from evaluation.records import Record, ToolSpec

JsonType = Literal["string", "number", "integer", "boolean", "array", "object", "any"]


class ErrorKind(StrEnum):
    """Why a turn is refused."""

    NO_TOOL_USE = "no_tool_use"
    """There is no call in it."""
    UNKNOWN_TOOL = "unknown_tool"
    """A call names a tool that does not exist. In XML such a tag is plain text."""
    MULTIPLE_TOOLS = "multiple_tools"
    """There are more calls than a turn may have."""
    UNCLOSED_TOOL = "unclosed_tool"
    """The text ended inside a call."""
    MALFORMED_JSON = "malformed_json"
    """The arguments, or a call in text, are no JSON."""
    ARGUMENTS_NOT_OBJECT = "arguments_not_object"
    """The arguments are JSON, but no object."""
    MISSING_PARAM = "missing_param"
    """A required argument is absent, or empty where that counts as absent."""
    INVALID_PARAM = "invalid_param"
    """An argument has a value that the tool refuses."""
    MESSAGE_TOO_LONG = "message_too_long"
    """The text is longer than the parser takes."""


class FailureClass(StrEnum):
    """What models get wrong, as it is counted over episodes."""

    NO_CALL = "no_call"
    """Prose only, where a call is required."""
    CALL_AS_TEXT = "call_as_text"
    """A call in another notation than the one that is read: JSON, `<function=…>`, `[TOOL_CALL]`, tags."""
    CALL_IN_REASONING = "call_in_reasoning"
    """The only call stands inside the reasoning."""
    MALFORMED_CALL = "malformed_call"
    """A call that cannot be read: no JSON, no object, no end."""
    UNKNOWN_TOOL = "unknown_tool"
    MISSING_ARGUMENT = "missing_argument"
    """A required argument is absent or empty."""
    NOT_AN_ARRAY = "not_an_array"
    """An argument that must be an array is none, or is absent."""
    INVALID_ARGUMENT = "invalid_argument"
    """An argument has a value that the tool refuses."""
    DIFF_GRAMMAR = "diff_grammar"
    """A diff or a patch that cannot be read."""
    SEARCH_TEXT = "search_text"
    """The text to be replaced is not what the file says: from memory, with line numbers, with entities."""
    TRUNCATED_FILE = "truncated_file"
    """A file written with a remark in place of its rest."""
    TOO_MANY_CALLS = "too_many_calls"
    NOT_ALONE = "not_alone"
    """A call beside one that must be the only one of its turn."""
    REPEATED_CALL = "repeated_call"
    """The same call again, although it just failed; or more often than the rules allow."""
    COMPLETED_AFTER_FAILURE = "completed_after_failure"
    """The task is ended in a turn in which another call failed."""
    COMPLETION_ASKS = "completion_asks"
    """The text that ends the task ends in a question."""
    NOT_ALLOWED = "not_allowed"
    """The mode does not allow the tool, or not on this path."""
    RESULT_MISMATCH = "result_mismatch"
    """A call without exactly one result: the fault of whoever runs the calls, not of the model."""


class Markup(Record):
    """How an array of objects is written as tags inside an XML parameter."""

    tag: str
    """The tag of one entry."""
    text: str | None = None
    """The field that is the entry's own text; the others are attributes. None: each field is a tag of its own."""


class Parameter(Record):
    """One parameter of a tool."""

    type: JsonType = "string"
    description: str = ""
    required: bool | Literal["declared"] = False
    """`true`: a call without it is refused. `declared`: the model is told that it is required, no call is refused."""
    nullable: bool = False
    may_be_empty: bool = False
    """Whether an empty value of a required parameter counts as given."""
    coerce: bool = False
    """Whether text is read as the number or boolean that it spells; what cannot be read is dropped."""
    values: tuple[Any, ...] = ()
    """The only values; empty: any."""
    properties: dict[str, Parameter] = Field(default_factory=dict)
    """Of an object."""
    items: Parameter | None = None
    """Of an array."""
    hidden: bool = False
    """Whether the parameter is understood but no longer told to models."""
    form: str = ""
    """What a right value looks like; told to a model whose value was none."""
    markup: Markup | None = None

    def json_schema(self) -> dict[str, Any]:
        """Return the parameter as JSON Schema (2020-12)."""
        out: dict[str, Any] = {}
        if self.type != "any":
            out["type"] = [self.type, "null"] if self.nullable else self.type
        if self.description:
            out["description"] = self.description
        if self.values:
            out["enum"] = [*self.values, *([None] if self.nullable else [])]
        if self.properties:
            out |= object_schema(self.properties)
            out["type"] = ["object", "null"] if self.nullable else "object"
        if self.items is not None:
            out["items"] = self.items.json_schema()
        return out


def object_schema(parameters: dict[str, Parameter]) -> dict[str, Any]:
    """Return JSON Schema of an object with these properties and no others; hidden ones are left out."""
    return {
        "type": "object",
        "properties": {name: parameter.json_schema() for name, parameter in parameters.items() if not parameter.hidden},
        "required": [name for name, parameter in parameters.items() if parameter.required],
        "additionalProperties": False,
    }


CheckKind = Literal[
    "filled", "one_of", "pattern", "text", "array", "object", "json", "operations", "at_least", "different", "mode",
    "patch", "files", "markup",
]  # fmt: skip


class Check(Record):
    """One thing that the agent looks at before it runs a call; docs/protocols.md lists the kinds."""

    kind: CheckKind
    parameter: str
    """`a.b` is the field `b` of the object `a`."""
    error: Literal[ErrorKind.MISSING_PARAM, ErrorKind.INVALID_PARAM] = ErrorKind.INVALID_PARAM
    when: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The check is made only where each of these parameters has one of the values."""
    early: bool = False
    """Made before the required parameters are looked for."""
    values: tuple[str, ...] = ()
    """Of `one_of`."""
    pattern: str | None = None
    """Of `pattern`: a regular expression that the whole value fits."""
    minimum: float | None = None
    """Of `at_least`."""
    most: int | None = Field(default=None, ge=1)
    """Of `files`: most entries."""
    other: str | None = None
    """Of `different`: the other parameter; of `files`: the parameter of the older form with one path."""
    verbatim: tuple[str, ...] = ()
    """Of `markup`: tags whose content is not read."""


class OlderForm(Record):
    """A former way to call a tool that still works: a list in one parameter stands for all others."""

    parameter: str
    """An array of objects with `path` and `line_ranges`, or JSON text of one."""
    adds: dict[str, Any] = Field(default_factory=dict)
    """What the agent adds to the arguments, to know the form by."""


class Tool(Record):
    """One tool."""

    name: str
    description: str = ""
    encodings: tuple[str, ...] = ()
    """The encodings that have the tool in this form; empty: all."""
    group: str | None = None
    """The group that a mode must allow; None: allowed in every mode."""
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    older_form: OlderForm | None = None
    diff: str | None = None
    """The parameter that holds SEARCH/REPLACE blocks."""
    search: str | None = None
    """The parameter whose text must stand in the file."""
    whole_file: str | None = None
    """The parameter that must hold a file in full."""
    path: str | None = None
    """The parameter that names the file which is read or changed."""

    def spec(self) -> ToolSpec:
        """Return the tool as a model sees it."""
        return ToolSpec(name=self.name, description=self.description, parameters=object_schema(self.parameters))


class Encoding(Record):
    """What all encodings have in common."""

    judged_by: Literal["schema", "checks"] = "schema"
    extra_parameters: Literal["refused", "ignored"] = "refused"
    """What becomes of parameters that a tool does not have, where calls are judged by `schema`."""
    least_calls: int = Field(default=0, ge=0)
    """Fewest calls of a turn."""
    most_calls: int | None = Field(default=None, ge=1)
    """Most calls of a turn; None: any number."""
    result: str = "{content}"
    """How a tool's result is told: `{tool}`, `{id}`, `{content}` and `{json}` (the content as JSON) are filled in."""


class XmlEncoding(Encoding):
    """`<tool><parameter>value</parameter></tool>` in the text."""

    kind: Literal["xml"]
    known_parameters: tuple[str, ...] = ()
    """Tags that the parser takes for parameters, beside those of the tools."""
    newlines_kept: tuple[str, ...] = ()
    """Parameters that are not trimmed: only the first and the last newline go."""
    last_close: dict[str, str] = Field(default_factory=dict)
    """By tool, the parameter that may hold its own closing tag: the last one counts."""
    longest_parameter: int | None = Field(default=None, ge=1)
    """Characters; a longer value is given up, and the parser looks for tags again."""
    longest_message: int | None = Field(default=None, ge=1)
    """Characters."""


class DynamicNames(Record):
    """Tools of servers, called by a name that is put together: prefix, server and tool between separators."""

    prefix: str
    separators: tuple[str, ...] = Field(min_length=1)
    tool: str
    """The tool that the call stands for; it has the three parameters below."""
    server: str = "server_name"
    name: str = "tool_name"
    arguments: str = "arguments"


class NativeEncoding(Encoding):
    """The API's own tool calls, with arguments as JSON text."""

    kind: Literal["native"]
    aliases: dict[str, str] = Field(default_factory=dict)
    """Names that stand for another tool."""
    dynamic: DynamicNames | None = None
    numbers: Literal["exact", "double"] = "exact"
    """`double`: as JavaScript reads them, where large integers lose digits."""
    names: str | None = None
    """A regular expression that a tool's whole name must fit."""


class JsonEncoding(Encoding):
    """Calls as JSON objects in the text."""

    kind: Literal["json"]
    open: str = ""
    """What stands before each call; empty: the whole text is one call, or a list of them, or it is no call."""
    close: str = ""
    name_at: str = "name"
    """Where the tool's name stands in the object; `a.b` is the field `b` of the field `a`."""
    arguments_at: str = "arguments"
    id_at: str | None = None
    fixed: dict[str, Any] = Field(default_factory=dict)
    """Fields that every call has with these values."""


class Mode(Record):
    """What may be used while the agent is in one mode."""

    description: str = ""
    groups: dict[str, str | None] = Field(default_factory=dict)
    """Groups of tools, each with a regular expression that paths must match; null: any path."""


class Rules(Record):
    """What holds over a turn and over an episode."""

    alone: tuple[str, ...] = ()
    """Tools whose call must be the only one of its turn."""
    completion: tuple[str, ...] = ()
    """Tools that end the task."""
    completion_after_failure: bool = True
    """Whether a task may be ended in a turn in which another call failed."""
    completion_may_ask: bool = True
    """Whether the last text may end in a question."""
    result_per_call: bool = True
    """Whether each call gets exactly one result."""
    identical_calls: int | None = Field(default=None, ge=1)
    """Most identical calls one after another; None: any number."""
    turns_without_call: int | None = Field(default=None, ge=0)
    """Turns without a call, one after another, before the next one is a mistake."""
    mistakes_in_a_row: int | None = Field(default=None, ge=1)
    """Turns with a mistake, one after another, after which the user is asked."""


class Protocol(Record):
    """What one agent expects of a model."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    description: str
    source: str = ""
    """Where the facts come from."""
    encodings: dict[str, XmlEncoding | NativeEncoding | JsonEncoding] = Field(min_length=1)
    tools: tuple[Tool, ...] = ()
    """Empty: the tools are those that a scenario offers."""
    rules: Rules = Rules()
    modes: dict[str, Mode] = Field(default_factory=dict)
    errors: dict[str, str] = Field(default_factory=dict)
    """What the agent answers, by kind of error or class of failure; `{tool}`, `{parameter}`, `{tools}`, `{mode}` and
    `{detail}` are filled in."""

    def tools_of(self, encoding: str) -> tuple[Tool, ...]:
        """Return the tools that an encoding has."""
        return tuple(tool for tool in self.tools if not tool.encodings or encoding in tool.encodings)
