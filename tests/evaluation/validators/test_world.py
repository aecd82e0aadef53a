from __future__ import annotations

import pytest

from evaluation.records import StopReason
from evaluation.scenarios import Expected, Kind
from evaluation.validators import validate
from tests.evaluation.attempts import call, calling, follow, saying, scenario

STATE = {"orders": {"A17": {"status": "Sent", "items": ["pen", {"name": "cup", "left": 2}]}}, "count": 3, "open": True}


def found(expected, state=STATE):
    one = scenario(Kind.DIALOGUE, Expected(partial=True, world=expected), world=state)
    return next(v for v in validate(one, follow(one, saying("Done."))) if v.name == "world")


@pytest.mark.parametrize("expected", [
    {},
    {"count": 3},
    {"orders": {}},
    {"orders": {"A17": {"status": "Sent"}}},
    {"orders": {"A17": {"items": ["pen", {"left": 2}]}}, "open": True},
])  # fmt: skip
def test_what_is_left_out_may_be_as_it_likes(expected) -> None:
    assert (found(expected).verdict, found(expected).confidence) == ("passed", 1)


@pytest.mark.parametrize(("expected", "reason"), [
    ({"count": 4}, "world.count: expected 4, found 3"),
    ({"count": "3"}, 'world.count: expected "3", found 3'),
    ({"open": 1}, "world.open: expected 1, found true"),
    ({"orders": {"A18": {}}}, "world.orders.A18: expected {}, found nothing"),
    ({"orders": {"A17": {"paid": None}}}, "world.orders.A17.paid: expected null, found nothing"),
    ({"orders": {"A17": {"items": [{}, {"left": 1}]}}},
     'world.orders.A17.items[0]: expected {}, found "pen"; world.orders.A17.items[1].left: expected 1, found 2'),
    ({"orders": {"A17": {"items": ["pen"]}}},
     'world.orders.A17.items: expected ["pen"], found ["pen", {"name": "cup", "left": 2}]'),
    ({"orders": []}, "world.orders: expected [], found "),
])  # fmt: skip
def test_the_reason_names_the_path_and_both_values(expected, reason) -> None:
    assert found(expected).verdict == "failed"
    assert found(expected).reason.startswith(reason)


def test_another_case_passes_less_surely_and_many_differences_are_counted() -> None:
    assert (found({"orders": {"A17": {"status": "sent"}}}).verdict, found({"count": 3.0}).confidence) == ("passed", 1)
    assert found({"orders": {"A17": {"status": "sent"}}}).confidence < 1
    assert found(dict.fromkeys("abcdefg", 1)).reason.endswith("world.e: expected 1, found nothing; and 2 more")


def test_limits_count_all_model_calls_and_the_end_is_named() -> None:
    one = scenario(Kind.ONE_CALL, Expected(partial=True, turns=1, output_tokens=3, stop_reason=StopReason.TURN_LIMIT))
    judged = {v.name: v.reason for v in validate(one, follow(one, calling(call("stock", item="pen")), saying("a b c")))}
    assert judged["limits"] == "expected at most 1 model calls, found 2; expected at most 3 output tokens, found 6"
    assert judged["stop"] == "expected the episode to end with turn_limit, found answered"
