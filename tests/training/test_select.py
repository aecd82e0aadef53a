"""Selection on real scenarios and tools: what is used, corrected, dropped, and counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evaluation.agents import attempt
from evaluation.models import Sampling, ScriptedModel
from evaluation.records import Example, Feedback, Labels, Message, Metrics, Provenance, Source, ToolCall, ToolSpec
from evaluation.scenarios import (
    Expected,
    ExpectedAnswer,
    ExpectedArgument,
    ExpectedCall,
    Kind,
    Part,
    Scenario,
    ToolDef,
)
from serving.capture import REPORTED
from training.guard import HeldOutOverlap
from training.privacy.config import PrivacyConfig
from training.privacy.errors import PrivacyError
from training.select import SelectConfig, Selection, select, select_snapshot
from training.snapshot import SnapshotError, read

NOW = datetime(2025, 3, 4, tzinfo=UTC)


def address_of(world: dict[str, Any], name: str) -> dict[str, Any]:
    """The tool that the scenarios call."""
    return {"address": world[name]}


FIND = ToolDef(
    name="find_address",
    description="Find a mail address.",
    parameters={"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    function="tests.training.test_select:address_of",
)


def scenario(name: str, part: Part = Part.TRAIN, says: str = "{}@corp.com") -> Scenario:
    call = ExpectedCall(name="find_address", arguments={"name": ExpectedArgument(any_of=(name,))})
    answer = ExpectedAnswer(contains=(says.format(name),), reference=f"It is {name}@corp.com.")
    return Scenario(
        id=f"s-{name}",
        group=f"g-{name}",
        part=part,
        kind=Kind.STATED_ANSWER,
        messages=(Message(role="user", content=f"What is the address of {name}?"),),
        tools=(FIND,),
        world={name: f"{name}@corp.com"},
        expected=Expected(calls=(call,), answer=answer),
    )


SUITE = [scenario(name) for name in ("ann", "bob", "cem")] + [scenario("zoe", Part.HELD_OUT)]


def example(of: str, number: int = 0, *, labels: Labels, reply: str = "No idea.", **provenance: Any) -> Example:
    """An example that answers without a call."""
    origin = {
        "source": Source.TEST,
        "scenario_id": f"s-{of}",
        "scenario_group": f"g-{of}",
        "part": "train",
    } | provenance
    said = f"What is the address of {of}?"
    return Example(
        id=f"{of}-{number}",
        task_key="tools",
        query=said,
        timestamp=NOW,
        messages=(Message(role="user", content=said), Message(role="assistant", content=reply)),
        tools=(FIND.spec(),),
        response=reply,
        tools_used=(),
        labels=labels,
        metrics=Metrics(latency_ms=1, tokens_in=1, tokens_out=1, cost=0, model_calls=1),
        provenance=Provenance(**origin),
    )


RIGHT = Labels(success=True, correct_tool_selection=True, validation_confidence=0.9, response_quality=5)
WRONG = Labels(success=False, correct_tool_selection=False, validation_confidence=1.0, response_quality=0)
LIVE = {"source": Source.PRODUCTION, "scenario_id": None, "scenario_group": None, "part": None}


def run(examples: Sequence[Example], config: SelectConfig | None = None, **more: Any) -> Selection:
    return asyncio.run(select(examples, more.pop("suite", SUITE), config or SelectConfig(scrub=False), **more))


def reasons(selection: Selection, step: str) -> dict[str, int]:
    return next(s.reasons for s in selection.funnel.steps if s.name == step)


def test_what_was_right_is_used_and_what_was_wrong_is_done_right_by_the_real_tools() -> None:
    selection = run([example("ann", labels=RIGHT, reply="ann@corp.com"), example("bob", labels=WRONG)])
    own, corrected = sorted(selection.rows, key=lambda row: row.scenario_id or "")
    assert (own.id, own.source, own.parent_id) == ("ann-0", "test", None)
    assert (corrected.source, corrected.parent_id, corrected.scenario_id) == ("synthetic", "bob-0", "s-bob")
    user, call, result, answer = json.loads(corrected.messages)
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == {"name": "bob"}
    assert json.loads(result["content"]) == {"address": "bob@corp.com"}
    assert answer["content"] == "It is bob@corp.com."
    assert user["content"] == "What is the address of bob?"
    assert reasons(selection, "correct") == {"corrected": 1}


def test_what_went_wrong_gets_further_examples_of_its_intent_done_right() -> None:
    asked: list[Mapping[str, int]] = []

    def further(wanted: Mapping[str, int]) -> list[Scenario]:
        asked.append(wanted)
        return [scenario(name).model_copy(update={"group": "g-bob"}) for name in ("eve", "fay", "gus", "gus")]

    examples = [example("ann", labels=RIGHT), example("bob", 0, labels=WRONG), example("bob", 1, labels=WRONG)]
    selection = run(examples, SelectConfig(scrub=False, augment=2), further=further)
    assert asked == [{"g-bob": 4}], "nothing is drawn for what was right"
    rows = {row.scenario_id: row for row in selection.rows}
    assert len(selection.rows) == len(rows) == 5, "one that says the same as another is left out"
    assert [rows[f"s-{name}"].parent_id for name in ("eve", "fay", "gus")] == ["bob-0", "bob-1", "bob-0"]
    assert {rows[f"s-{name}"].source for name in ("bob", "eve", "fay", "gus")} == {"synthetic"}
    assert json.loads(rows["s-eve"].messages)[-1]["content"] == "It is eve@corp.com."
    assert reasons(selection, "further examples") == {"added": 3}
    assert [s.rows_out for s in selection.funnel.steps] == [3, 3, 3, 2, 5, 5]
    later = run(examples[::-1], SelectConfig(scrub=False, augment=2), further=further)
    assert later.rows == selection.rows, "a test run that was resumed made its examples in another order"


def test_conversations_about_made_up_tools_are_a_share_of_what_was_selected() -> None:
    examples = [example("ann", n, labels=RIGHT, reply=f"Answer {n}") for n in range(10)]
    config = SelectConfig(rehearsal=0.5, scrub=False)
    rows = run(examples, config, seed=3).rows
    assert rows[:10] == run(examples).rows
    made_up = rows[10:]
    assert len(made_up) == 5
    assert {(row.source, row.task_key, row.part, row.scenario_id) for row in made_up} == {
        ("synthetic", "tools", None, None)
    }
    assert all(json.loads(row.tools) for row in made_up)
    calls = [c for row in made_up for m in json.loads(row.messages) for c in m.get("tool_calls", ())]
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert len(calls) > 2
    assert rows == run(examples, config, seed=3).rows
    assert {row.messages for row in made_up}.isdisjoint(row.messages for row in run(examples, config, seed=4).rows)
    assert reasons(run(examples, config), "rehearsal") == {"made up": 5}
    assert run([], config).rows == ()


def test_further_examples_are_for_tests_that_went_wrong_only_and_never_of_the_held_out_part() -> None:
    def leak(wanted: Mapping[str, int]) -> list[Scenario]:
        return [scenario("zoe")]

    assert len(run([example("bob", labels=WRONG)], SelectConfig(augment=0), further=leak).rows) == 1
    assert len(run([example("ann", labels=RIGHT)], further=leak).rows) == 1
    with pytest.raises(HeldOutOverlap, match="zoe"):
        run([example("bob", labels=WRONG)], further=lambda _: [scenario("zoe").model_copy(update={"group": "g-bob"})])


def test_a_reference_that_the_validators_reject_corrects_nothing() -> None:
    unsolvable = scenario("ann", says="{}@other.com")
    selection = run([example("ann", labels=WRONG)], suite=[unsolvable, *SUITE[1:]])
    assert selection.rows == ()
    assert reasons(selection, "correct") == {"wrong, and its reference is not right either (answer)": 1}
    assert reasons(run([example("dan", labels=WRONG)]), "correct") == {"wrong, and its scenario is not in the suite": 1}


def test_a_scenario_that_does_not_say_what_is_right_corrects_nothing() -> None:
    unsaid = ExpectedCall(name="find_address", arguments={"name": ExpectedArgument(regex="b.b")})
    suite = [SUITE[0], SUITE[1].model_copy(update={"expected": Expected(calls=(unsaid,))}), *SUITE[2:]]
    selection = run([example("ann", labels=RIGHT, reply="ann@corp.com"), example("bob", labels=WRONG)], suite=suite)
    assert reasons(selection, "correct") == {"wrong, and its scenario does not say what would be right": 1}


def test_two_attempts_with_the_same_content_are_one_row_of_the_better() -> None:
    twice = [
        example("ann", 1, labels=RIGHT),
        example("ann", 0, labels=RIGHT.model_copy(update={"response_quality": 4})),
    ]
    failed = [example("bob", n, labels=WRONG) for n in range(3)]
    selection = run([*failed, *twice])
    assert {row.parent_id or row.id for row in selection.rows if row.scenario_id == "s-ann"} == {"ann-1"}
    assert len(selection.rows) == 2
    assert reasons(selection, "exact duplicates") == {"same content as another": 3}
    assert run([*twice, *reversed(failed)]).rows == selection.rows


@pytest.mark.parametrize(
    ("config", "dropped"),
    [
        ({"task_keys": ("planner",)}, {"task key tools": 2}),
        ({"sources": (Source.PRODUCTION,)}, {"source test": 2}),
        ({"parts": (Part.LIVE,)}, {"part train": 2}),
        ({}, {}),
    ],
)
def test_filters_say_what_they_dropped(config: dict[str, Any], dropped: dict[str, int]) -> None:
    selection = run([example("ann", labels=RIGHT), example("bob", labels=RIGHT)], SelectConfig(**config))
    assert reasons(selection, "filter") == dropped
    first = selection.funnel.steps[0]
    assert (first.rows_in, first.rows_out) == (2, 2 - sum(dropped.values()))
    assert len(selection.rows) == first.rows_out


def test_rows_are_scrubbed_as_the_settings_of_privacy_say() -> None:
    said = example("ann", labels=RIGHT, reply="Write to shop@corp.com or to ann@corp.com.")
    config, private = SelectConfig(parts=(Part.TRAIN,)), PrivacyConfig(keep=("shop@corp.com",))
    [row] = run([said], config, privacy=private).rows
    assert "shop@corp.com" in row.messages
    assert "ann@corp.com" not in row.messages
    [row] = run([said], config).rows
    assert "shop@corp.com" not in row.messages
    as_it_is, strict = SelectConfig(scrub=False), PrivacyConfig(strict=True)
    assert len(run([said], as_it_is).rows) == 1
    with pytest.raises(PrivacyError, match="ann"):
        run([said], as_it_is, privacy=strict)
    assert len(run([said], config, privacy=strict).rows) == 1


def test_low_confidence_and_low_quality_are_dropped_and_counted() -> None:
    unsure = RIGHT.model_copy(update={"validation_confidence": 0.6})
    poor = RIGHT.model_copy(update={"response_quality": 3.0})
    config = SelectConfig(min_quality=4.0, correct=False)
    selection = run([example("ann", labels=unsure), example("bob", labels=poor), example("cem", labels=WRONG)], config)
    assert reasons(selection, "confidence and quality") == {"confidence below 0.7": 1, "quality below 4.0": 1}
    assert reasons(selection, "correct") == {"wrong": 1}
    assert selection.rows == ()


def rated(rating: float | None, success: bool | None = None) -> Labels:
    """As the ledger has it: an outcome that was reported comes with `serving.capture.REPORTED`."""
    return Labels(user_satisfaction=rating, success=success, validation_confidence=0.0 if success is None else REPORTED)


@pytest.mark.parametrize(
    ("labels", "used"),
    [
        (rated(5), True),
        (rated(4), True),
        (rated(3.5), False),
        (rated(3.5, success=True), False),
        (rated(5, success=False), False),
        (rated(None, success=True), True),
        (rated(None), False),
    ],
)
def test_production_is_used_only_when_somebody_says_it_was_good(labels: Labels, used: bool) -> None:
    assert len(run([example("ann", labels=labels, **LIVE)]).rows) == used


def feedback(**given: Any) -> Feedback:
    return Feedback(id="f1", example_id="ann-0", rating=1, rater="r", timestamp=NOW, **given)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({"suggested_response": "It is a@b.org."}, True),
        ({"suggested_response": "It is a@b.org.", "suggested_tools": ("find_address",)}, False),
        ({"suggested_response": "It is a@b.org.", "tool_selection": 2}, False),
        ({"suggested_tools": ("find_address",)}, False),
        ({}, False),
    ],
)
def test_a_suggestion_corrects_production_only_where_it_is_whole(given: dict[str, Any], used: bool) -> None:
    bad = example("ann", labels=rated(1), **LIVE)
    selection = run([bad], feedback={bad.id: [feedback(**given)]})
    assert len(selection.rows) == used
    for row in selection.rows:
        assert json.loads(row.messages)[-1]["content"] == "It is a@b.org."
        assert (row.source, row.parent_id) == ("manual", bad.id)


def test_held_out_examples_are_left_out_also_when_only_their_words_are_there() -> None:
    held = [
        example("zoe", 0, labels=RIGHT, part="held_out"),
        example("zoe", 1, labels=RIGHT),
        example("zoe", 2, labels=rated(5), **LIVE),
    ]
    selection = run([*held, example("ann", labels=RIGHT)])
    assert [row.scenario_id for row in selection.rows] == ["s-ann"]
    assert reasons(selection, "filter") == {"overlaps with the held-out part": 2, "part held_out": 1}
    other = example("other", labels=RIGHT, part="held_out")
    with pytest.raises(HeldOutOverlap, match="row other-0: part held_out"):
        run([other], SelectConfig(parts=(Part.TRAIN, Part.HELD_OUT)))


def test_personal_data_is_replaced_alike_and_counted(tmp_path: Path) -> None:
    selection = run([example("bob", labels=WRONG)], SelectConfig())
    _, _, result, answer = json.loads(selection.rows[0].messages)
    address = json.loads(result["content"])["address"]
    assert address != "bob@corp.com"
    assert answer["content"] == f"It is {address}."
    assert selection.funnel.scrubbed == {"mail": 2}


def test_a_selection_that_runs_again_is_the_same_snapshot(tmp_path: Path) -> None:
    examples = [example("ann", labels=RIGHT), example("bob", labels=WRONG)]
    first, second = (
        asyncio.run(select_snapshot(examples, SUITE, SelectConfig(), folder=tmp_path, name="loop-1", seeds={"loop": 1}))
        for _ in range(2)
    )
    assert first == second
    assert first.snapshot.version == 0
    assert len(read(first.snapshot)) == 2
    assert first.snapshot.meta.funnel == first.funnel.model_dump(mode="json")
    with pytest.raises(SnapshotError, match="at least one row"):
        asyncio.run(select_snapshot([], SUITE, SelectConfig(), folder=tmp_path))


def test_an_example_of_a_recorded_episode_keeps_its_calls(tmp_path: Path) -> None:
    turns = (
        Message(role="assistant", tool_calls=(ToolCall(id="c", name="find_address", arguments={"name": "ann"}),)),
        Message(role="assistant", content="ann@corp.com"),
    )
    episode = asyncio.run(attempt(SUITE[0], ScriptedModel(turns), sampling=Sampling()))
    recorded = example("ann", labels=RIGHT).model_copy(update={"messages": episode.messages})
    [row] = run([recorded]).rows
    assert [m["role"] for m in json.loads(row.messages)] == ["user", "assistant", "tool", "assistant"]
    assert json.loads(row.tools) == [ToolSpec(**FIND.spec().model_dump()).to_openai()]
