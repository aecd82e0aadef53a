import math
import random
import time

import numpy as np
import pytest
from scipy import stats

from evaluation.compare import summarise
from evaluation.metrics import METRICS
from evaluation.pair_rows import PairRow, read_rows, write_rows
from evaluation.records import ToolCall, Verdict
from evaluation.scenarios import ExpectedArgument, ExpectedCall, Kind
from tests.evaluation.rows import figures, with_figures


def row(scenario: int, arm: str, success: bool | None = True, **fields) -> PairRow:
    """Make a row; `fields` may be fields of the row, or figures."""
    own = {name: fields.pop(name) for name in list(fields) if name not in METRICS}
    known = figures(
        tool_accuracy=success,
        exact_calls=success,
        task_success=success,
        task_completion=success,
        protocol_clean=True,
        quality=4.0 if success else 1.0,
        tokens_per_episode=100.0 + scenario,
        latency_ms=50.0 + scenario % 7,
        cost=0.01,
    )
    return PairRow(
        **{
            "scenario_id": f"s{scenario:04d}",
            "group": f"g{scenario // 3}",
            "kind": Kind.ONE_CALL if scenario % 2 else Kind.CHAIN,
            "tags": ("held_out_tool",) if scenario % 5 == 0 else (),
            "arm": arm,
            "measured": known | figures(**fields),
            **own,
        }
    )


def simulated(n: int, seed: int = 0) -> list[PairRow]:
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        rows.append(row(i, "base", bool(rng.random() < 0.6), latency_ms=float(rng.gamma(4, 20))))
        rows.append(row(i, "candidate", bool(rng.random() < 0.8), latency_ms=float(rng.gamma(4, 18))))
    return rows


def test_figures_can_be_recomputed_by_hand():
    rows = simulated(120)
    comparison = summarise(rows)
    base = [r.success for r in rows if r.arm == "base"]
    candidate = [r.success for r in rows if r.arm == "candidate"]
    success = comparison.metrics["task_success"]
    assert success.difference.value == pytest.approx((sum(candidate) - sum(base)) / 120)
    gained = sum(c and not b for b, c in zip(base, candidate, strict=True))
    lost = sum(b and not c for b, c in zip(base, candidate, strict=True))
    exact = stats.binomtest(gained, gained + lost).pvalue
    assert success.p_value == pytest.approx(exact - stats.binom.pmf(gained, gained + lost, 0.5))  # mid-p
    assert success.difference.low < success.difference.value < success.difference.high
    assert comparison.base["task_success"].value == pytest.approx(sum(base) / 120)
    assert comparison.problems.any is False
    assert list(comparison.base) == list(comparison.candidate) == list(comparison.metrics) == list(METRICS)


def test_latency_and_cost_count_only_where_both_solved():
    rows = simulated(120)
    both = [
        (b.measured["latency_ms"], c.measured["latency_ms"])
        for b, c in zip(rows[::2], rows[1::2], strict=True)
        if b.success and c.success
    ]
    latency = summarise(rows).metrics["latency_ms"]
    assert latency.difference.n == len(both) < 120
    assert latency.ratio.value == pytest.approx(sum(c for _, c in both) / sum(b for b, _ in both))
    assert summarise(rows).candidate["latency_ms"].n == len(both), "columns and difference are of the same scenarios"


def test_a_scenario_that_was_not_timed_lacks_nothing_and_one_timed_by_half_does():
    rows = [row(i, arm, True, latency_ms=None if i < 30 else 50.0) for i in range(80) for arm in ("base", "candidate")]
    latency = summarise(rows).metrics["latency_ms"]
    assert (latency.difference.n, latency.missing) == (50, 0)
    rows[0] = with_figures(rows[0], latency_ms=50.0)
    assert summarise(rows).metrics["latency_ms"].missing == 1


def test_giving_up_early_is_no_saving():
    rows = [row(i, "base", True, cost=1.0) for i in range(80)]
    rows += [row(i, "candidate", i >= 40, cost=1.0 if i >= 40 else 0.01) for i in range(80)]
    assert summarise(rows).metrics["cost"].identical


def test_the_order_of_rows_changes_nothing_and_swapped_arms_flip_the_sign():
    rows = simulated(90)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert summarise(shuffled) == summarise(rows)
    forth, back = summarise(rows), summarise(rows, base="candidate", candidate="base")
    for name, metric in forth.metrics.items():
        other = back.metrics[name]
        if metric.difference.n == 0:
            continue
        assert metric.difference.value == pytest.approx(-other.difference.value)
        assert (metric.difference.low is None) == (other.difference.high is None)
        if metric.difference.low is not None:
            assert metric.difference.low == pytest.approx(-other.difference.high, abs=1e-7)
        assert metric.p_value == pytest.approx(other.p_value)


def test_breakdown_by_kind_and_held_out_tools():
    comparison = summarise(simulated(100))
    assert {part.name: part.scenarios for part in comparison.slices} == {
        "kind:chain": 50,
        "kind:one_call": 50,
        "tag:held_out_tool": 20,
        "tool:no tool": 100,
    }


def test_attempts_at_a_scenario_are_averaged_first():
    rows = [
        row(i, arm, (i + a) % 2 == 0, attempt=a) for i in range(40) for a in range(2) for arm in ("base", "candidate")
    ]
    success = summarise(rows).metrics["task_success"]
    assert (success.difference.n, success.base.value, success.identical) == (40, 0.5, True)


def test_what_cannot_be_compared_is_reported():
    rows = simulated(40)
    rows = [r for r in rows if not (r.scenario_id == "s0003" and r.arm == "candidate")]
    rows.append(rows[0])
    rows[10] = with_figures(rows[10], latency_ms=math.nan, cost=-1.0, task_success=True)
    rows[9] = with_figures(rows[9], task_success=True)
    rows[20] = rows[20].model_copy(update={"group": "another"})
    rows.append(row(1, "third"))
    comparison = summarise(rows)
    problems = comparison.problems
    assert problems.unpaired == ("s0003#0",)
    assert problems.duplicated == ("s0000#0@base",)
    assert problems.mismatched == (rows[20].scenario_id,)
    assert problems.foreign == ("third",)
    where = f"{rows[10].scenario_id}#0@{rows[10].arm}"
    assert problems.impossible == (f"{where}.cost", f"{where}.latency_ms")
    assert comparison.metrics["latency_ms"].missing + comparison.metrics["cost"].missing >= 1
    assert comparison.scenarios == 38


def test_an_empty_arm_gives_no_figures():
    comparison = summarise([row(i, "base") for i in range(5)])
    assert comparison.scenarios == 0
    assert comparison.metrics["task_success"].difference.value is None
    assert comparison.metrics["task_success"].p_value is None
    assert summarise([]).scenarios == 0


def test_rows_survive_a_file(tmp_path):
    full = row(
        1,
        "base",
        expected_calls=(ExpectedCall(name="t", arguments={"a": ExpectedArgument(any_of=(1, "x"))}),),
        given_calls=(ToolCall(id="c", name="t", arguments={"a": 1}),),
        verdicts={"answer": Verdict.PASSED},
    )
    path = tmp_path / "compare.jsonl"
    write_rows(path, [full, row(2, "base", None)])
    assert read_rows(path) == [full, row(2, "base", None)]
    path.write_text(path.read_text() + '{"arm": "base"}\n')
    with pytest.raises(ValueError, match="line 3"):
        read_rows(path)


@pytest.mark.slow
def test_ten_thousand_scenarios_take_seconds():
    rows = simulated(10_000)
    start = time.process_time()
    summarise(rows)
    assert time.process_time() - start < 20
