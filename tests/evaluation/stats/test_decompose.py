"""A difference divided by slices: the parts sum to the whole, whatever the slices are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.stats.decompose import decompose, decompose_pairs

VALUES = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.floats(-10, 10), min_size=1, max_size=8), min_size=1, max_size=4
)


@given(VALUES, VALUES)
def test_the_parts_sum_to_the_difference(first: dict[str, list[float]], second: dict[str, list[float]]) -> None:
    found = decompose(first, second)
    means = [np.mean([value for values in arm.values() for value in values]) for arm in (first, second)]
    assert found.difference == pytest.approx(means[1] - means[0], abs=1e-9)
    assert sum(part.total for part in found.parts) == pytest.approx(found.difference, abs=1e-9)


@given(VALUES, VALUES)
def test_swapping_the_arms_turns_every_part_round(
    first: dict[str, list[float]], second: dict[str, list[float]]
) -> None:
    one = {part.slice: part.total for part in decompose(first, second).parts}
    other = {part.slice: -part.total for part in decompose(second, first).parts}
    assert one == pytest.approx(other, abs=1e-9)


def test_a_change_of_mix_alone_is_told_apart_from_a_change_of_figures() -> None:
    found = decompose({"easy": [1.0] * 50, "hard": [0.0] * 50}, {"easy": [1.0] * 80, "hard": [0.0] * 20})
    assert found.difference == pytest.approx(0.3)
    assert all(part.figure.value == 0 for part in found.parts)
    assert sum(part.mix for part in found.parts) == pytest.approx(0.3)


def test_the_slice_that_fell_comes_first_with_an_interval_that_says_so() -> None:
    rng = np.random.default_rng(0)
    right = {name: rng.random(200) < 0.8 for name in ("find", "book")}
    pairs = {
        "find": [(float(r), float(r)) for r in right["find"]],
        "book": [(float(r), float(r and rng.random() < 0.5)) for r in right["book"]],
    }
    found = decompose_pairs(pairs)
    assert [part.slice for part in found.parts] == ["book", "find"]
    fell, same = found.parts
    assert fell.figure.value == pytest.approx(found.difference)
    assert fell.figure.high is not None
    assert fell.figure.high < 0
    assert (same.figure.low, same.figure.high, same.mix) == (0, 0, 0)


def test_slices_of_one_arm_alone_and_empty_arms() -> None:
    found = decompose({"a": [1.0, 0.0]}, {"b": [1.0, 1.0]})
    assert found.difference == pytest.approx(0.5)
    assert {part.slice: part.figure.low for part in found.parts} == {"a": None, "b": None}
    empty = decompose({"a": [1.0], "b": []}, {})
    assert (empty.first, empty.second, empty.difference, empty.parts) == (1.0, None, None, ())


def test_one_pair_gives_no_interval_and_nan_is_refused() -> None:
    (part,) = decompose_pairs({"a": [(0.0, 1.0)]}).parts
    assert (part.figure.value, part.figure.low) == (1.0, None)
    with pytest.raises(ValueError, match="expected finite numbers"):
        decompose({"a": [math.nan]}, {"a": [1.0]})
