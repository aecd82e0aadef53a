from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta, timezone

import pytest

from evaluation.ledger import ExampleFilter, Ledger, LedgerError
from evaluation.records import Labels, Source
from tests.evaluation.ledger.making import START, example, feedback


def test_an_example_comes_back_whole(ledger: Ledger, url: str) -> None:
    given = example(1, scenario_group="g", run_id="r1", model_version="m:1", variant="a", stage=2, parent_id="e0")
    assert ledger.add_examples([given]) == 1
    assert ledger.example(given.id) == given
    with Ledger.open(url) as again:
        assert list(again.examples()) == [given]


def test_writing_twice_adds_nothing_and_changes_nothing(ledger: Ledger) -> None:
    first = [example(1), example(2)]
    assert ledger.add_examples(first) == 2
    assert ledger.add_examples([example(1, Labels(success=False)), example(3), example(3)]) == 1
    assert list(ledger.examples()) == [*first, example(3)]
    assert ledger.add_examples([]) == 0


def test_examples_stream_in_order_over_batches(ledger: Ledger) -> None:
    # Ids run against time, and pairs share a time, so that only (time, id) order yields this list.
    given = [example(n).model_copy(update={"timestamp": START + timedelta(seconds=-(n // 2))}) for n in range(11)]
    ledger.add_examples(given)
    wanted = sorted(given, key=lambda e: (e.timestamp, e.id))
    for batch in (1, 2, 3, 11, 50):
        assert list(ledger.examples(batch=batch)) == wanted
    assert list(ledger.examples(ExampleFilter(limit=5), batch=2)) == wanted[:5]
    assert list(ledger.examples(ExampleFilter(limit=0))) == []
    assert ledger.count(ExampleFilter(limit=5)) == 5


def test_a_writer_is_not_blocked_by_a_slow_reader(ledger: Ledger) -> None:
    ledger.add_examples([example(n) for n in range(4)])
    reader = ledger.examples(batch=2)
    next(reader)
    assert ledger.add_examples([example(9)]) == 1
    assert [e.id for e in reader] == ["e0001", "e0002", "e0003", "e0009"]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (ExampleFilter(task_key="planner"), [1, 2, 3]),
        (ExampleFilter(task_key="other"), []),
        (ExampleFilter(sources=(Source.PRODUCTION, Source.MANUAL)), [2]),
        (ExampleFilter(sources=()), []),
        (ExampleFilter(run_ids=("r1", "r3")), [1, 3]),
        (ExampleFilter(parts=("held_out",)), [3]),
        (ExampleFilter(model_version="m:2"), [2]),
        (ExampleFilter(variant="b", stage=0), [2]),
        (ExampleFilter(since=(START + timedelta(seconds=2)).astimezone(timezone(timedelta(hours=5)))), [2, 3]),
        (ExampleFilter(success=True), [1]),
        (ExampleFilter(success=False), [3]),
        (ExampleFilter(min_confidence=0.5), [1, 3]),
        (ExampleFilter(min_quality=2), [1]),
    ],
    ids=str,
)
def test_a_filter_takes_what_matches(ledger: Ledger, wanted: ExampleFilter, numbers: list[int]) -> None:
    ledger.add_examples(
        [
            example(1, run_id="r1"),
            example(2, Labels(), source=Source.PRODUCTION, run_id="r2", model_version="m:2", variant="b", stage=0),
            example(
                3, Labels(success=False, validation_confidence=0.5, response_quality=1), run_id="r3", part="held_out"
            ),
        ]
    )
    assert [e.id for e in ledger.examples(wanted)] == [f"e{n:04d}" for n in numbers]
    assert ledger.count(wanted) == len(numbers)


def test_another_zone_is_the_same_time(ledger: Ledger) -> None:
    far = example(1).model_copy(update={"timestamp": START.astimezone(timezone(timedelta(hours=-9)))})
    ledger.add_examples([far])
    assert ledger.example("e0001").timestamp.astimezone(UTC) == START


def test_the_ids_of_a_run(ledger: Ledger) -> None:
    ledger.add_examples([example(1, run_id="r1"), example(2, run_id="r2"), example(3, run_id="r1")])
    assert ledger.example_ids("r1") == {"e0001", "e0003"}
    assert ledger.example_ids("none") == set()


def test_of_several_ratings_by_one_rater_the_latest_counts(ledger: Ledger) -> None:
    ledger.add_examples([example(1)])
    for name, rating, rater in (("f1", 5, "r1"), ("f2", 1, "r1"), ("f3", 4, "r2")):
        ledger.add_feedback(feedback(name, "e0001", rating, rater))
    assert ledger.example("e0001").labels.user_satisfaction == 2.5
    assert [given.rating for given in ledger.feedback_for("e0001")] == [5, 1, 4]


def test_feedback_sets_the_satisfaction(ledger: Ledger) -> None:
    ledger.add_examples([example(n) for n in range(1200)])
    good, bad = feedback("f1", "e0001", 5), feedback("f2", "e0001", 2, rater="r2")
    late = feedback("f3", "e1199", 1)
    assert [ledger.add_feedback(given) for given in (good, bad, good, late)] == [True, True, False, True]
    assert ledger.feedback_for("e0001") == (good, bad)
    assert ledger.feedback_by_example([f"e{n:04d}" for n in range(1200)]) == {"e0001": (good, bad), "e1199": (late,)}
    assert ledger.example("e0001").labels.user_satisfaction == 3.5
    rated = {e.id: e.labels.user_satisfaction for e in ledger.examples()}
    assert {key: mean for key, mean in rated.items() if mean is not None} == {"e0001": 3.5, "e1199": 1.0}
    assert len(rated) == 1200


def test_unknown_examples_are_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="f1 is about example nobody, which the ledger does not hold"):
        ledger.add_feedback(feedback("f1", "nobody", 5))
    with pytest.raises(LedgerError, match="No example nobody"):
        ledger.example("nobody")
    assert ledger.feedback_for("nobody") == ()


def test_threads_write_together(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as threads:
        new = threads.map(lambda n: ledger.add_examples([example(n // 2), example(100 + n)]), range(40))
        assert sum(new) == 60
    assert ledger.count() == 60


def test_the_runs_whose_ids_begin_so(ledger: Ledger) -> None:
    ledger.add_examples(
        [example(n, run_id=run) for n, run in enumerate(("t1/b", "t1/a", "t1/a", "t2/a", None, "t_/a"))]
    )
    assert ledger.run_ids("t1/") == ("t1/a", "t1/b")
    assert ledger.run_ids("t_") == ("t_/a",)  # a sign of LIKE counts as itself
    assert ledger.run_ids() == ("t1/a", "t1/b", "t2/a", "t_/a")


def test_the_versions_that_examples_are_of(ledger: Ledger) -> None:
    assert ledger.model_versions() == ()
    ledger.add_examples([example(n, model_version=version) for n, version in enumerate(("m:2", "m:1", "m:2", None))])
    assert ledger.model_versions() == ("m:1", "m:2")
