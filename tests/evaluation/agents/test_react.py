from __future__ import annotations

from evaluation.agents.react import ReactAgent, ReactSettings
from evaluation.agents.steps import StepSettings
from evaluation.records import FailureKind, StopReason
from evaluation.validators import task_success, validate
from tests.evaluation.agents.told import drive, failures, made, shown
from tests.evaluation.attempts import BY_ID, failed

CHAIN = BY_ID["chain"]
STOCK = 'Thought: Count first.\nAction: stock {"item": "pen"}'
ORDER = 'Thought: Now order.\nAction: order\nAction Input: {"item": "pen", "count": 1234}'
DONE = "Thought: Done.\nAnswer: There were 1,234 pens, all ordered."


def test_thoughts_actions_and_observations_take_turns_and_the_validators_judge_the_calls() -> None:
    episode = drive(CHAIN, ReactAgent(), STOCK, ORDER, DONE)
    assert made(episode) == [("stock", {"item": "pen"}), ("order", {"item": "pen", "count": 1234})]
    assert [(m.role, m.content) for m in episode.messages[episode.given :]] == [
        ("assistant", "Count first."),
        ("tool", '{"item": "pen", "left": 1234}'),
        ("assistant", "Now order."),
        ("tool", '{"ordered": 1234}'),
        ("assistant", "There were 1,234 pens, all ordered."),
    ]
    assert shown(episode, 1).endswith(
        'So far:\nThought: Count first.\nAction: stock {"item": "pen"}\nObservation: {"item": "pen", "left": 1234}'
    )
    assert "So far" not in shown(episode, 0)
    assert {step.task_key for step in episode.steps} == {"react.step"}
    assert task_success(validate(CHAIN, episode))


def test_what_stands_behind_a_made_up_observation_does_not_count() -> None:
    invented = STOCK + '\nObservation: {"left": 3}\nThought: So three.\nAnswer: 3'
    episode = drive(CHAIN, ReactAgent(), invented, ORDER, DONE)
    assert "1234" in shown(episode, 1)
    assert '{"left": 3}' not in shown(episode, 1)


def test_an_unreadable_step_is_asked_again_with_what_was_expected_and_is_then_a_failure() -> None:
    once = drive(CHAIN, ReactAgent(), "Let me see.", STOCK, ORDER, DONE)
    assert [step.readable for step in once.steps] == [False, True, True, True]
    assert once.steps[1].messages[-2].content == "Let me see."
    assert "Expected a thought and then either" in shown(once, 1)
    assert failures(once) == []
    never = drive(CHAIN, ReactAgent(), STOCK, "a", "b", "c")
    assert [kind for kind, _ in failures(never)] == [FailureKind.AGENT_ERROR]
    assert failures(never)[0][1].startswith("react.step: expected a thought")
    assert never.stop_reason == StopReason.ANSWERED
    assert never.answer.startswith("Missing: a chain thing (no step could be read). Known so far: stock")
    assert not task_success(validate(CHAIN, never))


def test_calls_that_cannot_be_made_are_observed_and_judged() -> None:
    unknown = 'Thought: Weigh them.\nAction: weigh {"item": "pen"}'
    wrong = 'Action: stock {"thing": "pen"}'
    episode = drive(CHAIN, ReactAgent(), unknown, wrong, STOCK, ORDER, DONE)
    assert "there is no tool weigh; the tools are: stock, order, raises, hangs" in shown(episode, 1)
    assert "invalid arguments for stock" in shown(episode, 2)
    assert [kind for kind, _ in failures(episode)] == [FailureKind.UNKNOWN_TOOL, FailureKind.INVALID_ARGUMENTS]
    assert failed(CHAIN, episode) == {"tool_selection", "arguments", "protocol"}


def test_a_tool_that_fails_is_observed_and_may_be_called_again() -> None:
    episode = drive(BY_ID["tool_error"], ReactAgent(ReactSettings(repeats=3)), STOCK, STOCK, STOCK, DONE)
    assert [kind for kind, _ in failures(episode)] == [FailureKind.TOOL_ERROR] * 2
    assert "temporarily unavailable" in shown(episode, 1)
    assert task_success(validate(BY_ID["tool_error"], episode))


def test_the_same_call_again_and_again_ends_with_what_is_known() -> None:
    episode = drive(CHAIN, ReactAgent(), STOCK, STOCK, STOCK)
    assert len(episode.calls) == 2
    again = 'the call stock {"item": "pen"} came up again and again'
    assert failures(episode) == [(FailureKind.AGENT_ERROR, f"react: {again}")]
    assert episode.answer.startswith(f"Missing: a chain thing ({again}). Known so far: stock")


def test_steps_are_limited() -> None:
    episode = drive(CHAIN, ReactAgent(ReactSettings(moves=2)), STOCK, ORDER)
    assert failures(episode) == [(FailureKind.AGENT_ERROR, "react: no answer after 2 steps")]
    assert '{"ordered": 1234}' in episode.answer


def test_a_long_result_is_cut_and_the_cut_is_said() -> None:
    settings = ReactSettings(steps=StepSettings(result_characters=10))
    episode = drive(CHAIN, ReactAgent(settings), STOCK, ORDER, DONE)
    assert 'Observation: {"item": " (cut: 10 of 29 characters)' in shown(episode, 1)


def test_where_calls_end_the_scenario_the_first_is_checked_and_not_made() -> None:
    episode = drive(BY_ID["imported"], ReactAgent(), STOCK)
    assert (episode.stop_reason, made(episode)) == (StopReason.CALLED, [("stock", {"item": "pen"})])
    assert episode.messages[-1].role == "assistant"
