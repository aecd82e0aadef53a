"""Calls in text: read where they can be read, named where they cannot, and never an exception."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evaluation.protocols.hermes import CLOSE, OPEN, TextCall, parse

PIECES = st.sampled_from([OPEN, CLOSE, "{", "}", '"name"', ":", '"a"', ",", '"arguments"', "[", "]", "\\", "NaN", "\n"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PLAIN = st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"])).map(str.strip)


def written(name: str, arguments: object) -> str:
    return f"{OPEN}{json.dumps({'name': name, 'arguments': arguments})}{CLOSE}"


@given(st.lists(PIECES | st.text(max_size=5), max_size=20).map("".join))
def test_reading_never_raises_and_loses_nothing(text: str) -> None:
    parsed = parse(text)
    if parsed.malformed is not None:
        assert (parsed.content, parsed.calls) == (text, ())
    elif not parsed.calls:
        assert parsed.content == text.strip()


@given(st.lists(st.tuples(st.text().filter(lambda t: "<" not in t), st.dictionaries(st.text(), JSON))), PLAIN)
def test_what_is_written_is_read_back(calls: list[tuple[str, dict[str, object]]], said: str) -> None:
    assume(not any(mark in json.dumps(calls) for mark in (OPEN, CLOSE)))
    parsed = parse(said + "\n".join(written(*call) for call in calls))
    assert parsed.malformed is None
    assert parsed.calls == tuple(TextCall(*call) for call in calls)
    assert parsed.content == said


def test_text_beside_calls_is_kept() -> None:
    parsed = parse(f"Let me see. {written('a', {'x': 1})} and {written('b', {})} now")
    assert [call.name for call in parsed.calls] == ["a", "b"]
    assert parsed.content == "Let me see.  and  now"


def test_arguments_may_be_left_out() -> None:
    assert parse(f'{OPEN}\n{{"name": "now"}}\n{CLOSE}').calls == (TextCall("now", {}),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{OPEN}get weather{CLOSE}", "expected a JSON object .* found .get weather. .JSONDecodeError"),
        (f'{OPEN}{{"name": "a", "arguments": {{"x": 1}}{CLOSE}', "expected a JSON object"),
        (f"{OPEN}{CLOSE}", "expected a JSON object .* found ''"),
        (f'{OPEN}["a"]{CLOSE}', "found '.\"a\".'"),
        (f'{OPEN}{{"arguments": {{}}}}{CLOSE}', 'expected {"name"'),
        (f'{OPEN}{{"name": 5, "arguments": {{}}}}{CLOSE}', 'expected {"name"'),
        (f'{OPEN}{{"name": "a", "arguments": [1]}}{CLOSE}', "arguments of a to be an object, found list"),
        (f'{OPEN}{{"name": "a", "arguments": "x"}}{CLOSE}', "arguments of a to be an object, found str"),
        (f'{OPEN}{{"name": "a", "arguments": {{}}}}', "a call is not closed"),
        (f"{written('a', {})}{OPEN}{{", "expected a JSON object"),
        (OPEN + "[" * 100_000 + CLOSE, "more than 500 levels of nesting"),
    ],
)
def test_what_cannot_be_read_is_named_and_kept_as_text(text: str, says: str) -> None:
    parsed = parse(text)
    assert (parsed.content, parsed.calls) == (text, ())
    assert parsed.malformed is not None
    assert re.search(says, parsed.malformed), parsed.malformed
