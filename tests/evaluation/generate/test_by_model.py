"""A model's wordings and look-alikes are used where they hold, and rejected with the reason where they do not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from evaluation.generate import Generated, fell_back, generate, with_model
from evaluation.generate.by_model import LOOK_ALIKE, REPHRASE, WHICH, phrasing_problem, read_look_alike
from evaluation.models import ModelError, ScriptedModel
from evaluation.records import Message, ToolSpec
from evaluation.scenarios import Kind
from evaluation.suite import check_split
from tests.evaluation.generate.making import SHOP

TOOL = {"name": "explain_things", "description": "Explains how something works to a newcomer."}


def made(count: int = 28, kinds: Sequence[Kind] | None = None) -> Generated:
    return generate(SHOP, count=count, seed=4, **({"kinds": kinds} if kinds else {}))


def answering(rephrase: object, look_alike: str = json.dumps(TOOL), which: str = "") -> ScriptedModel:
    """Return a model that answers each of the three questions in one way; `rephrase` may be a function."""

    def say(messages: Sequence[Message], _: Sequence[ToolSpec]) -> Message:
        asked = messages[-1].content
        if asked.startswith(REPHRASE):
            request = asked.removeprefix(REPHRASE)
            return Message(role="assistant", content=rephrase(request) if callable(rephrase) else str(rephrase))
        if asked.startswith(LOOK_ALIKE):
            return Message(role="assistant", content=look_alike)
        assert asked.startswith(WHICH)
        names = [line[2:].split(":")[0] for line in asked.splitlines() if line.startswith("- ")]
        return Message(role="assistant", content=which or next(name for name in names if name != TOOL["name"]))

    return ScriptedModel(say)


def test_wordings_that_hold_are_used() -> None:
    before = made()
    model = answering(lambda text: f"My dear friend, in all good time do this thing: {text}")
    after = asyncio.run(with_model(before, model))
    assert after.counts.by_model["phrasing used"] == 28
    assert all(one.query.startswith("My dear friend") for one in after.suite.scenarios)
    assert all("phrased_by_model" in one.tags for one in after.suite.scenarios)
    assert [one.id for one in after.suite.scenarios] == [one.id for one in before.suite.scenarios]
    assert check_split(after.suite.scenarios) == []
    assert fell_back(after) == ""


@pytest.mark.parametrize(
    ("rephrase", "reason"),
    [
        ("Do the thing, please, as we said.", "a value is not said any more"),
        ("", "no answer"),
        (lambda text: text, "exact duplicate"),
        (lambda text: text + " x" * 400, "too long"),
        (lambda text: f"{text} Пожалуйста, сделайте это как можно скорее", "not in the request's language"),
        (lambda text: f"{text} Use get_weather or send_mail or find_customer or cancel_subscription or convert_money.",
         "a tool is named"),
    ],
)  # fmt: skip
def test_wordings_that_do_not_hold_are_counted_and_the_grammar_stands(rephrase: object, reason: str) -> None:
    before = made(10, [Kind.ONE_CALL])
    named = [one for one in before.suite.scenarios if one.expected.calls[0].arguments]
    after = asyncio.run(with_model(before, answering(rephrase)))
    assert after.suite.scenarios == before.suite.scenarios
    assert after.counts.by_model[f"phrasing rejected: {reason}"] >= len(named) > 5
    assert "the requests are the grammar's" in fell_back(after)


def test_words_that_ask_for_something_else_are_rejected() -> None:
    one = next(s for s in made(60, [Kind.ONE_CALL]).suite.scenarios if s.expected.calls[0].name == "list_rooms")
    draft = made(60, [Kind.ONE_CALL]).drafts[one.id]
    assert phrasing_problem(one, draft, "Do the thing, please.") == "another request"
    assert phrasing_problem(one, draft, "Which rooms does the hotel have?") == ""


def test_a_value_that_was_missing_may_not_be_made_up() -> None:
    one = next(s for s in made().suite.scenarios if s.kind == Kind.MISSING_ARGUMENT)
    draft = made().drafts[one.id]
    assert draft.guess is not None
    missing = next(tag.partition(":")[2] for tag in one.tags if tag.startswith("missing:"))
    said = f"{one.query} Take {draft.guess.arguments[missing]}."
    assert phrasing_problem(one, draft, said) == "a value is said that the request does not give"


def test_a_model_that_cannot_answer_leaves_the_grammar() -> None:
    def fails(*_: object) -> Message:
        raise ModelError("the endpoint is down")

    before = made(14)
    after = asyncio.run(with_model(before, ScriptedModel(fails)))
    assert after.suite.scenarios == before.suite.scenarios
    assert "no answer" in fell_back(after)


def test_look_alikes_are_checked_by_asking_which() -> None:
    before = made(8, [Kind.NEAR_TWIN])
    keep = answering(lambda text: text)
    after = asyncio.run(with_model(before, keep))
    assert after.counts.by_model["look-alike used"] == 8
    assert all(one.tools[-1].name == TOOL["name"] for one in after.suite.scenarios)
    unsure = asyncio.run(with_model(made(8, [Kind.NEAR_TWIN]), answering(lambda text: text, which=TOOL["name"])))
    assert unsure.counts.by_model["look-alike rejected: not told apart"] == 8


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "no answer"),
        ("I would say: none.", "no JSON with name and description"),
        ("{" * 5000 + "}", "no JSON with name and description"),
        ('{"name": 5, "description": "x"}', "no JSON with name and description"),
        ('{"name": "not a name", "description": "Does it."}', "no name of its own"),
        ('{"name": "get_weather", "description": "Does it."}', "no name of its own"),
        ('{"name": "weather_get", "description": "Get the weather forecast."}', "does the same"),
    ],
)
def test_what_is_no_look_alike_is_told(answer: str | None, problem: str) -> None:
    right = SHOP[0].tool
    assert read_look_alike(answer, right, [right]) == problem


def test_the_same_answers_give_the_same_suite() -> None:
    model = answering(lambda text: f"Once more, with feeling, and all the time in the world: {text}")
    one, other = (asyncio.run(with_model(made(), model, seed=1)) for _ in range(2))
    assert one.suite == other.suite
    assert one.counts == other.counts
