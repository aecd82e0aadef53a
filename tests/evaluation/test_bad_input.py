"""Whatever is wrong with the rows of a comparison: a clear word or "inconclusive", never a wrong approval."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluation.ab import DEFAULT_METRICS, Conclusion, Question, conclude
from evaluation.compare import summarise
from evaluation.gate import GateOutcome, judge
from evaluation.gate_policy import GatePolicy
from evaluation.metrics import METRICS
from evaluation.pair_rows import PairRow
from evaluation.scenarios import Kind
from evaluation.watched import decided, watch_results
from tests.evaluation.rows import figures, with_figures

Rows = list[PairRow]


def rows(n: int = 200, **both: float) -> Rows:
    """Rows of a candidate that would be approved: it solves all of what the base solves half of."""
    made = []
    for arm in ("base", "candidate"):
        for at in range(n):
            solved = float(arm == "candidate" or at % 2 == 0)
            known = {
                "task_success": solved,
                "tool_accuracy": solved,
                "exact_calls": solved,
                "quality": 1 + 3 * solved,
                "latency_ms": 50.0 + at % 7,
                "cost": 1.0 + at % 3,
                "tokens_per_episode": 100.0 + at % 5,
            }
            made.append(
                PairRow(
                    scenario_id=f"s{at:05d}",
                    group=f"g{at}",
                    kind=Kind.ONE_CALL,
                    arm=arm,
                    measured=figures(**(known | both)),
                )
            )
    return made


def of(arm: str, change: Callable[[PairRow], PairRow | None]) -> Rows:
    """The rows, one arm's changed; None: left out."""
    changed = [change(row) if row.arm == arm else row for row in rows()]
    return [row for row in changed if row is not None]


def at(row: PairRow) -> int:
    return int(row.scenario_id[1:])


def renamed(row: PairRow, scenario: str) -> PairRow:
    return row.model_copy(update={"scenario_id": scenario})


BAD: dict[str, Rows] = {
    "no rows": [],
    "one arm empty": of("base", lambda row: None),
    "the other arm empty": of("candidate", lambda row: None),
    "no scenario in common": of("base", lambda row: renamed(row, f"other{at(row)}")),
    "half of the scenarios missing": of("candidate", lambda row: None if at(row) % 2 else row),
    "one scenario": rows(1),
    "all fail": rows(task_success=0.0, tool_accuracy=0.0, exact_calls=0.0, quality=0.0),
    "all succeed": rows(task_success=1.0, tool_accuracy=1.0, exact_calls=1.0, quality=4.0),
    "ties in everything": rows(task_success=0.0, tool_accuracy=1.0, exact_calls=0.0, quality=2.0, cost=1.0),
    "nothing measured": [row.model_copy(update={"measured": {}}) for row in rows()],
    "success never judged": [with_figures(row, task_success=None) for row in rows()],
    "NaN latency": of("candidate", lambda row: with_figures(row, latency_ms=math.nan)),
    "infinite latency": of("base", lambda row: with_figures(row, latency_ms=math.inf)),
    "negative latency: a clock that went back": of("candidate", lambda row: with_figures(row, latency_ms=-5.0)),
    "negative cost": of("candidate", lambda row: with_figures(row, cost=-0.01)),
    "NaN quality": of("candidate", lambda row: with_figures(row, quality=math.nan)),
    "every row twice": rows() + rows(),
    "another kind in one arm": of("candidate", lambda row: row.model_copy(update={"kind": Kind.CHAIN})),
    "another group in one arm": of("candidate", lambda row: row.model_copy(update={"group": "g"})),
    "only the arm's name differs": of("candidate", lambda row: row.model_copy(update={"arm": "challenger"})),
    "further attempts of one arm": rows()
    + [row.model_copy(update={"attempt": 1}) for row in rows() if row.arm == "candidate"],
    "too few": rows(20),
}


def test_the_good_case_is_approved() -> None:
    assert judge(summarise(rows()), GatePolicy()).outcome is GateOutcome.APPROVE


@pytest.mark.parametrize("name", BAD)
def test_nothing_that_is_wrong_is_approved_and_all_of_it_is_explained(name: str) -> None:
    decision = judge(summarise(BAD[name]), GatePolicy())
    assert decision.outcome is not GateOutcome.APPROVE
    held = [rule for rule in decision.rules if rule.blocks]
    assert held
    assert all(rule.reason and rule.change for rule in held)


@pytest.mark.parametrize("name", BAD)
def test_no_comparison_of_it_ends_better(name: str) -> None:
    question = Question(metrics=DEFAULT_METRICS)
    comparison = summarise(BAD[name])
    found = conclude({"candidate": comparison}, question, METRICS)
    # Rows that came twice are used once, and further attempts left out: what is left may well be better.
    spoilt = ("every row twice", "further attempts of one arm", "half of the scenarios missing")
    measured = ("latency", "cost", "quality")
    if not name.startswith(spoilt) and not any(word in name for word in measured) and name != "too few":
        assert found.conclusion is not Conclusion.BETTER
    assert found.recommendation
    watched = watch_results(BAD[name], comparison, question, METRICS)
    assert set(watched) == set(DEFAULT_METRICS)
    assert decided(BAD[name], comparison, question, METRICS) in (True, False)


VALUES = st.one_of(st.none(), st.sampled_from([0.0, 1.0, math.nan, math.inf, -1.0, 1e308, 5e-324]), st.floats())


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3), st.integers(0, 1), VALUES, VALUES), max_size=24
    )
)
@example([("a", 0, 0, 5e-324, None), ("b", 0, 0, 1.0, None)])
@example([("a", 0, 0, 1.0, 5e-324), ("b", 0, 0, 5e-324, 1e308)])
@settings(max_examples=60, deadline=None)
def test_any_rows_can_be_compared_and_judged(drawn: list[tuple[str, int, int, float | None, float | None]]) -> None:
    made = [
        PairRow(
            scenario_id=f"s{scenario}",
            group=f"g{scenario % 2}",
            kind=Kind.ONE_CALL,
            arm=arm,
            attempt=attempt,
            measured={"task_success": success, "cost": cost, "latency_ms": cost, "quality": success},
        )
        for arm, scenario, attempt, success, cost in drawn
    ]
    comparison = summarise(made, "a", "b")
    assert judge(comparison, GatePolicy()).outcome is not GateOutcome.APPROVE, "three scenarios are too few"
    conclude({"b": comparison}, Question(metrics=("task_success", "cost", "latency_p95")), METRICS)


def test_many_scenarios_are_compared_without_trouble() -> None:
    n = 20_000
    rng = np.random.default_rng(0)
    made = [
        PairRow(
            scenario_id=f"s{place}",
            group=f"g{place}",
            kind=Kind.ONE_CALL,
            arm=arm,
            measured={"task_success": float(rng.random() < share), "cost": 1.0},
        )
        for arm, share in (("base", 0.8), ("candidate", 0.82))
        for place in range(n)
    ]
    difference = summarise(made).metrics["task_success"].difference
    assert difference.value == pytest.approx(0.02, abs=0.015)
    assert difference.n == n
