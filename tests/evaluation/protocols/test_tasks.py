"""The suite `protocol`: every scenario can be done in each encoding, and agents that err in one respect fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from evaluation import flaws
from evaluation.agents import attempt
from evaluation.located import SuiteError
from evaluation.models import Completion, ModelClient, Sampling, ScriptedModel
from evaluation.oracle import Script, oracle, script
from evaluation.protocols.adherence import adherence
from evaluation.protocols.codec import Codec
from evaluation.protocols.endpoint import EncodedModel
from evaluation.protocols.load import load_protocol
from evaluation.protocols.tasks import expand_tasks
from evaluation.records import Episode, Message, StopReason, ToolCall, ToolSpec
from evaluation.scenarios import Kind, Part, Scenario
from evaluation.splits import check_split
from evaluation.suite import load
from evaluation.templates import SUITES
from evaluation.validators import judge, task_success

SUITE = load("protocol", seed=0)
ROO, HERMES = load_protocol("roo"), load_protocol("hermes")
FOLDER = SUITES / "protocol"


class Writing:
    """Says a script's turns as text, in one encoding: what a model without tools of its own would write."""

    template_hash, name = "", "writing"

    def __init__(self, scenario: Scenario, codec: Codec, turns: Script) -> None:
        self._given, self._codec, self._turns = scenario, codec, turns

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        assert not tools, "calls stand in the text"
        said = sum(message.role == "assistant" for message in messages)
        turn = self._turns[said]
        return Completion(self._codec.encode([turn])[-1].model_copy(update={"tool_calls": ()}), 5, 5, 0.0, "stop")


def encoded(scenario: Scenario, encoding: str, turns: Script | None = None) -> ModelClient:
    """Return a model that writes the turns (the right ones by default) in an encoding, behind the codec."""
    protocol = HERMES if encoding == "json" else ROO
    codec = Codec(protocol, encoding, [tool.spec() for tool in scenario.tools])
    turns = script(scenario) if turns is None else turns
    if encoding == "native":
        return EncodedModel(ScriptedModel(turns), protocol, encoding)
    return EncodedModel(Writing(scenario, codec, turns), protocol, encoding)


def run(scenario: Scenario, model: ModelClient) -> Episode:
    return asyncio.run(attempt(scenario, model, sampling=Sampling(max_tokens=2048)))


def passes(scenario: Scenario, episode: Episode) -> bool:
    return task_success(judge(scenario, episode)[1]) is True


def of(task: str, encoding: str = "native") -> Scenario:
    return next(s for s in SUITE.scenarios if s.id.startswith(f"protocol/{task}/{encoding}/"))


def test_it_is_large_enough_divided_and_drawn_by_its_seed() -> None:
    assert len(SUITE.scenarios) >= 120
    assert {s.kind for s in SUITE.scenarios} == {Kind.PROTOCOL}
    assert min(Counter(s.part for s in SUITE.scenarios).values()) >= 30
    assert check_split(SUITE.scenarios) == []
    tags = Counter(tag for s in SUITE.scenarios for tag in s.tags)
    assert abs(tags["encoding:xml"] - tags["encoding:native"]) <= 3
    assert {"family:read", "family:edit", "family:command", "family:mcp", "family:flow"} <= tags.keys()
    assert len([tag for tag in tags if tag.startswith("rule:")]) >= 9
    assert load("protocol", seed=0).digest() == SUITE.digest()
    assert load("protocol", seed=1, split_seed=0).digest() != SUITE.digest()
    assert len({s.id for s in SUITE.scenarios}) == len(SUITE.scenarios)


@pytest.mark.parametrize("encoding", ["xml", "native", "json"])
def test_the_oracle_does_every_scenario_in_each_encoding(encoding: str) -> None:
    several = [s for s in SUITE.scenarios if encoding != "xml" or "rule:several_calls" not in s.tags]
    wrong = [
        (scenario.id, [v.reason for v in judge(scenario, episode)[1] if v.verdict == "failed"])
        for scenario in several
        if not passes(scenario, episode := run(scenario, encoded(scenario, encoding)))
    ]
    assert wrong == []


def test_the_oracle_keeps_to_the_protocol_of_its_encoding() -> None:
    for scenario in SUITE.scenarios:
        encoding = next(tag.partition(":")[2] for tag in scenario.tags if tag.startswith("encoding:"))
        mode = next(tag.partition(":")[2] for tag in scenario.tags if tag.startswith("mode:"))
        episode = run(scenario, encoded(scenario, encoding))
        codec = Codec(ROO, encoding, episode.tools)
        found = [m for m in adherence(episode, codec).mistakes if m.failure != "search_text"]
        assert found == [], scenario.id
        assert episode.stop_reason == StopReason.CALLED
        assert mode in ROO.modes


def without_the_last(scenario: Scenario, turns: Script) -> Script:
    return (*turns[:-1], Message(role="assistant", content="Done."))


def at_once(scenario: Scenario, turns: Script) -> Script:
    """Complete before anything is done."""
    return (turns[-1],)


def without_first_change(scenario: Scenario, turns: Script) -> Script:
    """Leave out the turn that comes before the last."""
    return (*turns[:-2], turns[-1])


WRONG: dict[str, Callable[[Scenario, Script], Script]] = {
    "prose only": flaws.prose_only,
    "never completes": without_the_last,
    "completes at once": at_once,
    "leaves something out": without_first_change,
}


@pytest.mark.parametrize("flaw", WRONG)
def test_who_errs_in_one_respect_fails(flaw: str) -> None:
    for scenario in SUITE.scenarios:
        turns = WRONG[flaw](scenario, script(scenario))
        if turns != script(scenario) and len(script(scenario)) > 1:
            assert not passes(scenario, run(scenario, encoded(scenario, "native", turns))), scenario.id


@pytest.mark.parametrize("flaw", [flaws.other_tool, flaws.dropped_argument, flaws.changed_value, flaws.extra_call])
def test_where_each_call_counts_every_edit_of_one_is_noticed(flaw: Callable[[Scenario, Script], Script]) -> None:
    tried = 0
    for scenario in SUITE.scenarios:
        if scenario.expected.partial or (flaw is flaws.extra_call and len(script(scenario)) < 2):
            continue
        right = script(scenario)
        turns = (*right[:-1], right[0], right[-1]) if flaw is flaws.extra_call else flaw(scenario, right)
        if turns == right or (flaw is not flaws.extra_call and "attempt_completion" in str(right[0].tool_calls)):
            continue
        tried += 1
        assert not passes(scenario, run(scenario, encoded(scenario, "native", turns))), scenario.id
    assert tried > 40


def call(name: str, **arguments: object) -> ToolCall:
    return ToolCall(id=f"c{len(arguments)}{name}", name=name, arguments=dict(arguments))


def turn(*calls: ToolCall) -> Message:
    return Message(role="assistant", tool_calls=calls)


def test_two_calls_in_one_turn_are_too_many_in_xml_only() -> None:
    scenario = of("run_command", "xml")
    first, last = script(scenario)
    both = (turn(*first.tool_calls, *last.tool_calls), last)
    assert passes(scenario, run(scenario, encoded(scenario, "native", both)))
    xml = run(scenario, encoded(scenario, "xml", both))
    assert not passes(scenario, xml)
    assert "multiple_tools" in xml.failures[0].message


def test_completion_is_refused_in_a_turn_in_which_another_call_failed() -> None:
    scenario = of("failing_command")
    failing, again, last = script(scenario)
    eager = (turn(*failing.tool_calls, *last.tool_calls), again, last)
    episode = run(scenario, encoded(scenario, "native", eager))
    refused = [m for m in episode.messages if m.role == "tool"][1]
    assert "attempt_completion is refused" in refused.content
    assert len([m for m in episode.messages if m.role == "assistant"]) == 3
    given_up = (failing, last)
    assert not passes(scenario, run(scenario, encoded(scenario, "native", given_up)))
    (mistake,) = adherence(episode, Codec(ROO, "native", episode.tools)).mistakes
    assert mistake.failure == "completed_after_failure"


def test_nothing_comes_after_completion() -> None:
    scenario = of("done_already")
    (last,) = script(scenario)
    episode = run(scenario, ScriptedModel([last, Message(role="assistant", content="And another thing.")]))
    assert episode.stop_reason == StopReason.CALLED
    assert len(episode.model_calls) == 1
    beside = (turn(*last.tool_calls, call("read_file", path="README.md")),)
    assert not passes(scenario, run(scenario, ScriptedModel(beside)))


@pytest.mark.parametrize(
    ("task", "wrong"),
    [
        ("asked_to_ask", call("ask_followup_question", question="First or last?", follow_up="first, last")),
        ("asked_to_ask", call("ask_followup_question", question="First or last?")),
        ("asked_to_ask", call("ask_followup_question", question="First or last?", follow_up=[{"text": "first"}])),
        ("asked_to_ask", call("ask_followup_question", question="What is the weather?", follow_up=[])),
        ("no_such_tool", call("build_everything", path="src")),
        ("ask_what_to_run", call("execute_command", command="npm run start")),
        ("not_in_ask_mode", call("write_to_file", path="notes/a.md", content="x")),
        ("run_command", call("execute_command")),
        ("done_already", call("attempt_completion", result="Done. Shall I go on?")),
    ],
)
def test_who_breaks_a_rule_does_not_pass_by_completing(task: str, wrong: ToolCall) -> None:
    scenario = of(task)
    episode = run(scenario, ScriptedModel([turn(wrong), script(scenario)[-1]]))
    assert not passes(scenario, episode)


def test_a_mode_that_does_not_allow_a_path_refuses_it() -> None:
    scenario = (
        of("code_in_architect_mode", "native")
        if _has("code_in_architect_mode", "native")
        else of("code_in_architect_mode", "xml")
    )
    asked = call("write_to_file", path="src/main.py", content="serve(port=1)\n")
    episode = run(scenario, ScriptedModel([turn(asked), script(scenario)[-1]]))
    assert "may not be changed in architect mode" in episode.failures[0].message
    assert episode.world["files"]["src/main.py"] == scenario.world["files"]["src/main.py"]


def _has(task: str, encoding: str) -> bool:
    return any(s.id.startswith(f"protocol/{task}/{encoding}/") for s in SUITE.scenarios)


def test_another_way_to_the_same_files_passes() -> None:
    scenario = of("raise_limit")
    after = scenario.expected.world
    assert after is not None
    path = next(name for name, text in after["files"].items() if text != scenario.world["files"][name])
    whole = call("write_to_file", path=path, content=after["files"][path])
    assert passes(scenario, run(scenario, ScriptedModel([turn(whole), script(scenario)[-1]])))
    other = call("write_to_file", path=path, content="LIMIT = 26\n")
    assert not passes(scenario, run(scenario, ScriptedModel([turn(other), script(scenario)[-1]])))


def test_files_of_tasks_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in FOLDER.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    few = {Part.TRAIN: 3, Part.HELD_OUT: 0, Part.LIVE: 2}
    assert Counter(s.part for s in expand_tasks(tmp_path, 5, counts=few).scenarios) == {Part.TRAIN: 3, Part.LIVE: 2}
    assert len(load(tmp_path, seed=5, counts=few).scenarios) == 5
    monkeypatch.setattr("evaluation.protocols.tasks.TRIES", 3)
    with pytest.raises(SuiteError, match=r"expected 500 different scenarios for part live, found \d+; lower counts"):
        expand_tasks(tmp_path, 5, counts={Part.TRAIN: 0, Part.HELD_OUT: 0, Part.LIVE: 500})
    text = (tmp_path / "work.yaml").read_text()
    (tmp_path / "work.yaml").write_text(text.replace('command: "npm run {script}"}}', "command: nothing}}"))
    (tmp_path / "more.yaml").write_text("tasks: [{id: a, families: b}]")
    with pytest.raises(SuiteError) as caught:
        expand_tasks(tmp_path, 5)
    assert any("more.yaml:1" in mistake and "families" in mistake for mistake in caught.value.mistakes)
    (tmp_path / "more.yaml").write_text(FOLDER.joinpath("rules.yaml").read_text())
    with pytest.raises(SuiteError, match="expected each task once, found done_already again"):
        expand_tasks(tmp_path, 5)


def test_the_oracle_needs_no_codec_and_no_order_of_tools() -> None:
    scenario = of("read_one")
    turned = scenario.model_copy(update={"tools": tuple(reversed(scenario.tools))})
    assert passes(turned, run(turned, oracle(turned)))
