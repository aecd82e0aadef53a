from __future__ import annotations

from datetime import UTC, datetime

from evaluation.observed import Seen, observations
from evaluation.stats.intervals import Estimate

SEEN = Seen("compare", "t001", "d", datetime(2026, 1, 2, tzinfo=UTC))
FIGURES = {
    "quality": Estimate(value=4.0, low=3.5, high=4.5, n=40),
    "cost": Estimate(value=None, low=None, high=None, n=0),
    "recovery_rate": Estimate(value=1.0, low=None, high=None, n=1),
}


def test_figures_that_have_a_value_are_observed() -> None:
    found = observations("m:1", FIGURES, SEEN)
    assert [(one.metric, one.value, one.low, one.n) for one in found] == [
        ("quality", 4.0, 3.5, 40),
        ("recovery_rate", 1.0, None, 1),
    ]
    assert {(one.subject, one.origin, one.origin_id, one.suite_digest) for one in found} == {
        ("m:1", "compare", "t001", "d")
    }


def test_the_same_origin_gives_the_same_ids_and_another_one_others() -> None:
    first, again = observations("m:1", FIGURES, SEEN), observations("m:1", FIGURES, SEEN)
    assert [one.id for one in first] == [one.id for one in again]
    others = observations("m:1", FIGURES, SEEN._replace(origin_id="t002")) + observations("m:2", FIGURES, SEEN)
    assert not {one.id for one in first} & {one.id for one in others}
