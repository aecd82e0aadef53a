"""The oracle is right everywhere, and every agent that errs in one respect is caught by the right validator."""

from __future__ import annotations

import asyncio

import pytest

from evaluation import flaws
from evaluation.oracle import oracle, reference_answer, reference_episode, suite_oracle
from evaluation.records import FailureKind, Verdict
from evaluation.scenarios import Expected, ExpectedAnswer, ExpectedArgument, ExpectedCall, Kind
from evaluation.suite import builtin_suites, load
from evaluation.validators import exact_calls, task_success, tool_accuracy, validate
from tests.evaluation.attempts import BY_ID, KINDS, failed, run, scenario

WRONG = {
    flaws.other_tool: {"tool_selection", "arguments"},
    flaws.dropped_argument: {"arguments"},
    flaws.changed_value: {"arguments"},
    flaws.prose_only: {"tool_selection", "arguments"},
    flaws.extra_call: {"arguments"},
    flaws.silent: {"answer"},
}


NEEDS_A_CALL = {flaws.other_tool, flaws.dropped_argument, flaws.changed_value, flaws.prose_only}


def with_edit(one, edit):
    return run(one, suite_oracle([one], edit))


@pytest.mark.parametrize("one", KINDS, ids=lambda one: one.id)
def test_the_oracle_passes_every_kind(one) -> None:
    episode = run(one, oracle(one))
    found = validate(one, episode)
    assert task_success(found), found
    assert tool_accuracy(found)
    assert exact_calls(found)
    assert all(v.confidence > 0.5 and v.reason for v in found)
    assert run(one, suite_oracle(KINDS)).messages == episode.messages


@pytest.mark.parametrize("one", KINDS, ids=lambda one: one.id)
@pytest.mark.parametrize("edit", WRONG, ids=lambda edit: edit.__name__)
def test_each_wrong_agent_fails_the_right_validator(one, edit) -> None:
    if edit in NEEDS_A_CALL and not one.expected.calls:
        with pytest.raises(LookupError):
            with_edit(one, edit)
        return
    episode = with_edit(one, edit)
    if one.stop == "calls" and edit in (flaws.silent, flaws.extra_call):
        assert not failed(one, episode), "the episode ends before the flaw shows"
        return
    assert failed(one, episode) >= WRONG[edit]
    assert not task_success(validate(one, episode))


def test_recovery_is_needed_where_a_tool_fails() -> None:
    for name in ("tool_error", "graceful"):
        assert "recovery" in failed(BY_ID[name], with_edit(BY_ID[name], flaws.prose_only))
        assert "recovery" in failed(BY_ID[name], with_edit(BY_ID[name], flaws.silent))


def test_the_oracle_leaves_optional_arguments_out_and_calls_together_what_has_no_order() -> None:
    arguments = {"item": ExpectedArgument(any_of=("pen",)), "near": ExpectedArgument(any_of=(2.0,), optional=True)}
    one = scenario(Kind.ONE_CALL, Expected(calls=(ExpectedCall(name="stock", arguments=arguments),)))
    assert run(one, oracle(one)).calls[0].arguments == {"item": "pen"}
    both = run(BY_ID["imported"], oracle(BY_ID["imported"]))
    assert len(both.calls) == 2
    assert len(both.model_calls) == 1


def test_the_retry_is_made_as_often_as_the_tool_fails() -> None:
    episode = run(BY_ID["tool_error"], oracle(BY_ID["tool_error"]))
    assert [f.kind for f in episode.failures] == [FailureKind.TOOL_ERROR] * 2
    assert len(episode.calls) == 3


def test_a_reference_episode_is_the_same_every_time() -> None:
    one = BY_ID["stated_answer"]
    assert asyncio.run(reference_episode(one)) == asyncio.run(reference_episode(one))


def test_an_answer_is_made_up_from_what_it_has_to_say() -> None:
    answer = ExpectedAnswer(contains=("7", "Rome"), any_of=("sunny", "clear"))
    one = scenario(Kind.NO_TOOL, Expected(answer=answer))
    assert reference_answer(one) == "7, Rome sunny"
    assert not failed(one, run(one, oracle(one)))


@pytest.mark.parametrize("name", builtin_suites())
def test_the_oracle_passes_the_built_in_suite_and_flaws_do_not(name) -> None:
    scenarios = load(name).scenarios[::11]
    for one in scenarios:
        found = validate(one, run(one, oracle(one)))
        assert task_success(found), (one.id, found)
        for edit in (flaws.other_tool, flaws.prose_only, flaws.changed_value):
            try:
                episode = run(one, suite_oracle([one], edit))
            except LookupError:
                continue
            if one.expected.partial:
                # What is done counts, not by which calls; and a question may be worded in any way.
                assert edit is flaws.changed_value or not task_success(validate(one, episode)), (one.id, edit.__name__)
                continue
            judged = {v.name: v.verdict for v in validate(one, episode)}
            assert judged["arguments"] == Verdict.FAILED, (one.id, edit.__name__)
