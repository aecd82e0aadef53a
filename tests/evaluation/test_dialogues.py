"""Dialogues out of templates: a small shop written here, what is made of it, and every mistake that it can hold."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.agents import attempt
from evaluation.dialogues import merged
from evaluation.models import Sampling
from evaluation.oracle import oracle
from evaluation.records import StopReason
from evaluation.scenarios import ExpectedCall, Kind, Part, Scenario, ScriptedUser
from evaluation.suite import SuiteError, draw_further, expand
from evaluation.validators import task_success, validate

HERE = "tests.evaluation.test_dialogues"
SIZES = {Part.TRAIN: 6, Part.HELD_OUT: 3, Part.LIVE: 3}


def who(world: dict[str, Any], name: str) -> dict[str, Any]:
    known = name in world["people"]
    return {"name": name, "boxes": world["people"][name]} if known else {"error": f"nobody is called {name}"}


def close(world: dict[str, Any], box: str) -> dict[str, Any]:
    world["boxes"][box]["open"] = False
    return {"box": box, "fee": 7}


def tool(name: str, argument: str) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {argument: {"type": "string"}},
        "required": [argument],
        "additionalProperties": False,
    }
    return {"name": name, "description": name, "parameters": parameters, "function": f"{HERE}:{name}"}


HEAD: dict[str, Any] = {
    "name": "boxes",
    "system": "Serve.",
    "counts": {"train": 6, "held_out": 3, "live": 3},
    "slots": {"box": {"pattern": "B[0-9]{5}"}, "name": [f"Ann{n}" for n in range(12)]},
}
CLOSING: dict[str, Any] = {
    "id": "closing",
    "kind": "dialogue",
    "tags": ["consent"],
    "phrasings": [f"(Close|Shut) box {{box}} {word}" for word in ("now", "today", "please", "for good", "at once")],
    "states": ["result.1.fee"],
    "dialogue": {
        "world": {"people": {"{name}": ["{box}"]}, "boxes": {"{box}": {"open": True}}},
        "user": {
            "slots": {"name": {"asked": ["your name"], "say": "(I am|My name is|Call me) {name}."}},
            "consent": "(Yes, do.|Yes, close it.|Yes, thanks.)",
            "then": ["(Is that all|Was that it|Are we done) then, for {box}?"],
        },
        "steps": [
            {"ask": "What is your name?"},
            {"call": {"tool": "who", "arguments": {"name": "{name}"}}},
            {"ask": "Shall I close {result.0.boxes.0}?"},
            {"call": {"tool": "close", "arguments": {"box": "{box}"}}},
            {"say": "It is closed, the fee is {result.1.fee}."},
            {"say": "That is all, and the fee is {result.1.fee}."},
        ],
        "never": [{"tool": "close", "arguments": {"box": "B1"}}],
        "forbidden": [{"tool": "who", "arguments": {"name": "Bob"}}],
        "final": {"boxes": {"{box}": {"open": False}}},
    },
}
DOMAIN: dict[str, Any] = {
    "domain": "boxes",
    "world": {"boxes": {"B1": {"open": True}}},
    "policy": {"text": "Close boxes.", "first": {"close": ["who"]}, "consent": ["close"], "never": []},
    "tools": [tool("who", "name"), tool("close", "box")],
    "intents": [CLOSING],
}


def write(folder: Path, domain: dict[str, Any] = DOMAIN) -> Path:
    (folder / "suite.yaml").write_text(yaml.safe_dump(HEAD, sort_keys=False))
    (folder / "boxes.yaml").write_text(yaml.safe_dump(domain, sort_keys=False))
    return folder


def test_a_dialogue_is_filled_gone_through_and_written_out(tmp_path: Path) -> None:
    suite = expand(write(tmp_path), 1)
    assert {part: len(suite.part(part)) for part in Part} == SIZES
    for one in suite.scenarios:
        box = one.query.split()[2]
        (name,) = one.world["people"]
        assert one.kind == Kind.DIALOGUE
        assert one.world == {"people": {name: [box]}, "boxes": {"B1": {"open": True}, box: {"open": True}}}
        assert one.expected.world == {"people": {name: [box]}, "boxes": {"B1": {"open": True}, box: {"open": False}}}
        assert [(c.name, called(c)) for c in one.expected.calls] == [("who", {"name": name}), ("close", {"box": box})]
        assert one.expected.partial
        assert [(c.name, called(c)) for c in one.expected.forbidden] == [("who", {"name": "Bob"})]
        assert one.policy is not None
        assert [(c.name, called(c)) for c in one.policy.never] == [("close", {"box": "B1"})]
        assert isinstance(one.user, ScriptedUser)
        assert name in one.user.slots["name"].say
        assert box in one.user.then[0]
        assert [m.content for m in one.expected.script if not m.tool_calls][1:3] == [
            f"Shall I close {box}?",
            "It is closed, the fee is 7.",
        ]
        assert one.expected.answer is not None
        assert one.expected.answer.contains == ("7",)
        assert one.expected.answer.reference == "That is all, and the fee is 7."
        assert "consent" in one.tags


def called(call: ExpectedCall) -> dict[str, Any]:
    return {name: argument.any_of[0] for name, argument in call.arguments.items()}


def test_its_script_is_what_the_oracle_does(tmp_path: Path) -> None:
    one: Scenario = expand(write(tmp_path), 2).scenarios[0]
    episode = asyncio.run(attempt(one, oracle(one), sampling=Sampling()))
    assert [m for m in episode.messages[episode.given :] if m.role == "assistant"] == [*one.expected.script]
    assert episode.stop_reason == StopReason.ANSWERED
    assert task_success(validate(one, episode))


def test_further_dialogues_offer_all_tools_whatever_they_share(tmp_path: Path) -> None:
    folder = write(tmp_path)
    more = draw_further(folder, 1, part=Part.TRAIN, wanted={"boxes.closing": 4}, together=3)
    assert len(more) == 4
    assert all({tool.name for tool in one.tools} == {"who", "close"} for one in more)
    assert not {one.id for one in more} & {one.id for one in expand(folder, 1).scenarios}


def test_a_world_is_merged_object_within_object() -> None:
    one = {"a": {"b": 1, "c": {"d": [1]}}, "e": 2}
    assert merged(one, {"a": {"c": {"d": [2], "f": 3}}, "e": {"g": 4}}) == {
        "a": {"b": 1, "c": {"d": [2], "f": 3}},
        "e": {"g": 4},
    }
    assert one == {"a": {"b": 1, "c": {"d": [1]}}, "e": 2}


STEPS = "intents.0.dialogue.steps"


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the domain with one value changed, or taken out where `value` is None."""
    domain = copy.deepcopy(DOMAIN)
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    at: Any = domain
    for step in way:
        at = at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return domain


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("policy.consent", ["shut"], "policy.consent[0]: expected a tool of the domain, found 'shut'"),
        ("policy.first", {"close": ["whom"]}, "policy.first.close: expected a tool of the domain, found 'whom'"),
        ("policy.never", [{"name": "x", "arguments": {}}], "policy.never[0].name: expected a tool of the domain"),
        ("intents.0.dialogue", None, "intents[0].dialogue: expected a dialogue for kind dialogue and for no other"),
        ("intents.0.kind", "one_call", "intents[0].dialogue: expected a dialogue for kind dialogue and for no other"),
        ("intents.0.offer", ["who"], "intents[0].offer: expected steps only, found offer beside the dialogue"),
        (f"{STEPS}.0", {"ask": "Who?", "say": "You."}, "expected exactly one of ask, call and say, found ask, say"),
        (f"{STEPS}.0", {"ask": "Who?", "fails": True}, "expected `fails` beside a call, found none"),
        (f"{STEPS}.1.call.tool", "whom", "steps[1].call.tool: expected a tool of the domain, found 'whom'"),
        ("intents.0.dialogue.never.0.tool", "x", "dialogue.never[0].tool: expected a tool of the domain, found 'x'"),
        ("intents.0.dialogue.forbidden.0.tool", "x", "dialogue.forbidden[0].tool: expected a tool of the domain"),
        (f"{STEPS}.1", None, "steps[2]: expected who before close, by the policy, found it later"),
        (f"{STEPS}.2", None, "steps[2]: expected an `ask` right before close, which needs consent, found none"),
        (f"{STEPS}.0.ask", "Who is {result.0.name}?", "steps[0]: expected results of calls before it (found 0), found"),
        (f"{STEPS}.5", {"ask": "Was that all?"}, "steps[5]: expected a `say` as the last step, found none"),
        ("intents.0.dialogue.user.slots.name.say", "{name}", "slots.name.say: expected three texts or more"),
        ("intents.0.dialogue.user.consent", "(Yes|Aye)", "user.consent: expected three texts or more"),
        ("intents.0.dialogue.user.then", ["{box}?"], "user.then[0]: expected three texts or more"),
        (f"{STEPS}.0.ask", "What is your {title}?", "dialogue: expected slots of the suite, found {title}"),
        # What only shows when the steps are gone through.
        (f"{STEPS}.0.ask", "Your name.", "step 1: expected `ask` for a question and `say` for anything else"),
        (f"{STEPS}.4.say", "Is it closed?", "step 5: expected `ask` for a question and `say` for anything else"),
        (f"{STEPS}.0.ask", "What is your colour?", "step 1: expected something that the user's script answers"),
        (f"{STEPS}.1.call.arguments", {"name": "x{name}"}, "to work, found 'nobody is called xAnn"),
        (f"{STEPS}.3.fails", True, "to fail, found"),
        (f"{STEPS}.2.ask", "What was your name again?", "step 4: expected the user's consent right before close"),
        (f"{STEPS}.5", None, "step 5: expected nothing more from the user, found"),
        ("intents.0.dialogue.user.then", None, "step 5: expected a further wish in `then`, found None"),
        (f"{STEPS}.2.ask", "Shall I close {result.0.lid}?", "expected {result.0.lid} to be a slot or a field of a"),
        (f"{STEPS}.3.call.arguments", {"box": "{result.0.lid}"}, "expected {result.0.lid} to be a slot or a field"),
        ("intents.0.dialogue.final", {}, "expected `final` to say what the steps change, found nothing there"),
        ("intents.0.dialogue.final", {"boxes": {"{box}": {"open": 1}}}, "expected the steps to lead to"),
        ("intents.0.accept", ["sorry"], "expected a reference answer that says"),
    ],
)
def test_mistakes_in_dialogues_are_named(path: str, value: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        expand(write(tmp_path, changed(path, value)), 1)
    assert any(said in mistake for mistake in caught.value.mistakes), caught.value


def test_steps_that_change_nothing_cannot_lead_elsewhere(tmp_path: Path) -> None:
    domain = changed(STEPS, [{"ask": "What is your name?"}, {"say": "Hello."}, {"say": "No more."}])
    domain["intents"][0]["states"] = []
    with pytest.raises(SuiteError, match="found that they change nothing"):
        expand(write(tmp_path, domain), 1)


def test_all_mistakes_of_a_dialogue_are_told_together(tmp_path: Path) -> None:
    domain = changed(f"{STEPS}.1.call.tool", "whom")
    domain["policy"]["consent"] = ["close", "open"]
    domain["intents"][0]["dialogue"]["user"]["consent"] = "(Yes|Aye)"
    with pytest.raises(SuiteError) as caught:
        expand(write(tmp_path, domain), 1)
    lines = (tmp_path / "boxes.yaml").read_text().split("\n")
    line = next(at for at, text in enumerate(lines, start=1) if "tool: whom" in text)
    assert any(f"boxes.yaml:{line}: " in mistake for mistake in caught.value.mistakes)
    assert len(caught.value.mistakes) >= 3
