"""Whatever the values are, a request keeps its host, its path's shape, its query's keys and its headers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.tools.http_calls import prepared
from evaluation.tools.outside import HttpTool
from evaluation.tools.placeholders import PLACEHOLDER, Unfit, filled, filled_url, inside_texts, names_in

NASTY = st.one_of(
    st.text(),
    st.text(alphabet="./\\%?#&=@:{}\r\n\x00 ab"),
    st.sampled_from(["{b}", "{{a}}", "%2e%2e", "@evil.example", "//evil.example", "a&b=c", "?x#y", "\ud800", "a b+c"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NASTY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
TOOL = HttpTool(
    url="https://api.example.com:8443/v1/{a}/x-{b}?q={a}&fixed=1",
    method="POST",
    query={"r": "{b}", "s": "_{a}_"},
    headers={"X-A": "v {a}"},
    body={"whole": "{b}", "text": "<{a}>", "list": ["{a}", {"{a}": "kept"}]},
)


@given(NASTY, NASTY)
def test_no_text_changes_where_a_request_goes(a: str, b: str) -> None:
    try:
        request = prepared(TOOL, {"a": a, "b": b}, known={"a", "b"})
    except Unfit:
        return
    url = urlsplit(str(request.url))
    assert (url.scheme, url.hostname, url.port, url.fragment, url.username) == (
        "https",
        "api.example.com",
        8443,
        "",
        None,
    )
    assert [unquote(segment) for segment in url.path.split("/")] == ["", "v1", a, f"x-{b}"]
    assert parse_qsl(url.query, keep_blank_values=True) == [("q", a), ("fixed", "1"), ("r", b), ("s", f"_{a}_")]
    assert list(request.headers) == ["Content-Type", "X-A"]
    assert not set("\r\n\0") & set(request.headers["X-A"])
    body = json.loads(request.content or b"")
    assert body == {"whole": b, "text": f"<{a}>", "list": [a, {"{a}": "kept"}]}


@given(JSON)
def test_a_placeholder_alone_keeps_the_value_and_its_type(value: Any) -> None:
    assert filled({"x": "{a}", "y": ["{a}"]}, {"a": value}) == {"x": value, "y": [value]}


@given(JSON)
def test_values_of_any_type_stay_one_segment_and_one_key(value: Any) -> None:
    try:
        url = filled_url("https://h.example/p/{a}/end", {"k": "{a}"}, {"a": value})
    except Unfit:
        return
    parts = urlsplit(str(httpx.URL(url)))
    assert (parts.netloc, parts.path.count("/"), parts.path.endswith("/end")) == ("h.example", 3, True)
    assert {key for key, _ in parse_qsl(parts.query, keep_blank_values=True)} <= {"k"}


def test_values_are_never_searched_for_placeholders() -> None:
    assert filled("{a} {b}", {"a": "{b}", "b": "{secret}"}) == "{b} {secret}"


def test_what_is_not_given_is_left_out() -> None:
    template = {"a": "{a}", "b": ["{a}", "{b}"], "c": {"d": "{a}"}, "e": 1}
    assert filled(template, {"b": False}) == {"b": [False], "c": {}, "e": 1}
    assert filled_url("https://h.example", {"a": "{a}", "n": None}, {}) == "https://h.example/"


def test_names_are_found_at_every_depth() -> None:
    assert names_in({"a": ["{x} {y}", {"b": "{z-1}"}], "c": 1, "d": "{not a name} {}"}) == {"x", "y", "z-1"}
    assert inside_texts(["{x}", "{y}!"]) == {"y"}
    assert PLACEHOLDER.findall("{1a} {{b}}") == ["b"]


@pytest.mark.parametrize("value", ["..", "a/..", "\x7f"])
def test_dots_cannot_climb(value: str) -> None:
    with pytest.raises(Unfit, match="a: expected a text that can be part of a path"):
        filled_url("https://h.example/{a}", {}, {"a": value})
    with pytest.raises(Unfit):
        filled_url("https://h.example/{a}{b}/x", {}, {"a": ".", "b": "."})
