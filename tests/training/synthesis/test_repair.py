"""JSON as models write it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.synthesis.repair import Unreadable, read_json

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value", "repairs"),
    [
        ('{"a": 1}', {"a": 1}, ()),
        ('```json\n{"a": 1}\n```', {"a": 1}, ("code fence",)),
        ('Sure! {"a": 1} Done.', {"a": 1}, ("text around", "text around")),
        ('{"a": [1, 2,], }', {"a": [1, 2]}, ("trailing comma", "trailing comma")),
        ("{'a': 'it\\'s'}", {"a": "it's"}, ("single quotes",)),
        ("{'a': 'it's fine'}", {"a": "it's fine"}, ("single quotes",)),
        ("{“a”: “b”}", {"a": "b"}, ("smart quotes",)),
        ('{"a": "one\ntwo"}', {"a": "one\ntwo"}, ("unescaped newline",)),
        ('{"a": "say "hi" to me"}', {"a": 'say "hi" to me'}, ("unescaped quote",)),
        ('{"a": True, "b": None}', {"a": True, "b": None}, ("word of Python",)),
        ("{a: 1e5}", {"a": 1e5}, ("unquoted key",)),
        ('{"a": [1, {"b": 2', {"a": [1, {"b": 2}]}, ("unclosed bracket",)),
        ('{"a": 1,', {"a": 1}, ("trailing comma", "unclosed bracket")),
    ],
)
def test_what_is_nearly_json_is_read_and_the_repair_named(text: str, value: object, repairs: tuple[str, ...]) -> None:
    found = read_json(text)
    assert found.value == value
    assert found.repairs == tuple(dict.fromkeys(repairs))


@pytest.mark.parametrize("text", ["", "no json", '{"a": "cut', '{"a": NaN}', '{"a": 1]', "{" * 50_000, '{"a" 1}'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_json(text)


@given(json_values.filter(lambda value: isinstance(value, dict | list)))
def test_what_is_right_by_the_book_is_left_as_it_is(value: object) -> None:
    assert read_json(json.dumps(value)) == (value, ())


@given(st.text(alphabet="{}[]\",:'\\“”a1\n ", max_size=60))
def test_nothing_but_unreadable_is_raised(text: str) -> None:
    try:
        found = read_json(text)
    except Unreadable:
        return
    assert json.loads(json.dumps(found.value)) == found.value


def test_time_is_linear_in_the_length() -> None:
    begun = time.process_time()
    with pytest.raises(Unreadable):
        read_json("{" + "'a' " * 40_000)
    assert time.process_time() - begun < 5
