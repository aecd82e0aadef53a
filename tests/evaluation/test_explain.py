from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.explain import of_examples, of_rows, simpson
from evaluation.metrics import METRICS
from evaluation.records import Example
from evaluation.slices import By
from evaluation.stats.decompose import decompose
from tests.cluster.history_making import attempted, rows
from tests.evaluation.seen import at

SUCCESS = METRICS["task_success"]
REFS = {"base": "agent:1", "candidate": "agent:2"}
BOTH = ("agent:1", "agent:2")


def made_by(version: str, right: int, *, scenarios: int = 20, begin: int = 0, run: str = "r1") -> list[Example]:
    """Attempts of which the first `right` succeeded; the tool changes from scenario to scenario."""
    return [
        attempted(n, f"s{begin + n}", version, success=n < right, run=run, at=at(n / 100), tool=("a", "b")[n % 2])
        for n in range(scenarios)
    ]


@pytest.mark.parametrize("by", [By.KIND, By.TOOL, By.TAG, By.GROUP])
def test_parts_of_a_comparison_sum_to_the_whole(by: By) -> None:
    found = of_rows(rows("base", "candidate"), REFS, SUCCESS, by, what="")
    assert found.decomposition.difference is not None
    assert math.isclose(found.total, found.decomposition.difference, abs_tol=1e-12)
    assert all(part.mix == pytest.approx(0, abs=1e-12) for part in found.decomposition.parts)
    assert found.paired


def test_the_tool_that_got_worse_is_found_and_the_order_turns_the_sign() -> None:
    found = of_rows(rows("base", "candidate"), REFS, SUCCESS, By.TOOL, what="")
    assert {part.slice: part.total > 0 for part in found.decomposition.parts} == {
        "book": True, "mail": False, "search": True,
    }  # fmt: skip
    turned = of_rows(rows("base", "candidate"), dict(reversed(REFS.items())), SUCCESS, By.TOOL, what="")
    assert turned.first == "agent:2"
    assert turned.total == pytest.approx(-found.total)


def test_cost_is_divided_where_both_solved() -> None:
    made = rows("base", "candidate")
    both = {row.scenario_id for row in made if row.success and row.arm == "base"} & {
        row.scenario_id for row in made if row.success and row.arm == "candidate"
    }
    found = of_rows(made, REFS, METRICS["cost"], By.KIND, what="")
    assert sum(part.figure.n for part in found.decomposition.parts) == len(both)
    assert found.left_out == 120 - len(both)


def test_examples_on_shared_scenarios_are_paired() -> None:
    found = of_examples([*made_by("agent:1", 5), *made_by("agent:2", 15)], BOTH, SUCCESS, By.TOOL)
    assert found.paired
    assert found.decomposition.difference == pytest.approx(0.5)
    assert math.isclose(found.total, 0.5)
    assert {part.slice for part in found.decomposition.parts} == {"a", "b"}


def test_the_latest_run_counts_with_the_mean_of_its_attempts() -> None:
    old = [one.model_copy(update={"timestamp": at(-9)}) for one in made_by("agent:2", 20, run="r0")]
    twice = [one.model_copy(update={"id": f"{one.id}-again"}) for one in made_by("agent:2", 0)]
    found = of_examples([*made_by("agent:1", 0), *old, *made_by("agent:2", 20), *twice], BOTH, SUCCESS, By.PART)
    assert found.decomposition.second == pytest.approx(0.5)


def test_examples_on_other_scenarios_are_not_paired() -> None:
    found = of_examples([*made_by("agent:1", 5), *made_by("agent:2", 15, begin=100)], BOTH, SUCCESS, By.TOOL)
    assert not found.paired
    assert "not the same" in found.what
    assert found.total == pytest.approx(0.5)


def test_the_same_id_with_another_question_is_another_scenario() -> None:
    others = [one.model_copy(update={"query": f"{one.query}, please"}) for one in made_by("agent:2", 15)]
    assert not of_examples([*made_by("agent:1", 5), *others], BOTH, SUCCESS, By.TOOL).paired


def test_steps_of_agents_are_no_attempts() -> None:
    steps = [one.model_copy(update={"id": f"{one.id}-step", "validations": ()}) for one in made_by("agent:2", 0)]
    made = [*made_by("agent:1", 5), *made_by("agent:2", 15), *steps]
    found = of_examples(made, BOTH, METRICS["tokens_per_episode"], By.TOOL)
    assert found.decomposition.second == 13, "10 tokens in, 3 out"


def test_one_version_without_examples_has_no_difference() -> None:
    assert of_examples(made_by("agent:1", 5), BOTH, SUCCESS, By.TOOL).decomposition.difference is None


def test_what_records_do_not_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="--by: expected kind, tool, tag, group, found task_key"):
        of_rows([], REFS, SUCCESS, By.TASK_KEY, what="")
    with pytest.raises(ValueError, match="--by"):
        of_examples([], BOTH, SUCCESS, By.KIND)
    with pytest.raises(ValueError, match="latency_ms"):
        of_rows([], REFS, METRICS["latency_p95"], By.KIND, what="")


def test_simpsons_trap_is_named() -> None:
    # Better in both slices, worse on the whole: the second version met the hard ones more often.
    first = {"easy": [1.0] * 80 + [0.0] * 10, "hard": [1.0] * 2 + [0.0] * 8}
    second = {"easy": [1.0] * 10, "hard": [1.0] * 30 + [0.0] * 60}
    found = decompose(first, second)
    assert found.difference is not None
    assert found.difference < 0
    assert simpson(found)
    assert not simpson(decompose(first, first | {"easy": [1.0] * 90}))
    assert not simpson(decompose({"one": [0.0, 1.0]}, {"one": [1.0, 1.0]})), "one slice is the whole"


SIDE = st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=12), max_size=4)


@settings(max_examples=80, deadline=None)
@given(SIDE, SIDE)
def test_parts_always_sum_to_the_difference(first: dict[str, list[float]], second: dict[str, list[float]]) -> None:
    made = [
        attempted(n, f"{version}-{name}-{n}", version, success=value == 1.0, run="r", at=at(0), tool=name)
        for version, side in zip(BOTH, (first, second), strict=True)
        for name, values in side.items()
        for n, value in enumerate(values)
    ]
    found = of_examples(made, BOTH, SUCCESS, By.TOOL)
    difference = found.decomposition.difference
    assert math.isclose(found.total, difference or 0.0, abs_tol=1e-9)
    assert (difference is None) == (not any(first.values()) or not any(second.values()))
