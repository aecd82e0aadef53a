"""Reads a protocol: one that ships, by its name, or a YAML file of one's own. All mistakes of a file are named at once.

A protocol is data and is never executed; docs/protocols.md tells the format.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.located import Document, Location, SuiteError, parse, read_yaml
from evaluation.protocols.spec import (
    Check,
    CheckKind,
    Encoding,
    ErrorKind,
    FailureClass,
    JsonEncoding,
    NativeEncoding,
    Protocol,
    Tool,
    XmlEncoding,
)

FOLDER = Path(__file__).parent
PAGE = "docs/protocols.md"
KINDS: dict[str, type[Encoding]] = {"xml": XmlEncoding, "native": NativeEncoding, "json": JsonEncoding}
PLACEHOLDERS = frozenset({"tool", "parameter", "tools", "mode", "detail"})
"""What an error text may have filled in."""

_NEEDS: dict[CheckKind, str] = {
    "one_of": "values", "pattern": "pattern", "at_least": "minimum", "different": "other", "files": "other",
}  # fmt: skip
"""What a kind of check cannot do without."""


class ProtocolError(SuiteError):
    """A protocol, or a file of messages to check, cannot be used. `mistakes` holds one line each."""


class _Mistake(NamedTuple):
    where: Location
    text: str


def builtin_protocols() -> tuple[str, ...]:
    """Return the names of the protocols that ship."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_protocol(name: str | Path) -> Protocol:
    """Return a protocol by its name, or from a YAML file. Raises `ProtocolError` with every mistake of the file."""
    if isinstance(name, str) and name in builtin_protocols():
        return _builtin(name)
    path = Path(name).expanduser()
    if not path.is_file():
        known = ", ".join(builtin_protocols())
        raise ProtocolError([f"expected a protocol ({known}) or a YAML file of one, found {str(name)!r}"])
    return read_protocol(path)


@functools.cache
def _builtin(name: str) -> Protocol:
    return read_protocol(FOLDER / f"{name}.yaml")


def read_protocol(path: Path) -> Protocol:
    """Read a protocol's file. Raises `ProtocolError` with every mistake in it, each with file, line and field."""
    try:
        document = read_yaml(path)
    except SuiteError as error:
        raise ProtocolError(list(error.mistakes)) from error
    mistakes: list[str] = []
    protocol = _parsed(document, mistakes)
    if protocol is not None and not mistakes:
        mistakes = [document.mistake(found.where, found.text) for found in _cross_checks(protocol)]
    if protocol is None or mistakes:
        raise ProtocolError(sorted(mistakes, key=lambda one: int(one.removeprefix(f"{path}:").split(":")[0])))
    return protocol


def _parsed(document: Document, mistakes: list[str]) -> Protocol | None:
    """Return the protocol where each field by itself can be read; else None. Adds what is wrong to `mistakes`."""
    data = document.data
    if not isinstance(data, dict):
        said = f"expected name, description, encodings and tools, found {type(data).__name__}"
        mistakes.append(document.mistake((), said))
        return None
    if isinstance(data.get("encodings"), dict) and data["encodings"]:
        data = {**data, "encodings": _encodings(document, mistakes) or {"none": NativeEncoding(kind="native")}}
    return parse(Protocol, document, data, (), mistakes=mistakes, page=PAGE)


def _encodings(document: Document, mistakes: list[str]) -> dict[str, Encoding]:
    """Return the encodings that can be read: each by its own kind, so that only its own fields are asked for."""
    found: dict[str, Encoding] = {}
    for name, data in document.data["encodings"].items():
        at: Location = ("encodings", name)
        kind = data.get("kind") if isinstance(data, dict) else None
        if not isinstance(kind, str) or kind not in KINDS:
            said = f"expected {' or '.join(map(repr, KINDS))}, found {kind!r}"
            mistakes.append(document.mistake((*at, "kind"), said))
        elif one := parse(KINDS[kind], document, data, at, mistakes=mistakes, page=PAGE, within=at):
            found[name] = one
    return found


def _cross_checks(protocol: Protocol) -> Iterator[_Mistake]:
    """Yield what is wrong between one field and another."""
    yield from _names(protocol)
    for number, tool in enumerate(protocol.tools):
        yield from _tool_mistakes(protocol, tool, ("tools", number))
    for name, encoding in protocol.encodings.items():
        yield from _encoding_mistakes(protocol, name, encoding)
    yield from _rule_mistakes(protocol)
    yield from _mode_mistakes(protocol)
    yield from _text_mistakes(protocol)


def _names(protocol: Protocol) -> Iterator[_Mistake]:
    for encoding in protocol.encodings:
        seen: Counter[str] = Counter()
        for number, tool in enumerate(protocol.tools):
            if tool.encodings and encoding not in tool.encodings:
                continue
            seen[tool.name] += 1
            if seen[tool.name] == 2:
                yield _Mistake(("tools", number, "name"), f"expected one {tool.name} in {encoding}, found a second")


def _tool_mistakes(protocol: Protocol, tool: Tool, at: Location) -> Iterator[_Mistake]:
    yield from _unknown(tool.encodings, protocol.encodings, (*at, "encodings"), "an encoding of this protocol")
    for field in ("diff", "search", "whole_file", "path"):
        name = getattr(tool, field)
        if name is not None and name not in tool.parameters:
            yield _Mistake((*at, field), _expected("a parameter of the tool", tool.parameters, name))
    for number, check in enumerate(tool.checks):
        yield from _check_mistakes(protocol, tool, check, (*at, "checks", number))


def _check_mistakes(protocol: Protocol, tool: Tool, check: Check, at: Location) -> Iterator[_Mistake]:
    named = [("parameter", check.parameter), ("other", check.other), *(("when", name) for name in check.when)]
    for field, name in named:
        if name is not None and name.split(".")[0] not in tool.parameters:
            yield _Mistake((*at, field), _expected("a parameter of the tool", tool.parameters, name))
    need = _NEEDS.get(check.kind)
    if need is not None and getattr(check, need) in (None, ()):
        yield _Mistake((*at, "kind"), f"expected {need!r} with a check of kind {check.kind}, found none")
    if check.kind == "mode" and not protocol.modes:
        yield _Mistake((*at, "kind"), "expected 'modes' in a protocol whose tools are checked for one, found none")
    yield from _pattern_mistakes(check.pattern, (*at, "pattern"))


def _encoding_mistakes(protocol: Protocol, name: str, encoding: Encoding) -> Iterator[_Mistake]:
    at: Location = ("encodings", name)
    tools = {tool.name: tool for tool in protocol.tools_of(name)}
    if encoding.most_calls is not None and encoding.least_calls > encoding.most_calls:
        yield _Mistake(
            (*at, "least_calls"), f"expected at most most_calls, {encoding.most_calls}, found {encoding.least_calls}"
        )
    yield from _template_mistakes(encoding.result, {"tool", "id", "content", "json"}, (*at, "result"))
    if isinstance(encoding, XmlEncoding):
        yield from _unknown(encoding.last_close, tools, (*at, "last_close"), f"a tool of {name}")
    if isinstance(encoding, NativeEncoding):
        yield from _unknown(encoding.aliases.values(), tools, (*at, "aliases"), f"a tool of {name}")
        yield from _pattern_mistakes(encoding.names, (*at, "names"))
        if encoding.dynamic is not None:
            yield from _unknown([encoding.dynamic.tool], tools, (*at, "dynamic", "tool"), f"a tool of {name}")
    if isinstance(encoding, JsonEncoding) and bool(encoding.open) != bool(encoding.close):
        yield _Mistake((*at, "open"), "expected both open and close, or neither, found one of them")


def _rule_mistakes(protocol: Protocol) -> Iterator[_Mistake]:
    if protocol.tools:
        names = {tool.name for tool in protocol.tools}
        yield from _unknown(protocol.rules.alone, names, ("rules", "alone"), "a tool")
        yield from _unknown(protocol.rules.completion, names, ("rules", "completion"), "a tool")


def _mode_mistakes(protocol: Protocol) -> Iterator[_Mistake]:
    groups = {tool.group for tool in protocol.tools if tool.group is not None}
    for name, mode in protocol.modes.items():
        for group, pattern in mode.groups.items():
            at: Location = ("modes", name, "groups", group)
            if group not in groups:
                yield _Mistake(at, _expected("a group of some tool", sorted(groups), group))
            yield from _pattern_mistakes(pattern, at)


def _text_mistakes(protocol: Protocol) -> Iterator[_Mistake]:
    known = [str(kind) for kind in (*ErrorKind, *FailureClass)]
    for key, text in protocol.errors.items():
        if key not in known:
            yield _Mistake(("errors", key), _expected("a kind of error or a class of failure", sorted(known), key))
        yield from _template_mistakes(text, PLACEHOLDERS, ("errors", key))


def _template_mistakes(text: str, known: frozenset[str] | set[str], at: Location) -> Iterator[_Mistake]:
    for name in re.findall(r"\{(\w+)\}", text):
        if name not in known:
            yield _Mistake(at, _expected("a placeholder", [f"{{{one}}}" for one in sorted(known)], f"{{{name}}}"))


def _pattern_mistakes(pattern: str | None, at: Location) -> Iterator[_Mistake]:
    try:
        re.compile(pattern or "")
    except re.error as error:
        yield _Mistake(at, f"expected a regular expression, found {pattern!r}: {error}")


def _unknown(names: Any, known: Any, at: Location, what: str) -> Iterator[_Mistake]:
    for name in names:
        if name not in known:
            yield _Mistake(at, _expected(what, known, name))


def _expected(what: str, known: Any, found: str) -> str:
    return f"expected {what} ({', '.join(known) or 'there is none'}), found {found!r}"
