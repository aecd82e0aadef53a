"""What each kind makes of an example, and why it makes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evaluation.ledger.collected import LabelRecord, LabelSource, LabelVerdict
from evaluation.records import Example, Feedback, Labels, Message, RewardSignal, Source, ToolCall, Validation, Verdict
from evaluation.recoveries import recoveries_of
from tests.training.prepare.making import BAD, GOOD, NOW, example
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made, scrubbed, to_row
from training.prepare.kinds import KINDS
from training.prepare.kinds.base import Half, Item, Left
from training.prepare.kinds.error_recovery import as_calls
from training.prepare.prompts import PrepareError, load_prompt


def made(kind: str, item: Item | Example, limits: LimitConfig | None = None, **config: Any) -> list[Made]:
    item = item if isinstance(item, Item) else Item(item)
    found = KINDS[kind].make(item, KindConfig(**config), limits or LimitConfig())
    assert not isinstance(found, Left), found
    return list(found)


def left(kind: str, item: Item | Example, limits: LimitConfig | None = None, **config: Any) -> str:
    item = item if isinstance(item, Item) else Item(item)
    found = KINDS[kind].make(item, KindConfig(**config), limits or LimitConfig())
    assert isinstance(found, Left), list(found)
    return f"{found.step}: {found.reason}"


def shape(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(m.role, " ".join([m.content, *(call.name for call in m.tool_calls)]).strip()) for m in messages]


def with_labels(**labels: Any) -> Example:
    return example(1, labels=GOOD.model_copy(update=labels))


def test_a_chat_is_the_conversation_whole() -> None:
    [row] = made("chat", example(1))
    assert (row.id, row.messages, row.turns, row.prompt) == ("e-00001", example(1).messages, None, None)
    assert to_row(row).examples == ("e-00001",)
    assert left("chat", example(1, labels=BAD)) == "wrong: rated or judged bad, and no suggestion corrects it whole"
    assert left("chat", with_labels(validation_confidence=0.5)) == "confidence and quality: confidence below 0.7"
    assert left("chat", example(1), LimitConfig(min_quality=4.8)) == "confidence and quality: quality below 4.8"


@pytest.mark.parametrize(
    ("loss", "turns"),
    [("all", None), ("last", (4,)), ("first-after-query", (2,)), ("calls", (2,)), ("answers", (4,)), ("right", (2, 4))],
)
def test_loss_is_on_the_turns_that_are_asked_for(loss: str, turns: tuple[int, ...] | None) -> None:
    assert made("chat", example(1), loss=loss)[0].turns == turns


def test_a_prompt_of_ones_own_replaces_the_system_message(tmp_path: Any) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("name: own\ntext: 'Use {tools}'\n")
    [row] = made("chat", example(1), prompt=str(file), loss="last")
    assert row.messages[0].content.startswith("Use - get_weather: Weather of a city. Arguments:")
    assert [m.role for m in row.messages].count("system") == 1
    assert row.turns == (4,)
    assert row.prompt == load_prompt(str(file)).version
    assert (row.prompt or "").startswith("own@")
    file.with_name("bad.yaml").write_text("name: own\ntext: 'Use {this}'\n")
    with pytest.raises(PrepareError, match=r"only placeholder"):
        load_prompt(str(tmp_path / "bad.yaml"))
    with pytest.raises(PrepareError, match=r"planner, summarizer"):
        load_prompt("none-of-ours")


def test_tool_selection_is_a_planners_choice_as_json() -> None:
    [row] = made("tool-selection", example(1))
    assert shape(row.messages[1:2]) == [("user", "Query: What is the weather in Paris?")]
    assert json.loads(row.messages[2].content) == {"tools": ["get_weather"], "reasoning": "I look it up."}
    assert "get_weather" in row.messages[0].content
    assert (row.tools, row.turns, row.id) == ((), (2,), "tool-selection-e-00001")
    assert (row.prompt or "").startswith("planner@")
    wrong = "wrong: tool selection is not known to be right"
    assert left("tool-selection", with_labels(correct_tool_selection=None)) == wrong


def test_tool_selection_as_native_calls_keeps_parallel_ones_and_what_was_said_with_them() -> None:
    calls = tuple(ToolCall(id=c, name="get_weather", arguments={"city": c}) for c in ("Rome", "Oslo"))
    one = example(1)
    messages = (
        *one.messages[:2],
        Message(role="assistant", content="Hello!"),
        Message(role="user", content="Rome or Oslo?"),
        Message(role="assistant", content="Both.", tool_calls=calls),
    )
    greeted = one.model_copy(update={"messages": messages[3:], "query": "Rome or Oslo?"})
    [row] = made("tool-selection", greeted, native_calls=True)
    assert row.messages[-1].tool_calls == calls
    assert row.messages[-1].content == "Both."
    assert row.tools == one.tools
    [first] = made("tool-selection", one.model_copy(update={"messages": messages}))
    assert json.loads(first.messages[-1].content) == {"tools": [], "reasoning": "Hello!"}


def test_a_summarizer_sees_what_was_found_out_and_nothing_else() -> None:
    [row] = made("summarizer", example(1))
    _, asked, said = row.messages
    query, analysis = asked.content.split("\n\nAnalysis: ")
    assert query == "Query: What is the weather in Paris?"
    assert json.loads(analysis) == {
        "steps": [{"tool": "get_weather", "arguments": {"city": "Paris"}, "result": {"sky": "sunny"}}]
    }
    assert said.content == "It is sunny in Paris."
    own = example(1, analysis='{"found": "sun"}')
    assert made("summarizer", own)[0].messages[1].content.endswith('Analysis: {"found": "sun"}')
    assert left("summarizer", with_labels(response_quality=3.9)) == "confidence and quality: quality below 4.0"
    assert left("summarizer", with_labels(response_quality=None)) == "confidence and quality: quality is not known"
    cut = example(1).model_copy(update={"messages": example(1).messages[:3]})
    assert left("summarizer", cut) == "kind: no final message"


def test_a_protocol_writes_calls_and_results_as_text() -> None:
    [row] = made("protocol", example(1), protocol="hermes")
    assert row.tools == ()
    assert '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>' in row.messages[2].content
    assert [m.role for m in row.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert not any(m.tool_calls for m in row.messages)
    assert row.prompt == "hermes/json" or (row.prompt or "").startswith("hermes/")


def test_a_reward_comes_with_right_and_wrong_conversations() -> None:
    [row] = made("reward", Item(example(1, labels=BAD), reward=-0.7))
    assert (row.reward, to_row(row).reward, row.messages) == (-0.7, -0.7, example(1).messages)
    own = RewardSignal(value=0.5, correctness=1, speed=0, cost=0, user_satisfaction=0)
    assert made("reward", example(1, reward=own))[0].reward == 0.5
    assert left("reward", example(1)).startswith("confidence and quality: no reward; `ratchet data reward --recompute`")


def recovered() -> Example:
    one = example(1)
    bad = ToolCall(id="c0", name="get_weather", arguments={"town": "Paris"})
    error = Message(role="tool", content='{"error": "unknown argument town"}', tool_call_id="c0", name="get_weather")
    said = (*one.messages[:2], Message(role="assistant", tool_calls=(bad,)), error, *one.messages[2:])
    return one.model_copy(update={"messages": said})


def test_an_error_recovery_ends_with_the_right_step_which_alone_carries_loss() -> None:
    [row] = made("error-recovery", recovered())
    assert row.messages == recovered().messages[:5]
    assert row.turns == (4,)
    assert row.messages[-1].tool_calls[0].arguments == {"city": "Paris"}
    assert left("error-recovery", example(1)) == "kind: no error in it"
    cut = recovered().model_copy(update={"messages": recovered().messages[:4]})
    assert left("error-recovery", cut) == "kind: not known what would have been right"


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('get_weather({"city": "Rome"})', [("get_weather", {"city": "Rome"})]),
        ('{"name": "a", "arguments": {"b": 1}}', [("a", {"b": 1})]),
        ('[{"function": {"name": "a", "arguments": "{}"}}, {"name": "b"}]', [("a", {}), ("b", {})]),
        ("I could not find it.", []),
        ("look({not json})", []),
        ("3", []),
    ],
)
def test_an_answer_is_read_as_calls_where_it_is_some(text: str, calls: list[Any]) -> None:
    assert [(call.name, call.arguments) for call in as_calls(text)] == calls


def test_a_preference_is_half_a_pair_by_its_score() -> None:
    [better], [worse] = (made("preference", with_labels(response_quality=q)) for q in (4.5, 1.0))
    assert isinstance(better, Half)
    assert isinstance(worse, Half)
    assert (better.side, better.score, worse.side) == (1, 4.5, -1)
    assert better.turns == (2,)
    assert left("preference", with_labels(response_quality=3.5)) == (
        "confidence and quality: neither above 4.0 nor below 3.0"
    )
    rated = with_labels(response_quality=4.5, user_satisfaction=1.0)
    assert isinstance(half := made("preference", rated)[0], Half)
    assert half.side == -1, "what people say comes before what was reckoned"


def test_a_correction_is_a_whole_pair() -> None:
    said = Feedback(id="f", example_id="e-00001", rating=1, rater="r", timestamp=NOW, suggested_response="Rain.")
    unhappy = example(1, labels=Labels(user_satisfaction=1.0))
    [row] = made("preference", Item(unhappy, feedback=(said,)))
    assert not isinstance(row, Half)
    assert row.turns == (4,)
    assert shape(row.rejected) == [("assistant", "It is sunny in Paris.")]
    assert row.messages[-1].content == "Rain."
    assert to_row(row).examples == ("e-00001",)
    [also] = made("preference", recovered())
    assert also.turns == (2,)
    assert also.messages[-1].tool_calls[0].arguments == {"city": "Paris"}
    assert also.rejected[0].tool_calls[0].arguments == {"town": "Paris"}


def label(verdict: LabelVerdict, **more: Any) -> LabelRecord:
    return LabelRecord(
        id=f"l-{verdict}",
        example_id="e-00001",
        by="ann",
        source=LabelSource.REVIEW,
        verdict=verdict,
        confidence=0.9,
        at=NOW,
        **more,
    )


def test_what_a_reviewer_wrote_takes_the_place_of_what_was_wrong() -> None:
    right = (*example(1).messages[:-1], Message(role="assistant", content="Fog."))
    corrected = label(LabelVerdict.CORRECT, messages=right)
    [row] = made("chat", Item(example(1, labels=BAD), labels=(corrected,)))
    assert row.messages == right
    assert (row.example.provenance.source, row.example.provenance.parent_id) == (Source.MANUAL, "e-00001")
    rejected = label(LabelVerdict.REJECT)
    assert left("chat", Item(example(1, labels=BAD), labels=(corrected, rejected))) == "wrong: rejected in review"
    assert left("chat", Item(example(1, labels=BAD), labels=(corrected,)), LimitConfig(correct=False)) == "wrong: wrong"


def test_only_what_somebody_called_bad_is_the_worse_half() -> None:
    unsaid = example(1, labels=Labels(response_quality=1.25, validation_confidence=1.0))
    accepted = unsaid.model_copy(
        update={"labels": Labels(success=True, response_quality=1.25, validation_confidence=1.0)}
    )
    accept, reject = label(LabelVerdict.ACCEPT), label(LabelVerdict.REJECT)
    assert left("preference", Item(accepted, labels=(accept,))) == "confidence and quality: accepted by a reviewer"
    passed = Validation(name="answer", verdict=Verdict.PASSED, confidence=1, reason="")
    checked = unsaid.model_copy(update={"validations": (passed,)})
    assert left("preference", checked) == "confidence and quality: nobody says that it is bad"
    failed = checked.model_copy(update={"validations": (passed.model_copy(update={"verdict": Verdict.FAILED}),)})
    right, wrong = (Labels(success=said, validation_confidence=1.0) for said in (True, False))
    for item, side in (
        (Item(failed), -1),
        (Item(example(1, labels=wrong), labels=(reject,)), -1),
        (Item(example(1, labels=right), labels=(accept,)), 1),
    ):
        [half] = made("preference", item)
        assert isinstance(half, Half)
        assert half.side == side
    rated = Item(example(1, labels=wrong.model_copy(update={"user_satisfaction": 4.5})), labels=(reject,))
    assert left("preference", rated) == "confidence and quality: its score is not what reviewers say"


def test_a_summarizer_needs_something_to_summarise() -> None:
    said = (Message(role="user", content="Hello?"), Message(role="assistant", content="Hi."))
    assert left("summarizer", example(1, messages=said)) == "kind: no analysis"
    assert made("summarizer", example(1, messages=said, analysis='{"greeting": true}'))


@pytest.mark.parametrize("kind", ["chat", "protocol"])
def test_what_failed_is_read_and_not_learned_unless_asked_for(kind: str) -> None:
    item = recovered_item()
    [row], [every] = made(kind, item), made(kind, item, loss="all")
    assert every.turns is None
    assert row.turns is not None
    failed = next(at for at, one in enumerate(row.messages) if one.role == "assistant")
    assert failed not in row.turns


def recovered_item() -> Item:
    found = recovered()
    return Item(found, recoveries=tuple(recoveries_of(found)))


def test_both_sides_of_a_pair_get_the_same_replacements() -> None:
    one = example(1, "Write to ann@corp.com", answer="Wrote to ann@corp.com.")
    pair = Made("p", one, one.messages, turns=(4,), rejected=(Message(role="assistant", content="ann@corp.com?"),))
    clean = scrubbed(pair)
    fake = clean.messages[1].content.split()[-1]
    assert fake != "ann@corp.com"
    assert clean.rejected[0].content == f"{fake}?"
    assert clean.counts == {"mail": 3}
