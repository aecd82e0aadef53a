"""Union-find and the stricter rule, beside the plain ways to do the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.dedup.linking import Forest, Links, decide, lead, settle

PAIRS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)).filter(lambda pair: pair[0] < pair[1]), max_size=40)


def links(pairs) -> Links:
    array = np.array(pairs, np.int64).reshape(-1, 2)
    return Links(array[:, 0].copy(), array[:, 1].copy())


@given(PAIRS)
def test_trees_are_connected_components_with_the_best_row_as_root(pairs) -> None:
    label = list(range(20))
    for _ in label:
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    forest = Forest(20)
    for start in range(0, len(pairs), 7):
        forest.join(links(pairs[start : start + 7]))
    assert forest.labels().tolist() == label


@given(PAIRS)
def test_a_row_stays_where_none_that_it_is_linked_to_does(pairs) -> None:
    stays = [True] * 20
    for row in range(20):
        stays[row] = not any(stays[a] for a, b in pairs if b == row)
    found, orphan = decide(links(pairs), 20)
    assert found.tolist() == stays
    assert orphan.tolist() == [stays[row] and any(b == row for _, b in pairs) for row in range(20)]


@given(st.lists(st.integers(0, 40), min_size=2, max_size=25), st.integers(1, 4), st.sampled_from(["chained", "kept"]))
def test_settled_rows_are_as_far_apart_as_asked(values, reach: int, linkage) -> None:
    """Rows are points on a line; groups are windows of it that overlap, so that a row may fall in one of several."""
    points = np.array(values)

    def find(search) -> Links:
        found = []
        for start in range(-10, 41, reach):
            rows = search.rows[(points[search.rows] >= start) & (points[search.rows] < start + 2 * reach + 1)]
            if len(rows) > 1 and (search.active is None or search.active[rows].any()):
                alike = lambda a, b: np.abs(points[a] - points[b]) <= reach  # noqa: E731
                found.append(lead(rows, np.array([0]), alike, 100, forest=search.forest))
        return Links.of(found)

    keeper = settle(np.arange(len(points)), len(points), linkage, find)
    kept = np.flatnonzero(keeper == np.arange(len(points)))
    assert (keeper[keeper] == keeper).all() if linkage == "chained" else True
    assert all(abs(points[a] - points[b]) > reach for a in kept for b in kept if a < b)
    if linkage == "kept":
        fell = np.flatnonzero(keeper != np.arange(len(points)))
        assert (np.abs(points[fell] - points[keeper[fell]]) <= reach).all()
        assert np.isin(keeper[fell], kept).all()


def test_a_group_of_equals_takes_one_comparison_each() -> None:
    asked = []

    def alike(leaders, members):
        asked.append(len(leaders))
        return np.ones(len(leaders), np.bool_)

    found = lead(np.arange(1000), np.array([0, 400]), alike, 64)
    assert sum(asked) == 998
    assert set(found.leader.tolist()) == {0, 400}
