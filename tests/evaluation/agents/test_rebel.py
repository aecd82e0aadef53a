from __future__ import annotations

from evaluation.agents.rebel import RebelAgent, RebelSettings
from evaluation.records import FailureKind
from evaluation.validators import task_success, validate
from tests.evaluation.agents.told import drive, failures, made, order_of, shown
from tests.evaluation.attempts import BY_ID

CHAIN, ONE = BY_ID["chain"], BY_ID["stated_answer"]
WHOLE = "a stated_answer thing"
PENS = '{"item": "pen"}'


def test_parts_are_answered_bottom_up_and_the_whole_from_them() -> None:
    first, second = "How many pens, in all, are there?", "Order so many."
    told = [
        ("split", f"{first}\n{second}"),
        ("split", first), ("memory_check", "no"), ("pick", "stock"), ("input", PENS), ("answer", "There are 1,234."),
        ("split", second), ("memory_check", "no"), ("pick", "order"),
        ("input", '{"item": "pen", "count": 1234}'), ("answer", "Ordered."),
        ("memory_check", "yes"), ("answer", "There were 1,234 pens, now ordered."),
    ]  # fmt: skip
    episode = drive(CHAIN, RebelAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert {step.task_key.partition(".")[0] for step in episode.steps} == {"rebel"}
    assert f"Known: {first} There are 1,234.\n" in shown(episode, 6)
    assert made(episode) == [("stock", {"item": "pen"}), ("order", {"item": "pen", "count": 1234})]
    assert task_success(validate(CHAIN, episode))


def test_only_a_parts_own_answer_goes_up() -> None:
    told = (
        "A b c?\nD e f?", "A 1?\nA 2?", "A 1?", "yes", "one", "A 2?", "yes", "two", "yes", "three",
        "D e f?", "yes", "four", "yes", "five",
    )  # fmt: skip
    episode = drive(ONE, RebelAgent(), *told)
    assert "Known:\nA 1? one\nA 2? two\n" in shown(episode, 8)
    assert "Known: A b c? three\n" in shown(episode, 10)
    assert episode.answer == "five"


def test_a_part_that_restates_the_question_is_dropped_and_the_rest_is_not_split_again() -> None:
    told = [("split", f"{WHOLE.upper()}!\nHow many pens?"), ("memory_check", "yes"), ("answer", "1,234"),
            ("memory_check", "yes"), ("answer", "1,234")]  # fmt: skip
    episode = drive(ONE, RebelAgent(RebelSettings(alike=0.9)), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert "Question: How many pens?" in shown(episode, 1)


def test_a_cycle_through_an_earlier_question_ends() -> None:
    told = ["How many?\nWhich ones?", f"{WHOLE}\nHow many?\nWhy?", "yes", "x", "yes", "y", "Which ones?", "yes", "z",
            "yes", "1,234"]  # fmt: skip
    episode = drive(ONE, RebelAgent(), *told)
    assert [shown(episode, n).rpartition("Question: ")[2] for n in range(4)] == [WHOLE, "How many?", "Why?", "Why?"]
    assert failures(episode) == []


def test_the_depth_is_limited() -> None:
    ever = RebelAgent(RebelSettings(depth=2), alike=lambda one, other: 0.0)
    leaf = ("yes", "leaf")
    told = ("A?1\nB?1", "A?2\nB?2", *leaf, *leaf, "yes", "a", "B?2\nA?2", "yes", "b", "yes", "all")
    episode = drive(ONE, ever, *told)
    assert [name for name, _ in order_of(episode)].count("split") == 3
    assert episode.answer == "all"


def test_a_part_that_was_answered_is_not_asked_again() -> None:
    told = (
        "Pens?\nCups, too?",
        "Pens?",
        "yes",
        "1,234",
        "Pens?\nMugs?",
        "Mugs?",
        "yes",
        "5",
        "yes",
        "both",
        "yes",
        "x",
    )
    episode = drive(ONE, RebelAgent(), *told)
    assert [shown(episode, n).rpartition("Question: ")[2] for n in (4, 5, 8)] == ["Cups, too?", "Mugs?", "Cups, too?"]


def test_where_no_tool_is_needed_or_none_can_be_read_the_answer_is_from_what_is_known() -> None:
    told = [("split", "hi"), ("memory_check", "no"), ("pick", "0"), ("answer", "Hello.")]
    assert order_of(drive(BY_ID["no_tool"], RebelAgent(), *(reply for _, reply in told))) == told
    episode = drive(BY_ID["no_tool"], RebelAgent(), "hi", "no", "a", "b", "c", "Hello.")
    assert [kind for kind, _ in failures(episode)] == [FailureKind.AGENT_ERROR]
    assert episode.answer == "Hello."


def test_a_tool_that_fails_gives_way_to_another_and_what_is_missing_is_said() -> None:
    told = [("split", "x?"), ("memory_check", "no"), ("pick", "raises"), ("pick", "stock"), ("input", PENS),
            ("answer", "There are 1,234 pens.")]  # fmt: skip
    episode = drive(ONE, RebelAgent(), *(reply for _, reply in told))
    assert order_of(episode) == told
    assert failures(episode) == [(FailureKind.TOOL_ERROR, "RuntimeError: the drawer is stuck")]
    assert episode.answer == "There are 1,234 pens."
    alone = drive(ONE, RebelAgent(RebelSettings(tools_tried=1)), "x?", "no", "raises")
    assert alone.answer == f"Missing: {WHOLE} (raises failed: RuntimeError: the drawer is stuck)."


def test_a_part_that_is_missing_is_said_behind_the_answer() -> None:
    lone = RebelAgent(RebelSettings(tools_tried=1))
    told = ("Pens?\nDrawer?", "Pens?", "yes", "1,234", "Drawer?", "no", "raises", "yes", "There are 1,234.")
    episode = drive(ONE, lone, *told)
    assert "Drawer? not known (raises failed: RuntimeError: the drawer is stuck)" in shown(episode, 7)
    assert episode.answer == "There are 1,234. Missing: Drawer?."
