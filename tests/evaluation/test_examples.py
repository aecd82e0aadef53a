from __future__ import annotations

import pytest

from evaluation.examples import FITTING_STRATEGY, Origin, Scales, context_of, query_index, to_example
from evaluation.oracle import oracle
from evaluation.pricing import load_prices
from evaluation.quality import QualityConfig, quality_of
from evaluation.records import (
    Example,
    FailureKind,
    Message,
    RecoveryStrategy,
    Source,
    Validation,
    Verdict,
)
from evaluation.validators import validate
from tests.evaluation.attempts import BY_ID, KINDS, call, calling, follow, run, saying


def example(one, episode, **fields) -> Example:
    return to_example(one, episode, validate(one, episode), run_id="run-1", **fields)


@pytest.mark.parametrize("one", KINDS, ids=lambda one: one.id)
def test_every_field_of_a_right_episode_is_filled_and_survives_json(one) -> None:
    made = example(one, run(one, oracle(one), seed=3))
    assert Example.model_validate_json(made.model_dump_json()) == made
    assert (made.query, made.context) == (one.query, "system: Use the tools.")
    assert made.labels.success is True
    assert made.labels.correct_tool_selection is True
    assert 4 <= (made.labels.response_quality or 0) <= 5
    assert made.metrics.price_version == load_prices().version
    assert 0.5 < made.labels.validation_confidence <= 1
    assert made.labels.validation_confidence == min(
        v.confidence for v in made.validations if v.verdict != Verdict.NOT_APPLICABLE
    )
    assert made.tools_used == tuple(dict.fromkeys(c.name for c in one.expected.calls))
    assert bool(made.response) == (one.stop == "answer")
    assert made.analysis.splitlines()[0].startswith("tool_selection: passed (1.00): expected ")
    assert len(made.analysis.splitlines()) == len(made.validations)
    assert made.metrics.cost == load_prices().cost(made.metrics.tokens_in, made.metrics.tokens_out, "oracle") > 0
    assert made.reward is not None
    assert made.reward.value > 0.9
    at = made.provenance
    assert (at.source, at.scenario_id, at.scenario_group, at.part) == (Source.TEST, one.id, one.group, "train")
    assert (at.run_id, at.seed, at.model_version) == ("run-1", 3, "oracle")
    assert (made.recovery is not None) == (one.expected.recovery is not None)


def test_an_error_is_kept_with_how_it_was_and_should_have_been_met() -> None:
    one = BY_ID["graceful"]
    episode = follow(one, calling(call("stock", item="pen")), saying("There are 7 pens."))
    made = example(one, episode)
    assert made.error == "tool_timeout: temporarily unavailable"
    assert made.recovery is not None
    assert made.recovery.strategy == RecoveryStrategy.GRACEFUL_FAIL
    assert (made.recovery.error_type, made.recovery.incorrect_response) == ("tool_timeout", "There are 7 pens.")
    assert made.recovery.correct_response is None
    assert made.reward is not None
    assert made.reward.value < 0


def test_an_error_that_the_scenario_says_nothing_of_gets_the_strategy_that_fits_it() -> None:
    one = BY_ID["stated_answer"]
    made = example(one, follow(one, calling(call("stock")), saying("There are many.")))
    assert made.recovery is not None
    assert made.recovery.strategy == RecoveryStrategy.RETRY
    assert made.recovery.correct_response == "There are 1,234 pens."
    assert made.labels.success is False
    assert 0 < (made.labels.response_quality or 0) < 2.5


def test_the_origin_is_recorded() -> None:
    one = BY_ID["near_twin"]
    origin = Origin(
        Source.SYNTHETIC, model_version="m:3", parent_id="p", variant="v", stage=1, user_hash="u", conversation="c"
    )
    made = example(one, run(one, oracle(one)), origin=origin)
    at = made.provenance
    assert (at.source, at.model_version, at.parent_id, at.variant, at.stage) == (Source.SYNTHETIC, "m:3", "p", "v", 1)
    assert (made.user_hash, made.conversation) == ("u", "c")


def test_the_query_is_the_last_user_message_before_the_first_answer() -> None:
    said = [
        Message(role="system", content="S"),
        Message(role="user", content="one"),
        Message(role="user", content="two"),
        Message(role="assistant", content="A"),
        Message(role="user", content="three"),
    ]
    assert query_index(said) == 2
    assert context_of(said[:2]) == "system: S\nuser: one"
    assert query_index(said[:1]) is None


def test_quality_is_told_by_the_one_function_and_the_scales_weights() -> None:
    one = BY_ID["stated_answer"]
    episode = run(one, oracle(one))
    made = example(one, episode)
    assert made.labels.response_quality == quality_of(made).value
    plain = QualityConfig(helpfulness=0, answer_relevance=0, brevity=0, recovery=0, feedback=0, partial=1)
    wrong = follow(one, calling(call("stock", item="pen")), saying("There are many."))
    judged = example(one, wrong, scales=Scales(quality=plain))
    # The answer, 0.20 of 0.90 (selection 0.35, arguments 0.25, answer 0.20, protocol 0.10), is what failed.
    assert judged.labels.response_quality == pytest.approx(5 * 0.70 / 0.90)
    assert judged.labels.response_quality > (example(one, wrong).labels.response_quality or 0)


def test_a_scenario_s_own_number_of_tokens_says_what_is_brief() -> None:
    one = BY_ID["near_twin"]
    episode = run(one, oracle(one))
    strict = one.model_copy(update={"expected": one.expected.model_copy(update={"output_tokens": 1})})
    validations = validate(one, episode)
    loose, tight = (to_example(each, episode, validations, run_id="r") for each in (one, strict))
    assert (tight.labels.response_quality or 0) < (loose.labels.response_quality or 0)


def test_a_validator_that_raised_takes_all_confidence() -> None:
    one = BY_ID["near_twin"]
    episode = run(one, oracle(one))
    unjudged = Validation(name="answer", verdict=Verdict.NOT_APPLICABLE, confidence=0, reason="raised")
    made = to_example(one, episode, [*validate(one, episode)[:2], unjudged], run_id="r")
    assert (made.labels.validation_confidence, made.labels.success) == (0, None)


def test_there_is_a_fitting_strategy_for_every_kind_of_failure() -> None:
    assert FITTING_STRATEGY.keys() == set(FailureKind)
