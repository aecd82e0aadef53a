"""A corrected conversation ends with the turn that was put right, and can be learned from."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.corrections import (
    call_mistakes,
    call_sites,
    correction_mistakes,
    kept_arguments,
    with_answer,
    with_call,
    with_new_call,
)
from evaluation.records import Message
from tests.evaluation.making import BROWSE, SEARCH, TOOLS, calls, result, says, user

TALK = (
    user(),
    calls(("search", {"q": "a", "deep": True}), ("browse", {"q": "b"})),
    result({}),
    result({}, 1),
    says("Ok"),
)


def test_another_call_takes_the_place_of_one_and_ends_the_conversation() -> None:
    second = call_sites(TALK)[1]
    found = with_call(TALK, second, "search", {"q": "c"})
    assert len(found) == 2
    assert [(c.id, c.name, c.arguments) for c in found[1].tool_calls] == [
        ("c0", "search", {"q": "a", "deep": True}),
        ("c1", "search", {"q": "c"}),
    ]
    assert TALK[1].tool_calls[1].name == "browse"


def test_an_answer_takes_the_place_of_a_turn_and_a_call_of_an_answer() -> None:
    assert with_answer(TALK, "Right.") == (*TALK[:4], says("Right."))
    assert with_answer(TALK, "Which?", 1) == (TALK[0], says("Which?"))
    assert with_new_call(TALK, "browse", {})[-1].tool_calls[0].name == "browse"
    assert with_new_call((user(),), "browse", {})[0] == user()


def test_only_what_the_other_tool_takes_is_kept() -> None:
    call = TALK[1].tool_calls[0]
    assert kept_arguments(call, BROWSE) == {"q": "a"}
    assert kept_arguments(call, SEARCH) == {"q": "a", "deep": True}


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("search", {"q": "a"}, None),
        ("search", {}, "'q' is a required property"),
        ("search", {"q": 1}, "q: 1 is not of type 'string'"),
        ("search", ["q"], "expected an object of arguments, found list"),
        ("fetch", {}, "expected one of search, browse, found fetch"),
    ],
)
def test_a_call_is_checked_as_if_it_were_made(name: str, arguments: Any, said: str | None) -> None:
    assert call_mistakes(name, arguments, TOOLS) == ([said] if said else [])


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ((), "ends with the assistant"),
        ((user(),), "ends with the assistant"),
        ((user(), says(" ")), "found neither"),
        ((user(), calls(("fetch", {}))), "fetch: expected one of"),
        ((user(), says("Fine.")), None),
    ],
)
def test_a_correction_has_to_be_one_that_can_be_learned(messages: tuple[Message, ...], said: str | None) -> None:
    found = correction_mistakes(messages, TOOLS)
    assert [said in one for one in found] == [True] if said else found == []
