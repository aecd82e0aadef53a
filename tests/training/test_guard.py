"""The guard: no row that names, groups with, or says a held-out scenario gets through."""

from __future__ import annotations

import json

import pytest

from evaluation.records import Message
from evaluation.scenarios import Expected, Kind, Part, Scenario
from training.guard import HeldOut, HeldOutOverlap, guard
from training.snapshot import SnapshotRow


def scenario(name: str, part: Part, query: str) -> Scenario:
    said = (Message(role="system", content="You are helpful."), Message(role="user", content=query))
    return Scenario(
        id=name, group=f"g-{name}", part=part, kind=Kind.NO_TOOL, messages=said, tools=(), expected=Expected()
    )


def row(number: int, said: str = "Hello", **more: str) -> SnapshotRow:
    messages = [{"role": "user", "content": said}, {"role": "assistant", "content": "Book me a Table"}]
    return SnapshotRow(
        id=f"e{number}", task_key="tools", messages=json.dumps(messages), tools="[]", source="test", **more
    )


HELD = HeldOut.of([scenario("a", Part.HELD_OUT, "Book me a  table"), scenario("b", Part.TRAIN, "Hello there")])


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row(1, scenario_id="a"), "row e1: scenario a"),
        (row(1, scenario_group="g-a"), "row e1: group g-a"),
        (row(1, "  BOOK me\na table "), "row e1: user message"),
        (row(1, "Ｂook me a table"), "user message"),
        (row(1, part="held_out"), "part held_out"),
    ],
)
def test_an_overlap_is_refused_and_named(bad: SnapshotRow, says: str) -> None:
    with pytest.raises(HeldOutOverlap, match=says):
        guard([row(0), bad], HELD)


def test_rows_of_other_parts_pass_also_when_the_assistant_says_the_words() -> None:
    guard([row(0), row(1, "Hello there", scenario_id="b", scenario_group="g-b", part="train")], HELD)
    assert not HELD.overlap("b", "g-b", ["Hello there"])


def test_the_first_offenders_are_named_and_all_are_counted() -> None:
    with pytest.raises(HeldOutOverlap, match=r"found 8: row e0.*row e4: scenario a\. Nothing"):
        guard([row(i, scenario_id="a") for i in range(8)], HELD)
