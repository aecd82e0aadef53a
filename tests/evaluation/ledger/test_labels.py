"""A label and the columns in force are written together, and taken back together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from evaluation.ledger import ExampleFilter, Ledger, LedgerError
from evaluation.ledger.collected import LabelSource, LabelVerdict
from evaluation.ledger.labelling import propagated
from evaluation.records import Labels
from tests.evaluation.ledger.making import START, example, feedback
from tests.evaluation.ledger.test_labelling import label


def test_a_label_moves_the_columns_and_never_the_body(ledger: Ledger) -> None:
    given = example(1, Labels(success=False, response_quality=1.0, validation_confidence=0.4))
    ledger.add_examples([given])
    accepted = label("ann", LabelVerdict.ACCEPT, example_id="e0001", response_quality=4.5)
    assert ledger.add_label(accepted) is True
    assert ledger.add_label(accepted) is False
    found = ledger.example("e0001")
    assert (found.labels.success, found.labels.response_quality, found.labels.validation_confidence) == (True, 4.5, 1.0)
    assert found.model_copy(update={"labels": given.labels}) == given
    assert ledger.count(ExampleFilter(success=True, min_quality=4.0, min_confidence=0.9)) == 1
    assert ledger.labels("e0001") == (accepted,)


def test_taking_back_leaves_what_the_others_and_the_body_say(ledger: Ledger) -> None:
    given = example(1, Labels(success=False, response_quality=1.0, validation_confidence=0.4))
    ledger.add_examples([given])
    rule = label("r", LabelVerdict.REJECT, LabelSource.RULE, 0.8, example_id="e0001")
    person = label("ann", LabelVerdict.ACCEPT, example_id="e0001")
    ledger.add_labels([rule, person])
    assert ledger.example("e0001").labels.success is True
    undone = ledger.undo_label(person.id)
    assert undone.undone_at == START
    assert ledger.example("e0001").labels.validation_confidence == 0.8
    ledger.undo_label(rule.id)
    assert ledger.example("e0001").labels == given.labels
    assert [one.undone_at for one in ledger.labels("e0001")] == [START, START], "what was undone is kept"


def test_a_label_of_an_unknown_example_is_refused_whole(ledger: Ledger) -> None:
    ledger.add_examples([example(1)])
    with pytest.raises(LedgerError, match="example e0002, which the ledger does not hold"):
        ledger.add_labels([label(example_id="e0001"), label(example_id="e0002")])
    assert ledger.labels("e0001") == ()
    with pytest.raises(LedgerError, match="No label nothing"):
        ledger.undo_label("nothing")


def test_several_who_label_one_example_at_once_are_all_counted(ledger: Ledger) -> None:
    ledger.add_examples([example(1, Labels())])
    said = [label(f"p{n}", LabelVerdict.ACCEPT if n % 3 else LabelVerdict.REJECT, example_id="e0001") for n in range(9)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ledger.add_label, said))
    assert len(ledger.labels("e0001")) == 9
    assert ledger.example("e0001").labels.success is True, "six of nine accept"


def test_many_labels_in_one_call_go_in_chunks(ledger: Ledger) -> None:
    ledger.add_examples([example(n) for n in range(600)])
    said = [label("m", LabelVerdict.REJECT, LabelSource.MODEL, 0.9, example_id=f"e{n:04d}") for n in range(600)]
    assert ledger.add_labels(said) == 600
    assert ledger.count(ExampleFilter(success=False)) == 600
    assert len(ledger.labels_by_example([f"e{n:04d}" for n in range(600)])) == 600


def test_taking_a_label_back_takes_back_what_was_taken_over_from_it(ledger: Ledger) -> None:
    ledger.add_examples([example(1, Labels()), example(2, Labels())])
    person = label("ann", LabelVerdict.ACCEPT, example_id="e0001")
    weak = propagated(person, {"e0002": 0.9}, START)
    ledger.add_labels([person, *weak])
    assert ledger.example("e0002").labels.success is True
    assert ledger.example("e0002").labels.validation_confidence == 0.9
    ledger.undo_label(person.id)
    assert ledger.example("e0002").labels == Labels()
    assert ledger.labels("e0002")[0].undone_at == START


def test_what_users_rated_outranks_what_came_along_and_gives_way_to_a_reviewer(ledger: Ledger) -> None:
    ledger.add_examples([example(1, Labels(success=False, response_quality=1.0)), example(2)])
    ledger.add_feedback(feedback("f1", "e0001", 4, rater="ann"))
    ledger.add_feedback(feedback("f2", "e0001", 5, rater="ben"))
    ledger.add_feedback(feedback("f3", "e0002", 2))
    assert [ledger.example(name).labels.response_quality for name in ("e0001", "e0002")] == [4.5, 2.0]
    assert ledger.count(ExampleFilter(min_quality=4.0)) == 1
    said = label("eve", LabelVerdict.ACCEPT, example_id="e0001", response_quality=3.0)
    ledger.add_label(said)
    assert ledger.example("e0001").labels.response_quality == 3.0
    ledger.undo_label(said.id)
    assert ledger.example("e0001").labels.response_quality == 4.5
