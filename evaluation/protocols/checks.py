"""What an agent looks at before it runs a call: one small function per kind of check, each pure.

A check gets the arguments as the tool gets them (text in XML, typed in native calls) and returns what is wrong. Absent
values pass all of them but `filled`, `one_of`, `array`, `operations` and `files`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from evaluation.protocols import edits, files, javascript, markup
from evaluation.protocols.spec import Check, CheckKind, ErrorKind, Protocol
from evaluation.protocols.strict_json import NotJson, parse_json

Arguments = Mapping[str, Any]


class Problem(NamedTuple):
    """Why a call is refused."""

    error: ErrorKind
    parameter: str
    detail: str
    """What was expected and what was found."""
    check: CheckKind | None = None


ABSENT = object()


def value_at(arguments: Arguments, parameter: str) -> Any:
    """Return an argument, or a field inside one (`a.b`); `ABSENT` where there is none."""
    found: Any = arguments
    for name in parameter.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return ABSENT
        found = found[name]
    return found


def run(check: Check, arguments: Arguments, protocol: Protocol) -> Problem | None:
    """Return what one check finds."""
    if any(arguments.get(name) not in values for name, values in check.when.items()):
        return None
    wrong = _KINDS[check.kind](check, arguments, protocol)
    return None if wrong is None else wrong._replace(check=check.kind)


def filled(value: Any) -> bool:
    """Return whether a value counts as given."""
    return javascript.truthy(value)


def missing(parameter: str, detail: str = "expected a value, found none") -> Problem:
    """Return the problem of an absent argument."""
    return Problem(ErrorKind.MISSING_PARAM, parameter, f"{parameter}: {detail}")


def shown(value: Any) -> str:
    """Return a value as a message shows it, shortened."""
    try:
        text = "nothing" if value is ABSENT else repr(value)
    except RecursionError:
        text = f"{type(value).__name__}, nested too deep to be shown"
    return text if len(text) <= 60 else text[:57] + "…"


def _wrong(check: Check, wanted: str, value: Any) -> Problem:
    return Problem(check.error, check.parameter, f"{check.parameter}: expected {wanted}, found {shown(value)}")


def _filled(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    return missing(check.parameter) if value is ABSENT or not javascript.truthy(value) else None


def _one_of(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    return None if value in check.values else _wrong(check, " or ".join(check.values), value)


def _pattern(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    if value is ABSENT or (isinstance(value, str) and re.fullmatch(check.pattern or "", value)):
        return None
    return _wrong(check, f"text that fits {check.pattern}", value)


def _text(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    # An empty value of any type counts as missing, where it is missed.
    fine = value is ABSENT or isinstance(value, str) or not filled(value)
    return None if fine else _wrong(check, "text", value)


def _array(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    if not isinstance(value, list):
        return _wrong(check, "an array", value)
    if None in value:
        return Problem(
            ErrorKind.INVALID_PARAM, check.parameter, f"{check.parameter}: expected no null among the entries"
        )
    return None


def _object(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    return None if value is ABSENT or isinstance(value, dict) else _wrong(check, "an object", value)


def _json(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    if not isinstance(value, str) or not value:
        return None
    try:
        parse_json(value)
    except NotJson as error:
        return Problem(check.error, check.parameter, f"{check.parameter}: expected JSON, found: {error}")
    return None


def _operations(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    """A JSON array of search and replace pairs, at least one."""
    value = value_at(arguments, check.parameter)
    try:
        found = parse_json(value) if isinstance(value, str) else value
    except NotJson:
        found = None
    if not isinstance(found, list) or not found:
        return _wrong(check, "a JSON array of at least one operation", value)
    for number, operation in enumerate(found):
        # A text has methods of both names in JavaScript, so that it passes there.
        if isinstance(operation, str):
            continue
        fields = operation if isinstance(operation, dict) else {}
        lacking = (
            "search" if not javascript.truthy(fields.get("search")) else "replace" if "replace" not in fields else ""
        )
        if lacking:
            where = f"{check.parameter}[{number}].{lacking}"
            return Problem(check.error, check.parameter, f"{where}: expected a value, found {shown(operation)}")
    return None


def _at_least(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    low = isinstance(value, int | float) and value < (check.minimum or 0)
    return _wrong(check, f"at least {check.minimum:g}", value) if low else None


def _different(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    one, other = value_at(arguments, check.parameter), value_at(arguments, str(check.other))
    return _wrong(check, f"another value than {check.other}'s", one) if _same(one, other) else None


def _same(one: Any, other: Any) -> bool:
    """Say whether two scalars are the same; objects and arrays are each their own."""
    return type(one) is type(other) and isinstance(one, str | int | float | bool | None) and bool(one == other)


def _mode(check: Check, arguments: Arguments, protocol: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    if value is ABSENT or (isinstance(value, str) and value in protocol.modes):
        return None
    return _wrong(check, " or ".join(protocol.modes), value)


def _patch(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    wrong = edits.patch_mistake(value) if isinstance(value, str) else "expected text"
    return None if wrong is None else Problem(check.error, check.parameter, f"{check.parameter}: {wrong}")


def _markup(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    value = value_at(arguments, check.parameter)
    if not isinstance(value, str) or not value:
        return None
    try:
        markup.read(value, check.verbatim)
    except markup.Unreadable as error:
        return Problem(check.error, check.parameter, f"{check.parameter}: {error}")
    return None


def _files(check: Check, arguments: Arguments, _: Protocol) -> Problem | None:
    """A list of files in markup, or in the older form one path."""
    try:
        asked = files.asked_for(arguments, check.parameter, str(check.other))
    except markup.Unreadable as error:
        return Problem(ErrorKind.INVALID_PARAM, check.parameter, f"{check.parameter}: {error}")
    if not asked:
        return missing(check.parameter, "expected at least one <file> with a <path>, found none")
    if check.most is not None and len(asked) > check.most:
        return _wrong(check, f"at most {check.most} files", len(asked))
    if not all(one.readable for one in asked):
        return _wrong(check, "text in each <path>", value_at(arguments, check.parameter))
    if all(one.backwards for one in asked):
        return _wrong(check, "ranges of lines that do not end before they begin", value_at(arguments, check.parameter))
    return None


_KINDS: dict[CheckKind, Callable[[Check, Arguments, Protocol], Problem | None]] = {
    "filled": _filled,
    "one_of": _one_of,
    "pattern": _pattern,
    "text": _text,
    "array": _array,
    "object": _object,
    "json": _json,
    "operations": _operations,
    "at_least": _at_least,
    "different": _different,
    "mode": _mode,
    "patch": _patch,
    "markup": _markup,
    "files": _files,
}
