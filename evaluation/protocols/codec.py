"""Between calls as data and calls as a model writes them: a codec per encoding, both ways, at the endpoint's boundary.

So one scenario can be attempted, and scored, in each encoding: agent loop and validators see structured calls only.
Decisions: in text, what could not be read stays in the content, and `Decoded.malformed` says why, as `kind: detail`;
of calls beyond the most of a turn the first ones are taken. Results are told in user messages, because an endpoint
without tools takes no others; results that follow each other share one.
Limits: in XML text arguments lose the whitespace at their ends (see `xml_values.py`).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.protocols import native, xml_values
from evaluation.protocols.json_text import JsonParser
from evaluation.protocols.judge import Judge, OnOffer, on_offer
from evaluation.protocols.load import ProtocolError
from evaluation.protocols.native import NativeParser
from evaluation.protocols.spec import (
    ErrorKind,
    JsonEncoding,
    NativeEncoding,
    Parameter,
    Protocol,
    XmlEncoding,
)
from evaluation.protocols.turns import Call, Turn, Verdict
from evaluation.protocols.xml_text import XmlParser
from evaluation.records import Message, ToolCall, ToolSpec, stable_id


class Decoded(NamedTuple):
    """An assistant turn as data."""

    message: Message
    malformed: str | None
    """Why something in it could not be read as a call, or was not taken: `kind: detail`."""


class Codec:
    """One encoding of one protocol."""

    def __init__(self, protocol: Protocol, encoding: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Make a codec. `tools`: those of a scenario; empty: the protocol's own. Raises `ProtocolError`."""
        if encoding not in protocol.encodings:
            known = ", ".join(protocol.encodings)
            raise ProtocolError([f"expected an encoding of {protocol.name} ({known}), found {encoding!r}"])
        self.protocol = protocol
        self.name = encoding
        self.encoding = protocol.encodings[encoding]
        self.tools = on_offer(protocol, encoding, tools)
        self.judge = Judge(protocol, self.encoding, self.tools)

    @property
    def in_text(self) -> bool:
        """Whether calls stand in the text."""
        return not isinstance(self.encoding, NativeEncoding)

    def parser(self) -> XmlParser | JsonParser | NativeParser:
        """Return a parser that is fed pieces: of the text, or chunks of a stream where calls are native."""
        if isinstance(self.encoding, XmlEncoding):
            return XmlParser({name: _parameters(tool) for name, tool in self.tools.items()}, self.encoding)
        if isinstance(self.encoding, NativeEncoding):
            return NativeParser(self.encoding)
        return JsonParser(self.encoding)

    def read(self, said: str | Mapping[str, Any]) -> Turn:
        """Return what an assistant turn says: text, or a message of the chat API with native calls. Never raises."""
        if isinstance(self.encoding, NativeEncoding):
            return native.read_message({"content": said} if isinstance(said, str) else said, self.encoding)
        parser = self.parser()
        text = said if isinstance(said, str) else said.get("content")
        if isinstance(text, str) and not isinstance(parser, NativeParser):
            parser.feed(text)
        return parser.close()

    def check(self, said: str | Mapping[str, Any]) -> Verdict:
        """Judge an assistant turn. Never raises."""
        return self.judge.turn(self.read(said))

    def decode(self, said: str | Mapping[str, Any], turn: int = 0) -> Decoded:
        """Return an assistant turn as data; `turn` numbers it, so that its calls get ids of their own."""
        read = self.read(said)
        broken = next((call for call in read.calls if call.error is not None), None)
        if read.error is not None or (broken is not None and self.in_text):
            text = said if isinstance(said, str) else str(said.get("content") or "")
            return Decoded(Message(role="assistant", content=text), _malformed(read.error, broken))
        calls = tuple(self._structured(call, f"call_{stable_id(turn, n)[:8]}") for n, call in enumerate(read.calls))
        message = Message(role="assistant", content=read.text, tool_calls=calls[: self.encoding.most_calls])
        if len(message.tool_calls) < len(calls):
            found = f"expected at most {self.encoding.most_calls} call(s), found {len(calls)}"
            return Decoded(message, f"{ErrorKind.MULTIPLE_TOOLS}: {found}")
        return Decoded(message, None if broken is None else _malformed(None, broken))

    def _structured(self, call: Call, identifier: str) -> ToolCall:
        call = self.judge.resolved(call)
        known = self.tools.get(call.tool)
        arguments = call.params
        if isinstance(self.encoding, XmlEncoding) and known is not None:
            arguments = xml_values.read_all(arguments, known.spec.parameters, known.tool)
        return ToolCall(id=identifier, name=call.tool, arguments=arguments)

    def as_written(self, call: ToolCall) -> Call:
        """Return a structured call as it would have been read."""
        if not isinstance(self.encoding, XmlEncoding):
            return Call(tool=call.name, params=call.arguments)
        known = self.tools.get(call.name)
        return Call(tool=call.name, params=dict(xml_values.write_all(call.arguments, known.tool if known else None)))

    def write_call(self, call: ToolCall) -> str:
        """Return a call as text: tags in XML, else JSON."""
        if isinstance(self.encoding, XmlEncoding):
            return self._tags(call)
        if isinstance(self.encoding, JsonEncoding):
            written = json.dumps(_envelope(call, self.encoding), ensure_ascii=False)
            return f"{self.encoding.open}{written}{self.encoding.close}"
        return json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)

    def _tags(self, call: ToolCall) -> str:
        kept = self.encoding.newlines_kept if isinstance(self.encoding, XmlEncoding) else ()
        lines = [f"<{call.name}>"]
        for name, value in self.as_written(call).params.items():
            edge = "\n" if name in kept or "\n" in value else ""
            lines.append(f"<{name}>{edge}{value}{edge}</{name}>")
        return "\n".join([*lines, f"</{call.name}>"])

    def encode(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Return a conversation as an endpoint without tools takes it; as it is where calls are native."""
        if not self.in_text:
            return tuple(messages)
        out: list[Message] = []
        for role, group in itertools.groupby(messages, key=lambda message: message.role):
            if role == "tool":
                out.append(Message(role="user", content="\n\n".join(self._result(message) for message in group)))
            else:
                out += [self._plain(message) for message in group]
        if out and out[0].role == "system":
            out[0] = Message(role="system", content=f"{out[0].content}\n\n{self.describe()}".strip())
        else:
            out.insert(0, Message(role="system", content=self.describe()))
        return tuple(out)

    def _plain(self, message: Message) -> Message:
        calls = [self.write_call(call) for call in message.tool_calls]
        if isinstance(self.encoding, JsonEncoding) and not self.encoding.open and len(calls) > 1:
            calls = [f"[{', '.join(calls)}]"]
        content = "\n".join([*([message.content] if message.content else []), *calls])
        return Message(role=message.role, content=content)

    def _result(self, message: Message) -> str:
        filled = {
            "tool": message.name or "",
            "id": message.tool_call_id or "",
            "json": json.dumps(message.content, ensure_ascii=False),
            "content": message.content,
        }
        return fill(self.encoding.result, filled)

    def describe(self) -> str:
        """Return the text that tells a model its tools and how to call them."""
        rule = "one at a time, after each result" if self.encoding.most_calls == 1 else "one or several"
        told = [f"# Tools\n\nTo use tools, {rule}, write each call like this:\n\n{self.form()}"]
        return "\n\n".join([*told, *(self._told(tool.spec) for tool in self.tools.values())])

    def _told(self, spec: ToolSpec) -> str:
        required = spec.parameters.get("required", ())
        lines = [f"## {spec.name}", spec.description]
        for name, schema in spec.parameters.get("properties", {}).items():
            kind = " or ".join(sorted(xml_values.types_of(schema))) or "any"
            said = schema.get("description", "")
            lines.append(f"- {name} ({kind}{', required' if name in required else ''}){': ' + said if said else ''}")
        return "\n".join([*lines, self.form(spec.name)])

    def form(self, tool: str | None = None) -> str:
        """Return what a call of a tool looks like, with its required parameters; None: of any tool."""
        if tool is None:
            return self.write_call(ToolCall(id="1", name="tool_name", arguments={"parameter": "value"}))
        known = self.tools[tool]
        parameters = known.tool.parameters if known.tool is not None else {}
        properties = known.spec.parameters.get("properties", {})
        arguments = {
            name: _sample(properties.get(name, {}), parameters.get(name))
            for name in known.spec.parameters.get("required", ())
        }
        return self.write_call(ToolCall(id="1", name=tool, arguments=arguments))


def _parameters(known: OnOffer) -> set[str]:
    """Return the names of all parameters that a tool understands, those that are told no longer included."""
    return {*known.spec.parameters.get("properties", {}), *(known.tool.parameters if known.tool is not None else ())}


def _sample(schema: Mapping[str, Any], parameter: Parameter | None) -> Any:
    """Return a value that shows the form of a parameter."""
    if parameter is not None and parameter.form:
        return parameter.form
    if schema.get("enum"):
        return schema["enum"][0]
    types = xml_values.types_of(schema)
    if "array" in types:
        return [_sample(schema.get("items", {}), None)]
    if "object" in types:
        required = schema.get("required", ())
        return {name: _sample(inner, None) for name, inner in schema.get("properties", {}).items() if name in required}
    return 1 if types & {"integer", "number"} and "string" not in types else True if types == {"boolean"} else "…"


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return a text with its placeholders, `{name}`, filled in; those that are not in `values` stay."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


def _malformed(error: ErrorKind | None, call: Call | None) -> str:
    if call is None:
        return f"{error}: expected a shorter text"
    return f"{call.error}: {call.detail}"


def _envelope(call: ToolCall, encoding: JsonEncoding) -> dict[str, Any]:
    out: dict[str, Any] = {}
    places = {**encoding.fixed, encoding.name_at: call.name, encoding.arguments_at: call.arguments}
    if encoding.id_at is not None:
        places[encoding.id_at] = call.id
    for place, value in places.items():
        *outer, last = place.split(".")
        inner = out
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return out
