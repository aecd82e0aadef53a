from __future__ import annotations

import pytest

from evaluation.improvement import improvement
from evaluation.marks import Reign
from tests.evaluation.seen import at, observation

REIGNED = (Reign("agent:1", None), Reign("agent:2", at(10)), Reign("agent:3", at(70)))


def test_the_table_follows_what_was_in_production() -> None:
    seen = [observation(0.50, 9), observation(0.70, 9.5, "agent:2"), observation(0.60, 20, "agent:9"),
            observation(0.72, 69, "agent:2"), observation(0.90, 69.5, "agent:3")]  # fmt: skip
    found = improvement(seen, REIGNED)
    assert [(line.label, line.version, line.estimate.value) for line in found.lines] == [
        ("baseline", "agent:1", 0.50),
        ("after 1 month", "agent:2", 0.70),
        ("after 1 turn", "agent:2", 0.72),
        ("latest", "agent:3", 0.90),
    ], "agent:9 was never in production"
    assert found.lines[-1].relative.value == pytest.approx(0.8)
    assert found.lines[-1].estimate.n == 280


def test_months_are_told_as_far_as_the_data_go() -> None:
    seen = [observation(0.5 + day / 1000, day) for day in range(0, 200, 5)]
    labels = [line.label for line in improvement(seen, REIGNED[:1]).lines]
    assert labels == ["baseline", "after 1 month", "after 3 months", "after 6 months", "latest"]
    assert [line.label for line in improvement(seen[:3], REIGNED[:1]).lines] == ["baseline", "latest"]
    assert [line.label for line in improvement(seen[:1], REIGNED[:1]).lines] == ["baseline"]


def test_figures_of_other_scenarios_are_marked_and_linked_step_by_step() -> None:
    first = [observation(0.50, 9, suite_digest="a"), observation(0.70, 9.1, "agent:2", suite_digest="a")]
    others = [observation(0.60, 69, "agent:2", suite_digest="b"), observation(0.75, 69.1, "agent:3", suite_digest="b")]
    seen = first + others
    found = improvement(seen, REIGNED)
    assert [line.comparable for line in found.lines] == [True, True, False, False]
    assert found.linked is not None
    assert found.linked.value == pytest.approx(0.35), "0.20 on the first scenarios and 0.15 on the others, not 0.25"
    low, high = found.linked.low, found.linked.high
    assert low is not None
    assert high is not None
    assert (high - low) / 2 == pytest.approx(0.1), "four arms of ± 0.05 each"
    assert improvement(seen[:3], REIGNED).linked is None, "nothing links agent:3"


def test_a_figure_without_interval_leaves_the_links_without_one() -> None:
    seen = [observation(0.5, 9, low=None), observation(0.7, 9.1, "agent:2")]
    linked = improvement(seen, REIGNED[:2]).linked
    assert linked is not None
    assert linked.value == pytest.approx(0.2)
    assert (linked.low, linked.high) == (None, None)


def test_origins_are_not_mixed() -> None:
    seen = [observation(0.3, 8, origin="test"), observation(0.5, 9), observation(0.7, 9.1, "agent:2")]
    found = improvement(seen, REIGNED[:2])
    assert found.origin == "compare"
    assert found.lines[0].estimate.value == 0.5


def test_what_cannot_be_told_is_said() -> None:
    assert "no figure" in improvement([observation(0.5, 1, "other")], REIGNED).reason
    assert "agent:1" in improvement([observation(0.5, 80, "agent:3")], REIGNED).reason
    zero = improvement([observation(0.0, 1), observation(0.5, 2)], REIGNED[:1]).lines[-1]
    assert zero.relative.value is None, "nothing is relative to zero"
