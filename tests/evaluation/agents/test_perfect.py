"""All agents over the `agents` suite, with a model that answers every step rightly, and with ones that err."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from evaluation.agents import agent_named, agent_names, attempt
from evaluation.agents.measure import ALL, category_of, failures, measure, table
from evaluation.agents.perfect import perfect, sections_of, step_of
from evaluation.agents.prompts import prompt, step_texts
from evaluation.models import Completion, ModelError, Sampling, ScriptedModel
from evaluation.records import FailureKind
from evaluation.scenarios import Part, Scenario
from evaluation.suite import load
from tests.evaluation.attempts import BY_ID, saying

SCENARIOS = load("agents").scenarios[::4]
CATEGORIES = {"single_tool", "memory", "multi_tool", "multi_hop", "pronouns", "no_tool", "definition"}
STEPS = {
    "backward": {"pick", "split", "extract", "compose"},
    "flat": {"split", "pick", "input", "memory_check", "answer"},
    "react": {"step"},
    "rebel": {"split", "memory_check", "pick", "input", "answer"},
}


def measured(name: str, model_of, scenarios=SCENARIOS):
    agents = [agent_named(name)]
    return asyncio.run(measure(agents, scenarios, model_of, sampling=Sampling(), concurrency=4))


@pytest.mark.parametrize("name", agent_names())
def test_every_agent_is_right_in_every_category_where_every_step_is(name: str) -> None:
    results = measured(name, perfect)
    rows = {row.category: row for row in table(results)}
    assert rows.keys() == CATEGORIES | {ALL}
    assert {category: row.accuracy.value for category, row in rows.items()} == dict.fromkeys(rows, 1.0)
    assert rows[ALL].accuracy.n == len(SCENARIOS)
    assert failures(results) == {}
    assert [r._replace(seconds=0) for r in measured(name, perfect)] == [r._replace(seconds=0) for r in results]


@pytest.mark.parametrize("name", agent_names())
def test_with_a_model_that_calls_nothing_only_what_needs_no_tool_is_right(name: str) -> None:
    def silent(scenario: Scenario) -> ScriptedModel:
        return perfect(scenario.model_copy(update={"expected": scenario.expected.model_copy(update={"calls": ()})}))

    rows = {row.category: row.accuracy.value for row in table(measured(name, silent, SCENARIOS[::2]))}
    assert rows["single_tool"] == rows["multi_hop"] == rows["multi_tool"] == rows["pronouns"] == 0
    assert rows["memory"] == rows["no_tool"] == rows["definition"] == 1


@pytest.mark.parametrize("name", sorted(STEPS))
def test_all_steps_of_an_agent_occur_in_the_suite(name: str) -> None:
    keys = set()
    for one in SCENARIOS[::3]:
        episode = asyncio.run(attempt(one, perfect(one), sampling=Sampling(), agent=agent_named(name)))
        keys |= {step.task_key for step in episode.steps}
    assert keys == {f"{name}.{step}" for step in STEPS[name]}
    assert keys == {key for key in step_texts() if key.startswith(f"{name}.")}


def test_a_value_within_another_word_was_not_said() -> None:
    every = load("agents").part(Part.TRAIN)
    tunisia = [one for one in every if "Tunisia" in one.query and "get_weather_now" in str(one.tags)]
    assert tunisia
    assert [result.success for result in measured("backward", perfect, tunisia)] == [True] * len(tunisia)


def test_an_agent_whose_model_fails_is_counted_by_its_failure() -> None:
    results = measured("flat", lambda _: ScriptedModel([saying("x?")]), SCENARIOS[:3])
    assert failures(results) == {"flat": {FailureKind.MODEL_ERROR: 3}}
    assert [row.accuracy.value for row in table(results)][-1] == 0


def test_a_scenario_without_a_category_goes_by_its_kind() -> None:
    assert category_of(BY_ID["chain"]) == "chain"


def test_a_step_is_told_by_its_system_message_and_its_sections_are_read() -> None:
    one = BY_ID["chain"]
    assert step_of(one.messages) is None
    assert step_of(()) is None
    shown = ask("rebel.split", {"Known": "a\nb", "Question": "Why?"})
    assert step_of(shown) == "rebel.split"
    assert sections_of(shown[-1].content) == {"Known": "a\nb", "Question": "Why?"}


def test_a_list_without_the_right_entry_is_an_error_of_the_model() -> None:
    model = perfect(BY_ID["stated_answer"])
    with pytest.raises(ModelError, match="expected an entry for stock in the list"):
        complete(model, ask("flat.pick", {"Tools": "1. order: x", "Question": "a stated_answer thing"}))


def ask(key: str, sections: dict[str, str]):
    return prompt(key, sections, 0, Random(0))


def complete(model: ScriptedModel, messages) -> Completion:
    return asyncio.run(model.complete(messages, (), Sampling()))
