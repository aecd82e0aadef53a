"""How items are written by a teacher and read again: tagged blocks, or one JSON document.

Decisions: every item is found and read by itself, in either encoding, so that a bad one never kills its batch: blocks
are cut at their tags, and a JSON document that cannot be read whole is cut at the brackets of its items. A teacher who
writes in the other encoding than it was asked to is read all the same, and that is counted as a repair. What an item
says is kept as the teacher wrote it (`Read.text`). The text of a block's field is taken literally: no entities.
Limits: the last block of an answer that was cut off is used only where its answer is closed; a tag of ours inside
of a field's text ends that field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from training.synthesis.config import Encoding
from training.synthesis.items import Item, NoItem, item_of
from training.synthesis.repair import Unreadable, read_json

BLOCKS_FORMAT = """\
Write each example between <item n="NUMBER"> and </item>, NUMBER being that of the line above, and nothing else around
them. Inside, each field between its tags, only the fields that its kind has:
<kind>one_call</kind>
<user>what the user says</user>
<question>kind missing_argument only: what the assistant asks for</question>
<reply>kind missing_argument only: what the user says to that</reply>
<call>{"name": "tool_name", "arguments": {"parameter": "value"}, "result": {"field": "what the tool returns"}}</call>
<error>kind tool_error only: the error that the tool reports</error>
<recovery>kind tool_error only: retry (it works when called again) or graceful_fail (the assistant gives up)</recovery>
<answer>what the assistant says to the user in the end</answer>
One <call> for each call, each a JSON object on one line. Kind parallel has two calls or more, no_tool has none."""

THEN_BLOCKS = """\
Where a line says then, the user goes on after the answer: for each tool named there, in that order, one further request
of the same conversation, which may refer to what was said and returned before, but asks for something else. Write it
after the last field, between <then> and </then>, with fields <user>, <call> and <answer> of its own. An answer that the
user goes on after asks nothing."""
"""Where one is asked for."""

JSON_FORMAT = """\
Answer with one JSON object {"items": [...]} and nothing else. Each item has the fields of its kind:
{"n": NUMBER of the line above, "kind": "one_call", "user": "what the user says",
 "question": "kind missing_argument only: what the assistant asks for", "reply": "and what the user says to that",
 "calls": [{"name": "tool_name", "arguments": {"parameter": "value"}, "result": {"field": "what the tool returns"}}],
 "error": "kind tool_error only: the error that the tool reports",
 "recovery": "kind tool_error only: retry (it works when called again) or graceful_fail (the assistant gives up)",
 "answer": "what the assistant says to the user in the end"}
Kind parallel has two calls or more, no_tool has none."""

THEN_JSON = """\
Where a line says then, the user goes on after the answer: for each tool named there, in that order, one further request
of the same conversation, which may refer to what was said and returned before, but asks for something else. Write them
as a further field of the item: "then": [{"user": "what the user says", "calls": [...], "answer": "what the assistant
says to that"}, ...]. An answer that the user goes on after asks nothing."""

_FORMATS = {Encoding.BLOCKS: (BLOCKS_FORMAT, THEN_BLOCKS), Encoding.JSON: (JSON_FORMAT, THEN_JSON)}
ANSWERS_FORMAT = 'Write each answer between <answer n="NUMBER"> and </answer>, and nothing else around them.'

_FIELDS = ("kind", "user", "question", "reply", "call", "error", "recovery", "answer")
_ITEM = re.compile(r"<item\b([^<>]*)>", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,6}")
_PLACE = re.compile(r"\d{1,6}(?:\.\d{1,2})?")
_THEN = re.compile(r"<then\s*>", re.IGNORECASE)
_THEN_END = re.compile(r"</then\s*>", re.IGNORECASE)
_TAG = re.compile(rf"<(/?)({'|'.join(_FIELDS)})\s*>", re.IGNORECASE)
_ANSWER = re.compile(r"<answer\b([^<>]*)>(.*?)(</answer>|(?=<answer\b)|\Z)", re.IGNORECASE | re.DOTALL)


class Read(NamedTuple):
    """One item of an answer: read, or why it could not be."""

    number: int | None
    """The number that the teacher gave it; None where it gave none."""
    text: str
    """As the teacher wrote it."""
    item: Item | None
    error: str = ""
    repairs: tuple[str, ...] = ()


def format_of(encoding: Encoding, *, goes_on: bool) -> str:
    """Return how items are to be written; `goes_on`: the user of one makes further requests."""
    form, then = _FORMATS[encoding]
    return f"{form}\n{then}" if goes_on else form


def read_items(text: str, asked: Encoding) -> tuple[Read, ...]:
    """Return the items of an answer in their order; none where nothing looks like one. Never raises."""
    if _ITEM.search(text):
        found, other = tuple(_blocks(text)), asked == Encoding.JSON
    elif "{" in text:
        found, other = tuple(_objects(text)), asked == Encoding.BLOCKS
    else:
        return ()
    return tuple(one._replace(repairs=(*one.repairs, "other encoding")) for one in found) if other else found


def read_answers(text: str) -> dict[str, str]:
    """Return the answers of a further request by their numbers, `2` or `2.1`; one that was cut off is left out."""
    found: dict[str, str] = {}
    for at, match in enumerate(_ANSWER.finditer(text)):
        number = _PLACE.search(match[1])
        said = match[2].strip()
        if match[3] and said:
            found.setdefault(number[0] if number else str(at + 1), said)
    return found


def written(item: Item, number: int, encoding: Encoding) -> str:
    """Return an item as a teacher would write it."""
    told = {"n": number, **item.model_dump(mode="json", exclude_defaults=True)}
    if encoding == Encoding.JSON:
        return _json(told)
    lines = [f'<item n="{number}">', *_lines(told)]
    for further in told.get("then", ()):
        lines += ["<then>", *_lines(further), "</then>"]
    return "\n".join([*lines, "</item>"])


def all_written(items: Iterable[str], encoding: Encoding) -> str:
    """Return several written items as one answer."""
    return '{"items": [' + ",\n".join(items) + "]}" if encoding == Encoding.JSON else "\n".join(items)


def _lines(told: dict[str, Any]) -> Iterator[str]:
    """Yield the fields of an item, or of a further request, as blocks."""
    for name in _FIELDS:
        values = (
            [_json(call) for call in told.get("calls", ())] if name == "call" else [told[name]] if name in told else []
        )
        yield from (f"<{name}>{value}</{name}>" for value in values)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _blocks(text: str) -> Iterator[Read]:
    starts = list(_ITEM.finditer(text))
    for at, start in enumerate(starts):
        end = starts[at + 1].start() if at + 1 < len(starts) else len(text)
        body, closing, _ = text[start.end() : end].partition("</item>")
        number = _NUMBER.search(start[1])
        repairs = [] if closing else ["unclosed item"]
        try:
            item: Item | None = _of_block(body, repairs, cut=not closing and at + 1 == len(starts))
            error = ""
        except (NoItem, Unreadable) as wrong:
            item, error = None, str(wrong)
        whole = text[start.start() : start.end() + len(body) + len(closing)].strip()
        yield Read(int(number[0]) if number else None, whole, item, error, tuple(dict.fromkeys(repairs)))


def _of_block(body: str, repairs: list[str], *, cut: bool) -> Item:
    """Return the item of a block's body. Raises `NoItem` and `Unreadable`."""
    first, *further = _THEN.split(body)
    then = []
    for at, piece in enumerate(further, 1):
        inside, *closed = _THEN_END.split(piece, maxsplit=1)
        if not closed:
            repairs.append("unclosed tag")
        then.append(_values(inside, repairs, cut=cut and at == len(further) and not closed))
    fields = _values(first, repairs, cut=cut and not further)
    return item_of(fields | ({"then": then} if then else {}))


def _values(body: str, repairs: list[str], *, cut: bool) -> dict[str, Any]:
    """Return the fields of an item, or of a further request. Raises `NoItem` and `Unreadable`."""
    fields: dict[str, Any] = {}
    calls: list[Any] = []
    for name, text in _fields(body, repairs, cut=cut):
        if name == "call":
            value, mended = read_json(text)
            repairs += mended
            calls += value if isinstance(value, list) else [value]
        elif name in fields:
            raise NoItem(f"expected <{name}> once, found it twice")
        elif text:
            fields[name] = text.lower().replace(" ", "_") if name in ("kind", "recovery") else text
    if cut and "answer" not in fields:
        raise NoItem("expected </item>, found that the answer was cut off")
    if not fields:
        raise NoItem("expected fields between tags such as <user> and </user>, found none")
    return fields | {"calls": calls}


def _fields(body: str, repairs: list[str], *, cut: bool) -> Iterator[tuple[str, str]]:
    """Yield name and text of each field; one that is not closed ends where the next begins."""
    tags = list(_TAG.finditer(body))
    at = 0
    while at < len(tags):
        tag, name = tags[at], tags[at][2].lower()
        at += 1
        if tag[1]:
            continue
        following = tags[at] if at < len(tags) else None
        closed = following is not None and bool(following[1]) and following[2].lower() == name
        if not closed and following is None and cut:
            raise NoItem(f"expected </{name}>, found that the answer was cut off")
        if not closed:
            repairs.append("unclosed tag")
        yield name, body[tag.end() : following.start() if following is not None else len(body)].strip()


def _objects(text: str) -> Iterator[Read]:
    """Yield the items of a JSON document: read whole where that can be done, else cut at its brackets."""
    try:
        value, repairs = read_json(text)
    except Unreadable:
        value, repairs = None, ()
    rows = value.get("items") if isinstance(value, dict) else value
    if isinstance(value, dict) and "user" in value:
        rows = [value]
    whole = isinstance(rows, list) and "unclosed bracket" not in repairs and "text around" not in repairs
    if whole and isinstance(rows, list):
        yield from (_of_value(row, _json(row), repairs) for row in rows)
        return
    for piece in _cut(text):
        try:
            value, mended = read_json(piece)
        except Unreadable as wrong:
            yield Read(None, piece, None, str(wrong))
            continue
        if "unclosed bracket" in mended:
            yield Read(_numbered(value), piece, None, "expected a whole object, found that the answer was cut off")
            continue
        yield _of_value(value, piece, ("cut at its brackets", *mended))


def _of_value(value: Any, text: str, repairs: tuple[str, ...]) -> Read:
    try:
        return Read(_numbered(value), text, item_of(value), "", repairs)
    except NoItem as wrong:
        return Read(_numbered(value), text, None, str(wrong), repairs)


def _numbered(value: Any) -> int | None:
    number = value.get("n") if isinstance(value, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _cut(text: str) -> Iterator[str]:
    """Yield the outermost objects of the list of items, each from bracket to bracket; the last may be unclosed."""
    listed = re.search(r'["\']items["\']\s*:\s*\[', text)
    at = text.find("{", listed.end() if listed else 0)
    while at >= 0:
        end = _end_of(text, at)
        yield text[at:end]
        at = text.find("{", end)


def _end_of(text: str, start: int) -> int:
    """Return where the object that begins at `start` ends; in a broken string, where the next item seems to begin."""
    depth, inside = 0, False
    at = start
    while at < len(text):
        char = text[at]
        if inside:
            at += char == "\\"
            inside = char != '"'
        elif char == '"':
            inside = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth <= 0:
                return at + 1
        at += 1
    following = re.compile(r'\{\s*"n"\s*:').search(text, start + 1)
    return following.start() if following else len(text)
