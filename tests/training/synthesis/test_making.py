"""From an item to an example: executed, played, judged."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from evaluation.examples import Scales
from evaluation.records import Metrics, Source
from evaluation.scenarios import ToolDef
from evaluation.tools.outside import HttpTool
from tests.training.synthesis.making import AT, READ, SEND, TOOLS, WEATHER, item
from training.synthesis.config import SynthesisConfig
from training.synthesis.items import Item, item_mistakes, item_of_messages
from training.synthesis.making import Made, Played, call_mistakes, example_of, is_executed, play, scenario_of

CONFIG = SynthesisConfig()
NOTE = {"name": "send_note", "arguments": {"person": "Ann", "text": "hello"}, "result": {"sent": True}}
KINDS: dict[str, dict[str, Any]] = {
    "one_call": {},
    "parallel": {
        "user": "Open page 12, and send Ann the note hello",
        "calls": [item().calls[0].model_dump(), NOTE],
        "answer": "Page 12 says: Be kind. The note is sent.",
    },
    "missing_argument": {
        "user": "Open a page of the handbook",
        "question": "Which page should I open?",
        "reply": "Page 12",
    },
    "tool_error": {
        "error": "the page is torn",
        "recovery": "graceful_fail",
        "answer": "Sorry, that did not work: torn.",
    },
    "no_tool": {"user": "Sing a song", "calls": [], "answer": "Sorry, I have no tool for that."},
}


def played(one: Item, tools: tuple[ToolDef, ...] = TOOLS) -> Played:
    scenario = scenario_of(one, tools, CONFIG, scenario_id="s", group="g")
    return asyncio.run(play(scenario, one, CONFIG))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_becomes_an_example_that_is_right(kind: str) -> None:
    one = item(kind=kind, **KINDS[kind])
    assert item_mistakes(one, answered=True) == []
    found = played(one)
    assert found.problem == ""
    metrics = Metrics(latency_ms=1, tokens_in=2, tokens_out=3, cost=0.5, model_calls=1)
    made = Made("e1", "syn-1", "teacher-x", "plain@abc", 7, metrics, AT)
    example = example_of(found, made, Scales())
    assert example.labels.success is True
    assert 0 < example.labels.validation_confidence <= 0.9
    assert example.metrics == metrics
    origin = example.provenance
    assert (origin.source, origin.teacher, origin.prompt_variant, origin.seed, origin.run_id) == (
        Source.SYNTHETIC, "teacher-x", "plain@abc", 7, "syn-1",
    )  # fmt: skip
    again = item_of_messages(example.messages)
    assert again is not None
    assert (again.kind, again.user, again.answer) == (one.kind, one.user, one.answer)


def test_an_error_that_passes_is_met_by_the_same_call_again() -> None:
    one = item(kind="tool_error", error="busy", recovery="retry")
    found = played(one)
    assert found.problem == ""
    roles = [message.role for message in found.episode.messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert [json.loads(m.content) for m in found.episode.messages if m.role == "tool"] == [
        {"error": "busy"}, {"text": "Be kind."},
    ]  # fmt: skip


def test_a_tool_that_is_a_function_is_executed_whatever_the_teacher_said() -> None:
    call = {"name": "get_weather_now", "arguments": {"city": "Oslo"}, "result": {"temperature": 99}}
    one = item(user="What is the weather in Oslo?", calls=[call], answer="It is fine.")
    assert is_executed(one, {"get_weather_now": WEATHER})
    found = played(one, (WEATHER, READ))
    result = next(message.content for message in found.episode.messages if message.role == "tool")
    assert "condition" in result
    assert "99" not in result


def test_a_call_that_fails_makes_the_item_invalid() -> None:
    call = {"name": "read_page", "arguments": {"page": 12}, "result": {"error": "no such page"}}
    assert "no such page" in played(item(calls=[call])).problem


def test_nothing_leaves_the_process() -> None:
    parameters = {"type": "object", "properties": {"page": {"type": "integer"}}, "required": ["page"]}
    http = HttpTool(method="GET", url="http://x.invalid/{page}")
    tool = ToolDef(name="read_page", description="", parameters=parameters, http=http)
    found = played(item(), (tool,))
    assert found.problem == ""
    assert not found.scenario.tools[0].outside


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user": "Please open the page about kindness"}, "the user does not say read_page '12'"),
        ({"answer": "Page 12 has 250 words."}, "nobody says 250"),
    ],
)
def test_what_nobody_says_lowers_the_confidence(changes: dict[str, str], reason: str) -> None:
    grounded = played(item(**changes)).validations[-1]
    assert grounded.name == "grounding"
    assert grounded.confidence == CONFIG.trust.unsaid
    assert reason in grounded.reason


def test_wrong_names_and_arguments_are_told() -> None:
    offered = {tool.name: tool for tool in TOOLS}
    assert "no tool 'fly'" in call_mistakes(item(calls=[{"name": "fly", "arguments": {}}]), offered)[0]
    wrong = call_mistakes(item(calls=[{"name": "read_page", "arguments": {"page": "x"}}]), offered)
    assert "page" in wrong[0]
    assert call_mistakes(item(), offered) == []


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"kind": "parallel"}, "expected 2 to 8"),
        ({"kind": "no_tool"}, "expected 0"),
        ({"kind": "missing_argument", "question": "Tell me", "reply": ""}, "ends in ?"),
        ({"kind": "tool_error", "error": "x"}, "as recovery one of"),
        ({"kind": "tool_error", "error": "x", "recovery": "clarify"}, "as recovery one of"),
        ({"kind": "chain"}, "expected one of"),
        ({"answer": " "}, "found nothing"),
        ({"kind": "parallel", "calls": [NOTE, NOTE]}, "the same call twice"),
    ],
)
def test_what_an_item_lacks_for_its_kind_is_told(changes: dict[str, Any], mistake: str) -> None:
    assert any(mistake in one for one in item_mistakes(item(**changes), answered=True))


def test_conversations_that_are_no_items_are_passed_over() -> None:
    whole = played(item()).episode.messages
    assert item_of_messages(whole) is not None
    assert item_of_messages(whole[:-1]) is None, "no answer"
    assert item_of_messages((*whole[:-1], *whole[2:])) is None, "calls in two turns of one request"
    assert SEND.name not in str(item_of_messages(whole))
