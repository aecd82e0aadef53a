"""Response quality: what each component is, and what the weights promise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evaluation.quality import BEST, COMPONENTS, QUALITY_WEIGHTS, QualityConfig, quality_of, unrated
from evaluation.records import (
    Example,
    Feedback,
    Labels,
    Message,
    Metrics,
    Provenance,
    Source,
    ToolCall,
    Validation,
    Verdict,
)
from evaluation.validators import VALIDATORS, task_success

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RIGHT, WRONG, MOOT = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_APPLICABLE
NAMES = (*QUALITY_WEIGHTS, "rubric", "one_of_mine")
FAILED = Message(role="tool", content='{"error": "temporarily unavailable"}', tool_call_id="c")
FOUND = Message(role="tool", content='{"item": "pen", "left": 1234}', tool_call_id="c")
CALLED = Message(role="assistant", tool_calls=(ToolCall(id="c", name="stock", arguments={"item": "pen"}),))


def validation(name: str, verdict: Verdict) -> Validation:
    return Validation(name=name, verdict=verdict, confidence=1, reason="")


def made(
    answer: str | None, *between: Message, verdicts: dict[str, Verdict] | None = None, tokens: int = 20, **labels: Any
) -> Example:
    """Return an example of an answer (None: it ends before one), after what came `between` it and the query."""
    validations = tuple(validation(name, verdict) for name, verdict in (verdicts or {}).items())
    known = {"success": task_success(validations)} | labels
    last = () if answer is None else (Message(role="assistant", content=answer),)
    return Example(
        id="e",
        task_key="tools",
        query="How many pens are left?",
        timestamp=NOW,
        messages=(Message(role="user", content="How many pens are left?"), *between, *last),
        tools=(),
        response=answer or "",
        tools_used=(),
        validations=validations,
        labels=Labels(**known),
        metrics=Metrics(latency_ms=1, tokens_in=1, tokens_out=tokens, cost=0, model_calls=1),
        provenance=Provenance(source=Source.TEST),
    )


def component(name: str, example: Example, *args: Any, **options: Any) -> float | None:
    score = quality_of(example, *args, **options)
    assert tuple(score.components) == COMPONENTS
    return score.components[name]


def said(rating: int, quality: int | None = None) -> Feedback:
    return Feedback(
        id=f"f{rating}{quality}", example_id="e", rating=rating, response_quality=quality, rater="r", timestamp=NOW
    )


def test_every_validator_that_ships_has_a_weight() -> None:
    assert QUALITY_WEIGHTS.keys() == VALIDATORS.keys()


def test_task_success_is_the_weighted_share_of_what_applies_and_a_fifth_of_it_where_any_failed() -> None:
    verdicts = {"tool_selection": RIGHT, "answer": WRONG, "recovery": MOOT}
    share = 0.35 / 0.55
    assert component("task_success", made("x", verdicts=verdicts)) == pytest.approx(0.2 * share)
    assert component("task_success", made("x", verdicts=verdicts), config=QualityConfig(partial=1)) == share
    assert component("task_success", made("x", verdicts={"tool_selection": RIGHT})) == 1
    assert component("task_success", made("x", verdicts={"recovery": MOOT})) is None
    assert component("task_success", made("x", verdicts={"rubric": WRONG})) is None


def test_a_validation_of_one_s_own_fails_the_task_and_weighs_what_the_config_says() -> None:
    example = made("x", verdicts={"answer": RIGHT, "one_of_mine": WRONG})
    assert component("task_success", example) == pytest.approx(0.2)
    config = QualityConfig(validators={"one_of_mine": 0.6})
    assert config.validators["answer"] == QUALITY_WEIGHTS["answer"]
    assert component("task_success", example, config=config) == pytest.approx(0.2 * 0.25)


@pytest.mark.parametrize(("success", "found"), [(True, 1), (False, 0), (None, None)])
def test_without_validations_the_outcome_that_was_reported_counts(success: bool | None, found: float | None) -> None:
    assert component("task_success", made("1234 pens", FOUND, success=success)) == found


def test_relevance_is_the_share_of_the_answer_that_rests_on_what_was_asked_and_returned() -> None:
    assert component("answer_relevance", made("1,234 pens left", CALLED, FOUND)) == 1
    assert component("answer_relevance", made("1,235 pens left", CALLED, FOUND)) == pytest.approx(2 / 3)
    assert component("answer_relevance", made("Bananas taste wonderful", CALLED, FOUND)) == 0
    assert component("answer_relevance", made(None, CALLED, verdicts={"answer": RIGHT})) is None
    assert component("answer_relevance", made(None, CALLED, FOUND, verdicts={"answer": WRONG})) is None


def test_helpfulness_is_what_was_judged_of_it_and_what_people_said_of_it() -> None:
    example = made("1234 pens", CALLED, FOUND, verdicts={"answer": RIGHT, "rubric": WRONG, "protocol": RIGHT})
    assert component("helpfulness", example) == 0.5
    assert component("helpfulness", example, [said(5, 5), said(4, 3), said(1)]) == pytest.approx((1 + 0 + 0.75) / 3)
    assert component("helpfulness", made("1234 pens", CALLED, FOUND)) is None
    assert component("helpfulness", made("1234 pens", CALLED, FOUND), [said(3, 3)]) == 0.5


@pytest.mark.parametrize("text", ["", "  \n", "Sorry, I cannot do that.", "I am unable to help with pens."])
def test_an_empty_answer_and_a_bare_refusal_help_nobody(text: str) -> None:
    assert component("helpfulness", made(text)) == 0
    assert component("helpfulness", made(text), [said(5, 5)]) == 0
    assert component("helpfulness", made(text, verdicts={"answer": RIGHT, "tool_selection": WRONG})) == 0


def test_a_refusal_that_fits_is_none_to_blame() -> None:
    no = "Sorry, that did not work."
    assert component("helpfulness", made(no, CALLED, FAILED)) is None
    assert component("helpfulness", made(no, CALLED, FAILED, verdicts={"answer": RIGHT, "recovery": RIGHT})) == 1
    assert component("helpfulness", made(no, verdicts={"answer": RIGHT})) == 1
    assert component("helpfulness", made(no, CALLED, FAILED, verdicts={"answer": RIGHT, "recovery": WRONG})) == 0


@pytest.mark.parametrize(
    "text",
    [
        "Sorry, only 1234 are left.",
        "I cannot tell; which pens do you mean?",
        f"Failure {' '.join(map(chr, range(0x4E00, 0x4E40)))}",
    ],
)
def test_who_says_what_a_tool_returned_or_asks_or_more_does_not_only_refuse(text: str) -> None:
    assert component("helpfulness", made(text, CALLED, FOUND)) is None


def test_brevity_falls_from_what_is_brief_to_nothing_at_a_multiple_of_it() -> None:
    config = QualityConfig(brief_tokens=100, brief_multiple=3)
    found = [
        component("brevity", made("pens", verdicts={"answer": RIGHT}, tokens=tokens), config=config)
        for tokens in (0, 1, 100, 200, 300, 9000)
    ]
    assert found == [None, 1, 1, 0.5, 0, 0]
    assert component("brevity", made("x", verdicts={"answer": RIGHT}, tokens=100), expected_tokens=25) == 0


def test_being_short_alone_is_no_quality() -> None:
    score = quality_of(made(None, CALLED))
    assert (score.value, score.components) == (None, dict.fromkeys(COMPONENTS))


def test_recovery_is_what_was_judged_else_whether_the_failure_was_met() -> None:
    again = (CALLED, FAILED, CALLED, FOUND)
    assert component("recovery", made("1234 pens", *again)) == 1
    assert component("recovery", made("It is unavailable.", CALLED, FAILED)) == 1
    assert component("recovery", made("1234 pens", CALLED, FAILED)) == 0
    assert component("recovery", made("1234 pens", CALLED, FAILED, FOUND)) == 0, "asked for at the same time"
    assert component("recovery", made("1234 pens", CALLED, FOUND)) is None
    assert component("recovery", made("1234 pens", *again, verdicts={"recovery": WRONG})) == 0


def test_what_failed_earlier_in_a_conversation_is_another_example() -> None:
    example = made("1234 pens", CALLED, FOUND)
    before = (Message(role="user", content="And cups?"), CALLED, FAILED, Message(role="assistant", content="5 cups"))
    longer = example.model_copy(update={"messages": (*before, *example.messages)})
    assert component("recovery", longer) is None


def test_feedback_is_the_mean_rating_of_who_gave_one_or_that_on_the_labels() -> None:
    rated = made("1234 pens", user_satisfaction=2.0)
    assert component("feedback", made("1234 pens"), [said(5), said(2)]) == pytest.approx(2.5 / 4)
    assert component("feedback", rated) == 0.25
    assert component("feedback", rated, [said(5)]) == 1
    assert component("feedback", unrated(rated)) is None
    assert (quality_of(rated).value or 0) < (quality_of(unrated(rated)).value or 0)


def test_the_value_is_the_weighted_mean_of_what_applies() -> None:
    score = quality_of(made("1,235 pens left", CALLED, FOUND, verdicts={"answer": RIGHT}), [said(4)])
    weights = QualityConfig()
    applies = {name: value for name, value in score.components.items() if value is not None}
    assert applies.keys() == {"task_success", "helpfulness", "answer_relevance", "brevity", "feedback"}
    total = sum(getattr(weights, name) for name in applies)
    assert score.value == pytest.approx(5 * sum(getattr(weights, n) * v for n, v in applies.items()) / total)
    only = QualityConfig(task_success=0, helpfulness=0, answer_relevance=1, brevity=0, recovery=0, feedback=0)
    assert quality_of(made("1,235 pens left", CALLED, FOUND), config=only).value == pytest.approx(10 / 3)
    assert quality_of(made(None, CALLED, verdicts={"stop": RIGHT}), config=only).value is None


ANSWERS = st.sampled_from(
    ["", "1,234 pens left", "Sorry, I cannot do that.", "Which pens?", "Bananas!", "It failed.", None]
)
BETWEEN = st.lists(st.sampled_from([CALLED, FOUND, FAILED]), max_size=5)
VERDICTS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([RIGHT, WRONG, MOOT]))


@given(ANSWERS, BETWEEN, VERDICTS, st.integers(0, 3000), st.one_of(st.none(), st.floats(1, 5)))
def test_quality_is_in_range_and_missing_only_where_nothing_applies(
    answer: str | None, between: Sequence[Message], verdicts: dict[str, Verdict], tokens: int, rating: float | None
) -> None:
    score = quality_of(made(answer, *between, verdicts=verdicts, tokens=tokens, user_satisfaction=rating))
    values = [value for value in score.components.values() if value is not None]
    assert all(0 <= value <= 1 for value in values)
    assert (score.value is None) == (not values)
    assert score.value is None or 0 <= score.value <= BEST


@given(ANSWERS, BETWEEN, VERDICTS, st.integers(0, 3000), st.sampled_from(NAMES))
def test_quality_is_never_higher_when_a_validation_turns_from_passed_to_failed(
    answer: str | None, between: Sequence[Message], verdicts: dict[str, Verdict], tokens: int, name: str
) -> None:
    good, bad = (
        quality_of(made(answer, *between, verdicts=verdicts | {name: verdict}, tokens=tokens)).value
        for verdict in (RIGHT, WRONG)
    )
    assert good is None or (bad is not None and bad <= good)


@given(ANSWERS, BETWEEN, VERDICTS, st.integers(0, 3000))
def test_success_dominates(
    answer: str | None, between: Sequence[Message], verdicts: dict[str, Verdict], tokens: int
) -> None:
    verdicts = {name: verdict for name, verdict in verdicts.items() if name != "rubric"}
    example = made(answer, *between, verdicts=verdicts, tokens=tokens)
    value = quality_of(example).value
    if example.labels.success is not None:
        assert value is not None
        assert value >= 4 if example.labels.success else value < 2.5


@pytest.mark.parametrize(
    ("given_weights", "message"),
    [
        ({"brevity": -1, "feedback": float("nan")}, "expected weights of at least 0, found brevity -1, feedback nan"),
        ({"validators": {"answer": -2}}, r"expected weights of at least 0, found validators\.answer -2"),
        (dict.fromkeys(COMPONENTS, 0), "expected a weight above 0 for one of the components .*, found none"),
        ({"validators": dict.fromkeys(QUALITY_WEIGHTS, 0)}, "expected a weight above 0 for one of the validators"),
        ({"brief_multiple": 1}, "greater than 1"),
        ({"validators": [1]}, "valid dictionary"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(given_weights: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        QualityConfig(**given_weights)
