"""Alpha gives the figures that its author works out by hand, and behaves as a measure of agreement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.stats.krippendorff import Reliability, Scale, Value, reliability

FOUR_OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
"""Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example C: any number of observers, gaps."""


def things(table: str) -> list[dict[str, Value]]:
    rows = [line.split() for line in table.strip().splitlines()]
    return [
        {f"o{n}": float(row[at]) if row[at].isdigit() else row[at] for n, row in enumerate(rows) if row[at] != "."}
        for at in range(len(rows[0]))
    ]


@pytest.mark.parametrize(
    ("table", "scale", "alpha"),
    [
        ("0 1 0 0 0 0 0 0 1 0\n1 1 1 0 0 1 0 0 0 0", Scale.NOMINAL, 0.095),  # example A: binary, two observers
        ("a a b b d c c c e d d a\nb a b b b c c c e d d d", Scale.NOMINAL, 0.692),  # example B: nominal, two
        (FOUR_OBSERVERS, Scale.NOMINAL, 0.743),
        (FOUR_OBSERVERS, Scale.ORDINAL, 0.815),
        (FOUR_OBSERVERS, Scale.INTERVAL, 0.849),
    ],
)
def test_the_published_examples(table: str, scale: Scale, alpha: float) -> None:
    found = reliability(things(table), scale)
    assert found.alpha.value == pytest.approx(alpha, abs=0.0006)
    assert found.alpha.low is not None
    assert found.alpha.high is not None
    assert found.alpha.low < alpha < found.alpha.high


def test_what_only_one_judged_counts_for_nothing() -> None:
    found = reliability(things(FOUR_OBSERVERS), Scale.NOMINAL)
    assert (found.alpha.n, found.judges, found.judgements) == (11, 4, 40)
    assert found.percent == pytest.approx(0.8)


def test_where_nothing_could_differ_there_is_no_alpha() -> None:
    for none in ([], [{"a": 1.0}], [{"a": 1.0, "b": 1.0}] * 5):
        found = reliability(none, Scale.ORDINAL)
        assert (found.alpha.value, found.alpha.low) == (None, None)
    assert reliability([{"a": 1.0, "b": 1.0}] * 5, Scale.ORDINAL).percent == 1.0


def test_a_scale_of_numbers_needs_numbers() -> None:
    with pytest.raises(ValueError, match="expected numbers on an ordinal scale, found 'x'"):
        reliability([{"a": "x", "b": 1.0}], Scale.ORDINAL)


@given(st.lists(st.lists(st.integers(1, 5), min_size=2, max_size=4), min_size=2, max_size=12), st.sampled_from(Scale))
def test_alpha_depends_on_neither_names_nor_order(rows: list[list[int]], scale: Scale) -> None:
    one: list[dict[str, Value]] = [{str(n): float(v) for n, v in enumerate(row)} for row in rows]
    other: list[dict[str, Value]] = [{f"x{n}": float(v) for n, v in enumerate(reversed(row))} for row in rows]
    first, second = reliability(one, scale, resamples=2), reliability(other[::-1], scale, resamples=2)
    assert _close(first, second)
    same: list[dict[str, Value]] = [dict.fromkeys(said, float(n % 3)) for n, said in enumerate(one)]
    alpha = reliability(same, scale, resamples=2).alpha.value
    assert alpha == pytest.approx(1.0)


def _close(one: Reliability, other: Reliability) -> bool:
    if one.alpha.value is None or other.alpha.value is None:
        return one.alpha.value is other.alpha.value
    return abs(one.alpha.value - other.alpha.value) < 1e-9
