from __future__ import annotations

from evaluation.agents.backward import BackwardAgent, BackwardSettings
from evaluation.records import FailureKind, StopReason
from evaluation.validators import task_success, validate
from tests.evaluation.agents.told import drive, failures, made, order_of, shown
from tests.evaluation.attempts import BY_ID

CHAIN, ONE = BY_ID["chain"], BY_ID["stated_answer"]
WHOLE = "a stated_answer thing"
SAID = [("pick", "0"), ("compose", "The user said pen."), ("extract", "pen")]
"""The steps of an argument that the user gave."""
LEFT_OUT = [("pick", "-1")]
"""The step of an optional argument that nobody gave."""


def test_a_goal_is_worked_back_to_what_its_tool_has_to_be_given() -> None:
    told = [
        ("pick", "order"),
        *SAID,
        ("pick", "stock"), *SAID, *LEFT_OUT, ("compose", "There are 1,234 pens."), ("extract", "1,234"),
        ("compose", "All 1,234 pens are ordered."),
    ]  # fmt: skip
    episode = drive(CHAIN, BackwardAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert made(episode) == [("stock", {"item": "pen"}), ("order", {"item": "pen", "count": 1234})]
    assert shown(episode, 1).endswith("Question: item (item) for order, to find out: a chain thing")
    assert shown(episode, 10) == "Argument: count: whole number\nText: There are 1,234 pens."
    assert 'Result: {"ordered": 1234}' in shown(episode, 11)
    assert failures(episode) == []
    assert task_success(validate(CHAIN, episode))


def test_a_goal_that_no_tool_yields_is_broken_up() -> None:
    told = [
        ("pick", "1"), ("split", "Pens, all of them?\nCups?"),
        ("pick", "stock"), *SAID, *LEFT_OUT, ("compose", "1,234 pens."),
        ("pick", "0"), ("compose", "No cups."),
        ("compose", "There are 1,234 pens and no cups."),
    ]  # fmt: skip
    episode = drive(ONE, BackwardAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert "Known: Pens, all of them? 1,234 pens.\n" in shown(episode, 8)
    assert task_success(validate(ONE, episode))


def test_where_an_argument_is_missing_another_tool_is_tried() -> None:
    told = [("pick", "order"), *SAID, ("pick", "-1"), ("pick", "stock"), *SAID, *LEFT_OUT, ("compose", "1,234 pens.")]
    episode = drive(ONE, BackwardAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert "order:" not in shown(episode, 5)
    assert f"Known: {WHOLE} not known (missing: count of order)" in shown(episode, 5)
    assert task_success(validate(ONE, episode))


def test_what_is_missing_is_said_where_no_tool_is_left_to_try() -> None:
    told = ("order", "0", "pen", "none", "stock", "0", "pen", "none")
    episode = drive(ONE, BackwardAgent(), *told)
    assert episode.stop_reason == StopReason.ANSWERED
    assert episode.answer == f"Missing: {WHOLE} (missing: item of order; missing: item of stock)."
    assert made(episode) == []
    nothing = drive(ONE, BackwardAgent(), "-1")
    assert nothing.answer == f"Missing: {WHOLE} (no tool yields it)."


def test_what_was_found_is_said_beside_what_is_missing() -> None:
    told = ("order", "0", "pen", "pen", "stock", "0", "pen", "pen", "-1", "Many pens.", "none", "-1")
    episode = drive(CHAIN, BackwardAgent(), *told)
    assert episode.answer == (
        "Missing: a chain thing (missing: count of order; no tool yields it). "
        'Known so far: stock returned {"item": "pen", "left": 1234}.'
    )


def test_a_tool_that_fails_gives_way_to_another() -> None:
    told = [("pick", "raises"), ("pick", "stock"), *SAID, *LEFT_OUT, ("compose", "1,234 pens.")]
    episode = drive(ONE, BackwardAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert failures(episode) == [(FailureKind.TOOL_ERROR, "RuntimeError: the drawer is stuck")]


def test_an_argument_that_needs_itself_is_not_pursued() -> None:
    told = ("stock", "stock", "-1", "-1")
    episode = drive(ONE, BackwardAgent(), *told)
    kind, message = failures(episode)[0]
    assert kind == FailureKind.AGENT_ERROR
    assert message.startswith("backward: a goal that needs itself: item (item) for stock, to find out: item (item)")
    assert len(failures(episode)) == 1
    assert made(episode) == []


def test_goals_below_each_other_are_limited() -> None:
    settings = BackwardSettings(depth=2, tools_tried=1)
    episode = drive(ONE, BackwardAgent(settings), "order", "stock")
    kind, message = failures(episode)[0]
    assert (kind, len(failures(episode))) == (FailureKind.AGENT_ERROR, 1)
    assert message.startswith("backward: more than 2 goals below each other: item")
    assert "missing: item of order" in episode.answer


def test_a_goal_that_was_reached_is_remembered() -> None:
    told = ("1", "Pens?\nCups?", "0", "1,234", "1", "Pens?\nMugs?", "0", "5", "both", "1,234 pens.")
    episode = drive(ONE, BackwardAgent(), *told)
    asked = [shown(episode, n).rpartition("Question: ")[2] for n in range(10)]
    assert asked.count("Pens?") == 2, "chosen for and composed once"


def test_what_cannot_be_read_is_asked_again_and_then_missing() -> None:
    episode = drive(ONE, BackwardAgent(), "stock", "0", "", " ", "The pen.", "pen", "-1", "There are 1,234.")
    assert [step.readable for step in episode.steps] == [True, True, False, False, True, True, True, True]
    assert task_success(validate(ONE, episode))
    counted = drive(ONE, BackwardAgent(), "order", "0", "pen", "pen", "0", "Some.", "some", "a few", "two", "-1")
    assert failures(counted)[0][1].startswith("backward.extract: expected the bare value, or none, found none in 3")
    assert "missing: count of order" in counted.answer
