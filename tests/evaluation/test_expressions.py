from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.expressions import Expression, ExpressionError

NAMES = {"a": "", "b": "", "text": "", "tools": "", "none": ""}
VALUES = {"a": 6, "b": 4.0, "text": "It rains in Oslo", "tools": ("find", "book"), "none": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a / b", 1.5),
        ("a + 2 * b - 1", 13.0),
        ("a // 4 + a % 4", 3),
        ("-a", -6),
        ("1 < b <= 4 < a", True),
        ("a > 5 and b > 5 or not b", False),
        ("'book' in tools and len(tools) == 2", True),
        ("'steal' not in tools", True),
        ("words(text)", 4),
        ("words(text) if a > b else 0", 4),
        ("lower(text) == 'it rains in oslo'", True),
        ("max(a, b, 9) + min(a, b) + abs(-1) + round(2.6)", 17.0),
        ("a in (6, 7)", True),
        ("text + '!'", "It rains in Oslo!"),
        ("none", None),
        ("none + 1", None),
        ("a > 5 or none", True),
        ("a / (b - 4)", None),
    ],
)
def test_an_expression_is_computed(text: str, value: object) -> None:
    assert Expression(text, NAMES)(VALUES) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected an expression"),
        ("a +", "expected an expression"),
        ("a; b", "expected an expression"),
        ("c", "expected one of a, b, none, text, tools, found c"),
        ("a.real", "expected no Attribute"),
        ("tools[0]", "expected no Subscript"),
        ("__import__('os')", "expected a call of abs"),
        ("text.join(tools)", "expected no Attribute"),
        ("[x for x in tools]", "expected no ListComp"),
        ("(lambda: 1)()", "expected no Lambda"),
        ("a ** 99999999", "expected no Pow"),
        ("round(a, ndigits=2)", "without names of arguments"),
        ("f'{a}'", "expected no JoinedStr"),
        ("(" * 500 + "a" + ")" * 500, "expected an expression"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        Expression(text, NAMES)


def test_texts_times_numbers_know_no_bounds_and_are_refused() -> None:
    with pytest.raises(TypeError, match="expected numbers, found"):
        Expression("text * 1000000", NAMES)(VALUES)


def test_truths_are_known_before_they_are_computed() -> None:
    truths = ("a > 1", "not a", "a > 1 and b > 1", "True if a else b > 1", "a in tools")
    assert all(Expression(text, NAMES).is_truth for text in truths)
    assert not any(Expression(text, NAMES).is_truth for text in ("a", "a and b > 1", "a + b", "1 if a else 0"))


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        found = Expression(text, NAMES)
    except ExpressionError:
        return
    with contextlib.suppress(TypeError, ValueError):
        found(VALUES)
