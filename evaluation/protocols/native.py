"""The API's own tool calls, with arguments as JSON text: whole messages, and streams of chunks put together.

Decisions: arguments are read as `JSON.parse` reads them; no arguments at all are an empty object. Chunks belong
together by their index. A call is known from the first chunk that has an id: what came before is lost, and a call that
never gets an id or a name is none. A name may come after arguments. Whatever a message holds, nothing is raised.
Source of the behaviour: github.com/RooCodeInc/Roo-Code, release 3.52, observed and described; written anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.protocols import files, javascript
from evaluation.protocols.spec import DynamicNames, ErrorKind, NativeEncoding, Parameter, Tool
from evaluation.protocols.strict_json import NotJson, parse_json
from evaluation.protocols.turns import Call, Turn

_DROPPED = object()
"""In place of a value that could not be read as its type."""


@dataclass
class _Tracked:
    """A call of which chunks have come."""

    name: str
    pieces: list[str] = field(default_factory=list)


class NativeParser:
    """Puts one assistant turn together from its chunks."""

    def __init__(self, encoding: NativeEncoding) -> None:
        self._doubles = encoding.numbers == "double"
        self._text: list[str] = []
        self._calls: dict[Any, _Tracked] = {}

    def feed(self, chunk: Mapping[str, Any]) -> None:
        """Take the next chunk: `content`, or `index`, `id`, `name` and `arguments` of a call, each where it came."""
        content = chunk.get("content")
        if isinstance(content, str):
            self._text.append(content)
        index = chunk.get("index")
        index = index if isinstance(index, int) else None
        tracked = self._calls.get(index)
        name = chunk.get("name")
        name = name if isinstance(name, str) else ""
        if tracked is None and chunk.get("id"):
            tracked = self._calls[index] = _Tracked(name)
        if tracked is None:
            return
        tracked.name = tracked.name or name
        piece = chunk.get("arguments")
        if isinstance(piece, str):
            tracked.pieces.append(piece)

    def close(self) -> Turn:
        """Return what was read once the stream has ended."""
        started = (one for one in self._calls.values() if one.name)
        calls = tuple(read_call(one.name, "".join(one.pieces), doubles=self._doubles) for one in started)
        return Turn(text="".join(self._text), calls=calls)


def read_message(message: Mapping[str, Any], encoding: NativeEncoding) -> Turn:
    """Return what an assistant message in the OpenAI chat format says.

    `tool_call_chunks` in place of `tool_calls`: the chunks of a stream, in the order of their arrival.
    """
    content = message.get("content")
    said = content if isinstance(content, str) else ""
    if chunks := message.get("tool_call_chunks"):
        parser = NativeParser(encoding)
        for chunk in chunks:
            parser.feed(chunk if isinstance(chunk, Mapping) else {})
        return parser.close().model_copy(update={"text": said})
    calls = message.get("tool_calls") or ()
    return Turn(text=said, calls=tuple(_of_message(call, encoding) for call in calls))


def _of_message(call: Any, encoding: NativeEncoding) -> Call:
    function = call.get("function") if isinstance(call, Mapping) else None
    fields = function if isinstance(function, Mapping) else {}
    name = fields.get("name")
    doubles = encoding.numbers == "double"
    return read_call(name if isinstance(name, str) else "", fields.get("arguments"), doubles=doubles)


def read_call(name: str, arguments: Any, *, doubles: bool = False) -> Call:
    """Return a call from its name and the text of its arguments."""
    if not isinstance(arguments, str):
        found = type(arguments).__name__
        return Call(tool=name, error=ErrorKind.MALFORMED_JSON, detail=f"expected arguments as JSON text, found {found}")
    if not arguments:
        return Call(tool=name)
    try:
        value = parse_json(arguments, doubles=doubles)
    except NotJson as error:
        return Call(tool=name, error=ErrorKind.MALFORMED_JSON, detail=f"expected JSON, found: {error}")
    if isinstance(value, dict):
        return Call(tool=name, params=value)
    detail = f"expected an object, found {type(value).__name__}"
    return Call(tool=name, value=value, error=ErrorKind.ARGUMENTS_NOT_OBJECT, detail=detail)


def dynamic_call(call: Call, names: DynamicNames) -> Call | None:
    """Return the call of a server's tool that a put-together name stands for; None where the name is none of these."""
    one_of = "|".join(re.escape(separator) for separator in names.separators)
    prefix, *parts = re.split(one_of, call.tool)
    if prefix != names.prefix or len(parts) < 2 or not parts[0]:
        return None
    tool = names.separators[0].join(parts[1:])
    if not tool:
        return None
    # A server's tool may take anything; what it was given is looked at as the argument of `names.tool`.
    error = None if call.error == ErrorKind.ARGUMENTS_NOT_OBJECT else call.error
    arguments = call.value if error != call.error else call.params
    params = {} if error else {names.server: parts[0], names.name: tool, names.arguments: arguments}
    return Call(tool=names.tool, params=params, error=error, detail=call.detail if error else "")


def typed(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the tool gets them: those that it declares, read as their type where they are coerced."""
    older = tool.older_form
    if older is not None and older.parameter in arguments:
        try:
            entries = files.listed(arguments[older.parameter])
        except ValueError:
            return {}
        if entries is not None:
            return {older.parameter: entries, **older.adds}
    return _fields(tool.parameters, arguments)


def _fields(parameters: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    read = ((name, _coerced(parameter, values[name])) for name, parameter in parameters.items() if name in values)
    return {name: value for name, value in read if value is not _DROPPED}


def _coerced(parameter: Parameter, value: Any) -> Any:
    if not parameter.coerce:
        return value
    match parameter.type:
        case "object" if isinstance(value, dict | list):
            return _fields(parameter.properties, value if isinstance(value, dict) else {})
        case "boolean":
            return _boolean(value)
        case "number" | "integer":
            return _number(value)
    return _DROPPED


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(javascript.trim(value).lower(), _DROPPED)
    return value if isinstance(value, bool) else _DROPPED


def _number(value: Any) -> Any:
    if isinstance(value, str):
        number = javascript.to_number(value)
        return _DROPPED if number is None else number
    return value if isinstance(value, int | float) and not isinstance(value, bool) else _DROPPED
