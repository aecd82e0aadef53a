"""Messages to check, one a line, and their verdicts: the files of `ratchet protocol check`.

A case is `{"id", "protocol", "assistant_message"}`: the name of the encoding, and a text, or a message with native
calls (`tool_calls`, or `tool_call_chunks` for a stream). `tools` offers tools in place of the protocol's own; other
fields are left alone. A message that is no proper call is a verdict; only a line that is no case is an error.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, field_validator

from evaluation.files import atomic_write
from evaluation.located import Document, SuiteError, parse, read_jsonl
from evaluation.protocols.checks import shown
from evaluation.protocols.codec import Codec
from evaluation.protocols.load import PAGE, ProtocolError
from evaluation.protocols.spec import NativeEncoding, Protocol
from evaluation.protocols.turns import Verdict
from evaluation.records import OpenAITool, ToolSpec


class Case(NamedTuple):
    """One message to check."""

    id: str | int
    encoding: str
    message: str | Mapping[str, Any]
    tools: tuple[ToolSpec, ...] = ()


class Checked(NamedTuple):
    """What a file of cases came to."""

    verdicts: tuple[Verdict, ...]
    """In the order of the cases."""
    valid: int
    errors: dict[str, int]
    """How many there are of each kind of error."""


class _Line(BaseModel):
    id: str | int
    protocol: str | None = None
    assistant_message: Any
    tools: tuple[OpenAITool, ...] = ()

    @field_validator("assistant_message")
    @classmethod
    def _readable(cls, message: Any) -> Any:
        if not isinstance(message, str | dict):
            wanted = "a text, or an object with content and tool_calls"
            raise ValueError(f"expected {wanted}, found {type(message).__name__}")
        fields = message if isinstance(message, dict) else {}
        for field in ("tool_calls", "tool_call_chunks"):
            if not isinstance(fields.get(field), list | None):
                raise ValueError(f"expected {field} to be a list, found {type(fields[field]).__name__}")
        return message


def check_file(protocol: Protocol, cases: Path, out: Path) -> Checked:
    """Judge every case and write one verdict a line, in the same order. Raises `ProtocolError` and `DiskError`.

    Nothing is written unless every line is a case.
    """
    read = read_cases(protocol, cases)
    verdicts = tuple(check_cases(protocol, read))
    lines = (json.dumps(row(case, verdict)) + "\n" for case, verdict in zip(read, verdicts, strict=True))
    atomic_write(out, "".join(lines))
    errors = Counter(str(verdict.error) for verdict in verdicts if verdict.error is not None)
    return Checked(verdicts, sum(verdict.valid for verdict in verdicts), dict(sorted(errors.items())))


def check_cases(protocol: Protocol, cases: list[Case]) -> Iterator[Verdict]:
    """Yield the verdict of each case."""
    codecs = {name: Codec(protocol, name) for name in protocol.encodings}
    for case in cases:
        codec = Codec(protocol, case.encoding, case.tools) if case.tools else codecs[case.encoding]
        yield codec.check(case.message)


def row(case: Case, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a line of the file."""
    # Field by field: dumping the record would refuse arguments that are nested deep.
    names = ("valid", "tool", "params", "error", "error_param")
    return {"id": case.id, **{name: getattr(verdict, name) for name in names}}


def read_cases(protocol: Protocol, path: Path) -> list[Case]:
    """Read a file of cases. Raises `ProtocolError` with every mistake in it, each with its line."""
    try:
        document = read_jsonl(path)
    except SuiteError as error:
        raise ProtocolError(list(error.mistakes)) from error
    mistakes: list[str] = []
    found = [_case(protocol, document, number, mistakes) for number in range(len(document.data))]
    if not document.data:
        mistakes.append(document.mistake((), "expected one case a line, found none"))
    if mistakes:
        raise ProtocolError(mistakes)
    return [case for case in found if case is not None]


def _case(protocol: Protocol, document: Document, number: int, mistakes: list[str]) -> Case | None:
    """Return the case of one line, or None with what is wrong added to `mistakes`."""
    at = (number,)
    if not isinstance(document.data[number], dict):
        mistakes.append(
            document.mistake(at, f"expected one JSON object, found {shown(document.data[number])}", name=())
        )
        return None
    line = parse(_Line, document, document.data[number], at, mistakes=mistakes, page=PAGE)
    if line is None:
        return None
    known = list(protocol.encodings)
    name = known[0] if line.protocol is None and len(known) == 1 else line.protocol
    if name not in protocol.encodings:
        said = f"expected {' or '.join(map(repr, known))}, an encoding of {protocol.name}, found {line.protocol!r}"
        mistakes.append(document.mistake(at, said, name=("protocol",)))
        return None
    native = isinstance(protocol.encodings[name], NativeEncoding)
    if isinstance(line.assistant_message, str) == native:
        wanted = "an object with content and tool_calls" if native else "a text"
        said = f"expected {wanted} in {name}, found {'a text' if native else 'an object'}"
        mistakes.append(document.mistake(at, said, name=("assistant_message",)))
        return None
    offered = tuple(tool.spec() for tool in line.tools)
    return Case(line.id, name, line.assistant_message, offered)
