from __future__ import annotations

import re

import pytest

from evaluation.agents import Limits
from evaluation.agents.flat import FlatAgent, FlatSettings
from evaluation.records import FailureKind, Message, StopReason
from evaluation.scenarios import Expected, Kind, ScriptedUser
from evaluation.validators import task_success, validate
from tests.evaluation.agents.told import drive, failures, made, order_of, shown
from tests.evaluation.attempts import BY_ID, PEN, SAYS_PEN, scenario

CHAIN, ONE = BY_ID["chain"], BY_ID["stated_answer"]
WHOLE = "a stated_answer thing"
PENS = '{"item": "pen"}'


def test_a_question_is_split_once_and_answered_from_its_parts() -> None:
    first, second = "How many pens, in the drawer, are there?", "Order as many again, please."
    told = [
        ("split", f"1. {first}\n2. {second}"),
        ("pick", "stock"), ("input", PENS), ("answer", "There are 1,234 pens."),
        ("pick", "order"), ("input", '{"item": "pen", "count": 1234}'), ("answer", "Ordered."),
        ("answer", "There were 1,234 pens, and as many are ordered."),
    ]  # fmt: skip
    episode = drive(CHAIN, FlatAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert {step.task_key for step in episode.steps} == {"flat.split", "flat.pick", "flat.input", "flat.answer"}
    assert made(episode) == [("stock", {"item": "pen"}), ("order", {"item": "pen", "count": 1234})]
    assert f"Question: {first}" in shown(episode, 1), "commas do not split"
    known = f'Known:\n{first} There are 1,234 pens.\nData: {{"item": "pen", "left": 1234}}\n'
    assert known in shown(episode, 5)
    assert 'Result: {"item": "pen", "left": 1234}' in shown(episode, 3)
    assert f"{second} Ordered." in shown(episode, 7)
    assert shown(episode, 7).endswith("Question: a chain thing")
    assert task_success(validate(CHAIN, episode))


def test_one_part_leaves_the_question_as_it_was_asked() -> None:
    episode = drive(ONE, FlatAgent(), "How many pens?", "stock", PENS, "There are 1,234 pens.")
    assert f"Question: {WHOLE}" in shown(episode, 1)
    assert task_success(validate(ONE, episode))


def test_parts_that_are_said_twice_are_one_and_a_digit_makes_another() -> None:
    told = ("Order AB1?\norder  ab1?\nOrder AB2?", "0", "yes", "No.", "0", "yes", "Yes.", "No and yes.")
    assert len(drive(ONE, FlatAgent(), *told).steps) == 8


@pytest.mark.parametrize("checked", ["yes", "no"])
def test_without_a_tool_the_answer_comes_from_memory_or_common_knowledge(checked: str) -> None:
    told = [("split", WHOLE), ("pick", "-1"), ("memory_check", checked), ("answer", "Hello there.")]
    episode = drive(BY_ID["no_tool"], FlatAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert task_success(validate(BY_ID["no_tool"], episode))


@pytest.mark.parametrize("unreadable", ["the second one", "99", ""])
def test_a_choice_that_cannot_be_read_is_a_failure_and_no_tool_is_taken(unreadable: str) -> None:
    episode = drive(ONE, FlatAgent(), WHOLE, unreadable, unreadable, unreadable, "no", "I do not know.")
    assert [step.readable for step in episode.steps] == [True, False, False, False, True, True]
    assert [kind for kind, _ in failures(episode)] == [FailureKind.AGENT_ERROR]
    assert failures(episode)[0][1].startswith("flat.pick: expected one of the numbers that are listed, found none in 3")
    assert made(episode) == []


def test_arguments_that_the_tool_does_not_have_are_asked_for_again() -> None:
    told = (WHOLE, "stock", '{"item": "pen", "colour": "red"}', "{" + PENS[1:-1], "There are 1,234 pens.")
    episode = drive(ONE, FlatAgent(), *told)
    assert [step.readable for step in episode.steps] == [True, True, False, True, True]
    assert task_success(validate(ONE, episode))


def test_where_a_tool_fails_the_others_are_offered_and_what_is_missing_is_said() -> None:
    one = BY_ID["graceful"]
    told = [("split", "x?"), ("pick", "stock"), ("input", PENS), ("pick", "raises"), ("memory_check", "no")]
    episode = drive(one, FlatAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert ". stock: stock it" in shown(episode, 1)
    assert ". stock: stock it" not in shown(episode, 3)
    assert "With stock: not known (temporarily unavailable)" in shown(episode, 3)
    assert [name for name, _ in made(episode)] == ["stock", "raises"]
    assert episode.answer == "Missing: an error that lasts (raises failed: RuntimeError: the drawer is stuck)."
    kinds = [kind for kind, _ in failures(episode)]
    assert kinds == [FailureKind.TOOL_TIMEOUT, FailureKind.TOOL_ERROR]


def test_a_tool_whose_arguments_cannot_be_read_is_not_called() -> None:
    episode = drive(ONE, FlatAgent(), WHOLE, "order", "two", "{}", "no idea", "stock", PENS, "There are 1,234 pens.")
    assert made(episode) == [("stock", {"item": "pen"})]
    assert task_success(validate(ONE, episode))


def test_a_part_that_is_missing_is_said_behind_the_answer() -> None:
    told = ("Pens?\nDrawer?", "stock", PENS, "1,234 pens.", "raises", "-1", "no", "There are 1,234 pens.")
    episode = drive(ONE, FlatAgent(), *told)
    assert episode.answer == "There are 1,234 pens. Missing: Drawer?."
    unread = drive(ONE, FlatAgent(), *told[:-1], " ", "", "\n")
    assert unread.answer == (
        "Missing: Drawer? (raises failed: RuntimeError: the drawer is stuck). Known so far: Pens? 1,234 pens.."
    )


def test_parts_are_limited() -> None:
    episode = drive(ONE, FlatAgent(FlatSettings(parts=1)), "A?a\nB?b\nC?c", "0", "yes", "1,234")
    assert failures(episode) == [
        (FailureKind.AGENT_ERROR, "flat.split: expected at most 1 parts, found 3; the rest is left out")
    ]


def test_tools_are_listed_in_an_order_that_the_seed_draws_and_none_is_left_out() -> None:
    told = (WHOLE, "stock", PENS, "1,234")

    def listed(seed: int) -> list[str]:
        return re.findall(r"^[0-9]\. (\w+):", shown(drive(ONE, FlatAgent(), *told, seed=seed), 1), re.MULTILINE)

    assert listed(3) == listed(3)
    assert {tuple(sorted(listed(seed))) for seed in range(6)} == {("hangs", "order", "raises", "stock")}
    assert len({tuple(listed(seed)) for seed in range(6)}) > 1


def test_a_user_who_goes_on_is_answered_and_what_was_said_is_shown() -> None:
    one = scenario(
        Kind.DIALOGUE, Expected(calls=(PEN,), answer=SAYS_PEN), query="Hi.", user=ScriptedUser(then=("How many pens?",))
    )
    told = ("Hi.", "0", "yes", "Hello.", "How many pens?", "stock", PENS, "There are 1,234.")
    episode = drive(one, FlatAgent(), *told)
    assert [m.role for m in episode.messages[2:]] == ["assistant", "user", "assistant", "tool", "assistant"]
    assert "Conversation:\nUser: Hi.\nAssistant: Hello.\n" in shown(episode, 4)
    assert task_success(validate(one, episode))


def test_what_the_scenario_says_to_its_assistant_is_shown_in_every_step() -> None:
    said = Message(role="system", content="Never say a number.")
    one = ONE.model_copy(update={"messages": (said, *ONE.messages[1:])})
    episode = drive(one, FlatAgent(), WHOLE, "0", "yes", "Many.")
    assert all("Instructions: Never say a number.\n" in shown(episode, n) for n in range(4))
    assert all(step.messages[0].content != said.content for step in episode.steps)


def test_the_attempts_own_limit_ends_it() -> None:
    episode = drive(ONE, FlatAgent(), WHOLE, "stock", limits=Limits(steps=2))
    assert (episode.stop_reason, episode.answer) == (StopReason.TURN_LIMIT, "")
