"""Conversations of several requests: planned, written, read, played in one world, and answered one by one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evaluation.models import Completion, Sampling
from evaluation.records import Message, ToolSpec
from evaluation.scenarios import ToolDef
from tests.training.synthesis.making import READ, TOOLS, WEATHER, carried_out, item, ledger_in, plan
from training.synthesis.config import AskConfig, CoverageConfig, Encoding, SynthesisConfig, Variation
from training.synthesis.encoding import read_answers, read_items, written
from training.synthesis.items import Item, item_mistakes, item_of_messages
from training.synthesis.making import Played, play, scenario_of
from training.synthesis.shots import Seed
from training.synthesis.teacher import TemplateTeacher
from training.synthesis.yields import YieldTable

CONFIG = SynthesisConfig()
SENT = {"name": "send_note", "arguments": {"person": "Ann", "text": "hello"}, "result": {"sent": True}}
THEN = [
    {"user": "And send Ann the note hello", "calls": [SENT], "answer": "The note is sent."},
    {"user": "Thanks, that is all", "calls": [], "answer": "You are welcome."},
]
DIALOGUE = item(then=THEN)


def add_to_list(world: dict[str, Any], thing: str) -> dict[str, Any]:
    """A tool with a state."""
    world.setdefault("list", []).append(thing)
    return {"things": len(world["list"])}


def take_from_list(world: dict[str, Any], thing: str) -> dict[str, Any]:
    """Works only if the thing was added before."""
    if thing not in world.get("list", []):
        return {"error": f"there is no {thing} on the list"}
    world["list"].remove(thing)
    return {"things": len(world["list"])}


THING = {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]}
ADD = ToolDef(name="add_to_list", description="Add.", parameters=THING, function=f"{__name__}:add_to_list")
TAKE = ToolDef(name="take_from_list", description="Take.", parameters=THING, function=f"{__name__}:take_from_list")


def played(one: Item, tools: Sequence[ToolDef] = TOOLS) -> Played:
    return asyncio.run(play(scenario_of(one, tools, CONFIG, scenario_id="s", group="g"), one, CONFIG))


@pytest.mark.parametrize("encoding", [Encoding.BLOCKS, Encoding.JSON])
def test_a_dialogue_is_read_as_it_was_written(encoding: Encoding) -> None:
    (read,) = read_items(written(DIALOGUE, 1, encoding), encoding)
    assert (read.item, read.repairs) == (DIALOGUE, ())


def test_a_further_request_that_is_not_closed_is_read_and_one_that_was_cut_off_is_not() -> None:
    text = written(DIALOGUE, 1, Encoding.BLOCKS)
    (read,) = read_items(text.replace("</then>", "", 1), Encoding.BLOCKS)
    assert (read.item, read.repairs) == (DIALOGUE, ("unclosed tag",))
    (cut,) = read_items(text[: text.index("Thanks")], Encoding.BLOCKS)
    assert cut.item is None
    assert "cut off" in cut.error


def test_its_requests_are_played_in_order_and_judged_as_a_whole() -> None:
    found = played(DIALOGUE)
    assert found.problem == ""
    roles = [message.role for message in found.episode.messages]
    assert roles == ["system", *["user", "assistant", "tool", "assistant"] * 2, "user", "assistant"]
    assert [call.name for message in found.episode.messages for call in message.tool_calls] == [
        "read_page",
        "send_note",
    ]
    assert item_of_messages(found.episode.messages) == DIALOGUE


def test_calls_share_one_world_and_one_that_finds_nothing_makes_the_item_invalid() -> None:
    add = {"name": "add_to_list", "arguments": {"thing": "milk"}}
    take = {"name": "take_from_list", "arguments": {"thing": "milk"}}
    told = {"kind": "one_call", "user": "Put milk on the list", "calls": [add], "answer": "Done: things 1."}
    right = item(**told, then=[{"user": "No, take the milk off again", "calls": [take], "answer": "Done: things 0."}])
    found = played(right, (ADD, TAKE))
    assert found.problem == ""
    assert found.episode.messages[-2].content == '{"things": 0}'
    wrong = item(**told | {"calls": [take]}, then=[{"user": "Put the milk on it", "calls": [add], "answer": "Done."}])
    assert "there is no milk on the list" in played(wrong, (ADD, TAKE)).problem


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"answer": "Done. What else?", "then": THEN}, "asks nothing before request 2"),
        ({"then": [{"user": "And now?", "calls": []}]}, "then 1: answer"),
        ({"then": [{"user": "Send it twice", "calls": [SENT, SENT], "answer": "Done."}]}, "the same call twice"),
        ({"then": [{"user": "Much", "calls": [SENT] * 9, "answer": "Done."}]}, "at most 8 calls"),
    ],
)
def test_what_a_further_request_lacks_is_told(changes: dict[str, Any], mistake: str) -> None:
    assert any(mistake in one for one in item_mistakes(item(**changes), answered=True))


def test_values_that_an_earlier_call_returned_count_as_said_and_others_do_not() -> None:
    note = {"name": "send_note", "arguments": {"person": "Ann", "text": "Be kind."}, "result": {"sent": True}}
    said = played(item(then=[{"user": "Send that to Ann", "calls": [note], "answer": "Sent."}]))
    assert said.validations[-1].confidence == CONFIG.trust.teacher
    made_up = note | {"arguments": {"person": "Ann", "text": "Be cruel."}}
    unsaid = played(item(then=[{"user": "Send that to Ann", "calls": [made_up], "answer": "Sent."}]))
    assert (unsaid.problem, unsaid.validations[-1].confidence) == ("", CONFIG.trust.unsaid)


def test_a_synthesis_keeps_dialogues_of_as_many_requests_as_were_asked_for(tmp_path: Path) -> None:
    config = SynthesisConfig(count=20, coverage=CoverageConfig(turns=(2, 3)), ask=AskConfig(batch=6))
    table = YieldTable.model_validate(carried_out(tmp_path, plan(config), TemplateTeacher(0.3)).yields)
    assert set(table.by_turns) == {2, 3}
    assert sum(table.by_turns.values()) == table.total.kept == 20
    with ledger_in(tmp_path) as ledger:
        examples = list(ledger.examples())
    for example in examples:
        users = sum(message.role == "user" for message in example.messages)
        clarified = example.recovery is not None and example.recovery.strategy == "clarify"
        assert users - clarified in (2, 3)
        assert example.messages[-1].role == "assistant"


class Short:
    """Answers like the template teacher, but leaves out the last answer of a request for answers, once."""

    name, template_hash = "template", ""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        done = await TemplateTeacher().complete(messages, tools, sampling)
        if "<answer n=" not in messages[-1].content:
            return done
        self.asked.append(messages[-1].content)
        text = done.message.content
        if len(self.asked) == 1:
            text = text[: text.rindex("<answer")]
        return Completion(done.message.model_copy(update={"content": text}), 10, 10, 1.0, "stop")


def test_every_answer_is_asked_for_once_its_tools_have_returned(tmp_path: Path) -> None:
    config = SynthesisConfig(
        count=4, coverage=CoverageConfig(turns=(2, 2), kinds=("one_call",)), ask=AskConfig(batch=4)
    )
    teacher = Short()
    end = carried_out(tmp_path, plan(config, tools=(WEATHER, READ)), teacher)
    table = YieldTable.model_validate(end.yields)
    assert (end.state, table.total.kept) == ("finished", 4)
    assert table.total.outcomes.get("malformed") == 1, "one item lacked an answer"
    places = re.findall(r"^(\d+(?:\.\d)?)\. ", teacher.asked[0], re.MULTILINE)
    assert places == ["1", "1.1", "2", "2.1"], "of an item whose tools are executed"
    with ledger_in(tmp_path) as ledger:
        assert all("…" not in message.content for one in ledger.examples() for message in one.messages)


def test_answers_are_known_by_item_and_request() -> None:
    text = '<answer n="1">One.</answer><answer n="1.1">More.</answer><answer>Third.</answer>'
    assert read_answers(text) == {"1": "One.", "1.1": "More.", "3": "Third."}


def test_a_dialogue_that_is_a_seed_is_said_in_other_words_request_by_request(tmp_path: Path) -> None:
    seed = Seed(id="s", item=DIALOGUE, origin="test")
    config = SynthesisConfig(count=2, variation=Variation.STYLE)
    end = carried_out(tmp_path, plan(config, seeds=[seed]), TemplateTeacher())
    assert YieldTable.model_validate(end.yields).by_turns == {3: 2}
    with ledger_in(tmp_path) as ledger:
        for example in ledger.examples():
            assert example.messages[5].content.startswith("And then, ")
            assert [call.name for m in example.messages for call in m.tool_calls] == ["read_page", "send_note"]


@pytest.mark.parametrize("turns", [0, 11, [3, 1], [1, 2, 3], "many"])
def test_a_number_of_requests_that_makes_no_sense_is_refused(turns: Any) -> None:
    with pytest.raises(ValidationError, match="expected a number from 1 to 10"):
        CoverageConfig(turns=turns)
    assert CoverageConfig.model_validate({"turns": 3}).turns == (3, 3)
