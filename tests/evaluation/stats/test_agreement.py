from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.stats.agreement import agreement, calibration

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1)


def test_kappa_takes_out_what_agrees_by_chance() -> None:
    # Cohen's own kind of table: 20 both yes, 15 both no, 5 and 10 apart: 0.7 observed, 0.5 by chance.
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    found = agreement(pairs)
    assert found.kappa == pytest.approx(0.4)
    assert found.raw.value == pytest.approx(0.7)
    assert found.raw.low < 0.7 < found.raw.high


def test_where_chance_explains_everything_there_is_no_kappa() -> None:
    assert agreement([(True, True)] * 5).kappa is None
    assert (agreement([]).kappa, agreement([]).raw.n) == (None, 0)
    assert agreement([("passed", "failed"), ("failed", "passed")]).kappa == pytest.approx(-1)


@given(PAIRS)
def test_the_order_of_the_two_does_not_matter(pairs) -> None:
    one, other = agreement(pairs), agreement([(b, a) for a, b in pairs])
    assert one.raw == other.raw
    assert one.kappa == other.kappa or math.isclose(one.kappa, other.kappa)
    assert one.kappa is None or one.kappa <= 1


def test_a_reliability_table() -> None:
    verdicts = [(1.0, True)] * 9 + [(0.95, False)] + [(0.62, True)] * 2 + [(0.68, False)] * 2
    table = calibration(verdicts)
    assert [(b.low, b.high, b.accuracy.n) for b in table.bins] == [(0.6, 0.7, 4), (0.9, 1.0, 10)]
    assert [b.accuracy.value for b in table.bins] == [0.5, 0.9]
    assert table.bins[1].confidence == pytest.approx(0.995)
    assert table.expected_error == pytest.approx((4 * 0.15 + 10 * 0.095) / 14)
    assert table.accuracy.value == pytest.approx(11 / 14)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans())), st.integers(1, 20))
def test_every_verdict_stands_in_its_bin(verdicts, bins) -> None:
    table = calibration(verdicts, bins)
    assert sum(b.accuracy.n for b in table.bins) == len(verdicts)
    for b in table.bins:
        assert b.low - 1e-9 <= b.confidence <= b.high + 1e-9
    assert table.expected_error is None if not verdicts else 0 <= table.expected_error <= 1


@pytest.mark.parametrize(("confidence", "bins"), [(1.1, 10), (-0.1, 10), (math.nan, 10), (0.5, 0)])
def test_what_is_no_confidence_is_refused(confidence, bins) -> None:
    with pytest.raises(ValueError, match="expected confidences from 0 to 1 and at least one bin"):
        calibration([(confidence, True)], bins)
