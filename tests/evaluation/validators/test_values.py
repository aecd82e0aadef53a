from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.validators.values import DIFFERENT, EXACT, LOOSE, best_likeness, likeness

NUMBER, INTEGER = {"type": "number"}, {"type": "integer"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("expected", "found", "schema", "sure"),
    [
        (1, True, INTEGER, DIFFERENT),
        (True, 1, None, DIFFERENT),
        (0, False, NUMBER, DIFFERENT),
        (5, "5", None, DIFFERENT),
        ("5", 5, None, DIFFERENT),
        (5, 5.0, NUMBER, EXACT),
        (5.0, 5, NUMBER, EXACT),
        (5.0, 5, {"type": ["number", "null"]}, EXACT),
        (5, 5.0, INTEGER, DIFFERENT),
        (None, "", None, DIFFERENT),
        ("Rome", " Rome ", None, EXACT),
        ("Rome", "rome", None, LOOSE),
        ("Rome", "Rome.", None, LOOSE),
        ("Rome", "Roma", None, DIFFERENT),
        ("New York, NY", "new york NY", None, LOOSE),
        ("at -5 degrees", "at 5 degrees", None, DIFFERENT),
        ("at 3.5 degrees", "at 35 degrees", None, DIFFERENT),
        (5, 5.0, {}, EXACT),
        (5.0, 5, INTEGER, EXACT),
        ("Rome", "Rome\n", None, DIFFERENT),
        ("Rome", "Rome!", None, DIFFERENT),
        ("Rome", "Róme", None, DIFFERENT),
        ("New York", "NewYork", None, DIFFERENT),
        ("New York", "New  York", None, LOOSE),
        ("New York, NY", "New York,NY", None, LOOSE),
        ("Boston, MA", "Boston,MA", None, LOOSE),
        ("Boston, MA", "Boston MA.", None, LOOSE),
        ("St. Louis", "st Louis", None, LOOSE),
        ("a state-of-the-art design", "a state of the art design", None, LOOSE),
        ("Let's go", 'Let"s go', None, LOOSE),
        ("Running late!", "Running late", None, DIFFERENT),
        ("a C++ guide", "a C guide", None, DIFFERENT),
        ("$5 fee", "5 fee", None, DIFFERENT),
        ("3x^2 - 2x", "3x^2 2x", None, DIFFERENT),
        ("3x^2 - 2x", "3x2 - 2x", None, DIFFERENT),
        ("rm -r a b", "rm r a b", None, DIFFERENT),
        ("rm -r /a b", "rm -r a b", None, DIFFERENT),
        ("ls -a .", "ls -a", None, DIFFERENT),
        ("ls -a ..", "ls -a .", None, DIFFERENT),
        ("one\ntwo three", "one two three", None, DIFFERENT),
        ("1,000 m", "1000 m", None, DIFFERENT),
        ("2026-01-02 10:00", "2026 01 02 10:00", None, DIFFERENT),
        ("user_name", "user-name", None, DIFFERENT),
        ("1,5", "1 5", None, DIFFERENT),
        (",", ";", None, DIFFERENT),
        ("a.b@c.org", "ab@c.org", None, DIFFERENT),
        ("2026-01-02", "2026/01/02", None, DIFFERENT),
        ("/a/b.txt", "/a/b txt", None, DIFFERENT),
        ("!!", "??", None, DIFFERENT),
        ("! !", "? ?", None, DIFFERENT),
        ([1, 2], [2, 1], None, DIFFERENT),
        ([1.0], [1], {"items": NUMBER}, EXACT),
        ([1, 2], [1], None, DIFFERENT),
        ({"a": 1}, {"a": 1.0}, {"properties": {"a": NUMBER}}, EXACT),
        ({"a": 1}, {"a": 1, "b": 2}, None, DIFFERENT),
        ({"a": ["Rome"]}, {"a": ["ROME"]}, None, LOOSE),
    ],
)
def test_types_count_and_loose_texts_cost_confidence(expected, found, schema, sure) -> None:
    assert likeness(expected, found, schema) == sure


@given(JSON)
def test_a_value_is_like_itself(value) -> None:
    assert likeness(value, value) == EXACT
    assert best_likeness(("other", value), value) == EXACT


@given(JSON, JSON)
def test_likeness_is_symmetric(one, other) -> None:
    assert likeness(one, other) == likeness(other, one)


def test_nothing_is_like_nothing_acceptable() -> None:
    assert best_likeness((), None) == DIFFERENT
