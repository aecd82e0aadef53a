from __future__ import annotations

import asyncio
import math
import pickle
from typing import Any

import pytest

from evaluation.models import Completion, ModelError, ModelErrorKind, Sampling, ScriptedModel, UnfitPrompt
from evaluation.records import Message


def test_an_error_tells_the_kind_that_it_was_given_first() -> None:
    assert str(ModelError("no", ModelErrorKind.REFUSED)) == "refused: no"
    assert str(ModelError("no")) == "no"
    assert str(UnfitPrompt("too long")) == "too long"
    assert (ModelError("no").kind, UnfitPrompt("x").kind) == (ModelErrorKind.OTHER, ModelErrorKind.UNFIT_PROMPT)


@pytest.mark.parametrize(
    "error", [ModelError("no", ModelErrorKind.FILTERED), ModelError("no"), UnfitPrompt("long")], ids=str
)
def test_an_error_is_the_same_on_the_other_side_of_a_process(error: ModelError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.kind) == (type(error), str(error), error.kind)


def test_only_what_every_request_would_meet_ends_a_run() -> None:
    assert {kind for kind in ModelErrorKind if kind.ends_run} == {
        ModelErrorKind.REFUSED,
        ModelErrorKind.UNKNOWN_MODEL,
        ModelErrorKind.OUT_OF_BUDGET,
    }


def test_a_script_that_has_ended_has_no_answer() -> None:
    model = ScriptedModel([Message(role="assistant", content="once")])

    async def twice() -> ModelErrorKind:
        await model.complete((), (), Sampling())
        with pytest.raises(ModelError, match="has 1 turns; turn 2 was asked") as raised:
            await model.complete((), (), Sampling())
        return raised.value.kind

    assert asyncio.run(twice()) is ModelErrorKind.NO_ANSWER


@pytest.mark.parametrize(
    ("took", "found"),
    [
        ({"latency_ms": -0.5}, "latency_ms -0.5"),
        ({"latency_ms": math.nan}, "latency_ms nan"),
        ({"tokens_in": -1, "tokens_out": -2}, "tokens_in -1, tokens_out -2"),
        ({"tokens_cached": 8}, "found 8 of 7"),
    ],
)
def test_a_completion_that_took_less_than_nothing_is_the_client_s_mistake(took: dict[str, float], found: str) -> None:
    figures: dict[str, Any] = {"tokens_in": 7, "tokens_out": 3, "latency_ms": 1.0, "finish": "stop"} | took
    with pytest.raises(ValueError, match=f"expected .*{found}.*; correct the client"):
        Completion(Message(role="assistant"), **figures)
