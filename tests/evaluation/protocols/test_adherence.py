"""Figures of how well a model keeps to its protocol."""

from __future__ import annotations

import pytest

from evaluation.protocols.adherence import Adherence, TurnMark, adherence, leanest_passing, leanness, suite_adherence
from evaluation.protocols.spec import FailureClass
from evaluation.records import FailureKind, ModelCall
from tests.evaluation.attempts import call, calling, saying
from tests.evaluation.protocols.making import ROO_NATIVE
from tests.evaluation.protocols.test_mistakes import DONE, READ, episode

GOOD, BAD, SILENT = calling(READ), calling(call("read_file")), saying("Hm.")


def test_an_episode_is_counted() -> None:
    found = adherence(episode(GOOD, BAD, BAD, calling(DONE)), ROO_NATIVE)
    assert (found.calls, len(found.turns), found.rate, found.clean) == (4, 4, 0.5, False)
    assert found.counts == {FailureClass.MISSING_ARGUMENT: 2}
    assert (found.longest_run, found.gave_up) == (2, False)


@pytest.mark.parametrize(
    ("turns", "run"),
    [
        ([BAD, BAD, BAD], 3),
        ([BAD, GOOD, BAD], 1),
        ([SILENT, GOOD, SILENT], 0),
        ([SILENT, SILENT, SILENT], 2),
        ([BAD, SILENT, BAD], 2),
        ([SILENT, SILENT, SILENT, SILENT], 3),
        ([], 0),
    ],
)
def test_mistakes_in_a_row_end_the_patience(turns: list, run: int) -> None:
    # Of turns without a call the first in a row is forgiven.
    found = adherence(episode(*turns), ROO_NATIVE)
    assert (found.longest_run, found.gave_up) == (run, run >= 3)


def test_the_harness_fault_is_not_the_models() -> None:
    found = adherence(episode(GOOD, answered=False), ROO_NATIVE)
    assert found.counts == {FailureClass.RESULT_MISMATCH: 1}
    assert (found.clean, found.rate, found.longest_run) == (True, 1.0, 0)


def test_an_episode_without_a_turn_has_no_rate() -> None:
    found = adherence(episode(), ROO_NATIVE)
    assert (found.rate, found.clean, found.calls) == (None, True, 0)


def test_a_suite_is_counted_with_intervals() -> None:
    ones = [adherence(episode(*turns), ROO_NATIVE) for turns in ([GOOD], [GOOD, BAD], [BAD, BAD, BAD], [])]
    found = suite_adherence(ones)
    assert (found.episodes, found.turns) == (4, 6)
    assert (found.clean_episodes.value, found.clean_episodes.n) == (0.5, 4)
    assert (found.clean_turns.value, found.clean_turns.n) == (0.5, 3)
    assert found.gave_up.value == 0.25
    figures = found.by_class[FailureClass.MISSING_ARGUMENT]
    assert (figures.mistakes, figures.episodes.value) == (4, 0.5)
    assert figures.episodes.low is not None
    assert figures.episodes.low < 0.5


def test_classes_stand_by_how_frequent_they_are() -> None:
    ones = [adherence(episode(SILENT, SILENT, BAD, calling(call("x"))), ROO_NATIVE)]
    assert list(suite_adherence(ones).by_class) == ["no_call", "missing_argument", "unknown_tool"]


def test_a_suite_of_nothing_has_no_figures() -> None:
    found = suite_adherence([])
    assert (found.clean_episodes.value, found.clean_turns.value, found.by_class, found.by_context) == (
        None,
        None,
        {},
        (),
    )


def test_turns_are_banded_by_the_length_of_their_prompts() -> None:
    marks = [(100, 0), (200, 0), (5_000, 0), (6_000, 1), (30_000, 1), (40_000, 2)]
    ones = [
        Adherence(
            scenario_id="s",
            turns=tuple(TurnMark(tokens_in=tokens, mistakes=mistakes) for tokens, mistakes in marks),
            calls=6,
            mistakes=(),
            longest_run=3,
            gave_up=True,
        )
    ] * 2
    bands = suite_adherence(ones).by_context
    assert [(band.tokens_low, band.tokens_high, band.turns, band.clean.value, band.clean.n) for band in bands] == [
        (100, 200, 4, 1.0, 2),
        (5_000, 6_000, 4, 0.5, 2),
        (30_000, 40_000, 4, 0.0, 2),
    ]


def test_leanness_is_the_leanest_passing_episode_over_this_one() -> None:
    def spent(tokens: int) -> tuple:
        return (ModelCall(latency_ms=1, tokens_in=tokens - 5, tokens_out=5, finish="stop"),)

    lean, fat = (episode(GOOD, model_calls=spent(tokens)) for tokens in (50, 200))
    failed = episode(GOOD, model_calls=spent(10), fails={0: FailureKind.TOOL_ERROR})
    known = leanest_passing([(fat, True), (lean, True), (failed, False)])
    assert known == {"s": 50}
    assert (leanness(200, known["s"]), leanness(40, known["s"])) == (0.25, 1.0)
    assert leanest_passing([(failed, False)]) == {}
    with pytest.raises(ValueError, match="expected at least one token, found 0 spent"):
        leanness(0, 5)
