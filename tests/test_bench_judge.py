"""The benchmark of judgement reckons rightly on small counts, simulates what it says, and tells what is missing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from evaluation.compare import summarise
from evaluation.stats.betting import PairedSequence, shares_staked
from evaluation.stats.intervals import proportion
from evaluation.stats.paired import PairCounts
from tests import bench_judge, bench_judge_power
from tests.bench_eval_rows import Figure, NotMeasured, Skipped
from tests.bench_judge_gate import (
    EQUAL,
    SIMULATIONS,
    WORSE,
    approved,
    compared,
    false_rows,
    gate_rows,
    one_metric,
    outcomes,
    report_rows,
    rows_of,
    whole,
)
from tests.bench_judge_power import beside, is_better, power_rows, tables
from tests.bench_judge_stats import (
    ALPHA,
    TRIALS,
    chance,
    drawn,
    ever_wrong,
    exact_coverage,
    paired_coverage,
    proportion_rows,
    simulated_rows,
    spread,
    trial,
    watched_rows,
)


def test_a_bar_is_met_within_monte_carlo_error() -> None:
    assert chance("a", 119, 2000, most=0.05).met is False
    assert chance("a", 115, 2000, most=0.05).met is True
    assert chance("a", 1850, 2000, least=0.94).met is False
    assert chance("a", 1865, 2000, least=0.94).met is True
    found = chance("a", 3, 10)
    assert (found.figure, found.ours, found.met, found.bar) == ("a (n = 10)", 0.3, None, None)
    assert (found.low, found.high) == (proportion(3, 10).low, proportion(3, 10).high)
    with pytest.raises(NotMeasured, match="a: expected runs, found none"):
        chance("a", 0, 0)


def test_coverage_is_summed_exactly() -> None:
    # Of two trials, the interval of 0 is [0, 0.842], of 1 [0.013, 0.987], of 2 [0.158, 1].
    assert exact_coverage(2, np.array([0.005, 0.5, 0.9])) == pytest.approx([0.995**2, 1.0, 1 - 0.1**2])
    least, mean = proportion_rows((30,))
    assert least.ours is not None
    assert mean.ours is not None
    assert 0.95 <= least.ours < mean.ours < 0.98
    assert 0.9 < paired_coverage(20, 0.3) < 1


def test_the_watched_evidence_is_that_of_the_sequence_itself() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(12):
        values = np.where(rng.random(60) < 0.5, rng.choice([1.0, -1.0], 60, p=[0.75, 0.25]), 0.0)
        sequence, wrong = PairedSequence(ALPHA), False
        for value in values:
            sequence.add(np.array([value]))
            wrong = wrong or sequence.excludes(0.0)
        assert ever_wrong(values, shares_staked(), math.log(1 / ALPHA)) == wrong
        seen.add(wrong)
    assert seen == {True, False}
    assert not ever_wrong(np.zeros(5), shares_staked(), math.log(20))
    assert abs(float(np.abs(drawn(rng, 4000)).mean()) - 0.15) < 0.03
    first, *widths = watched_rows(4, 400, 0)
    assert first.bar == ALPHA
    assert all(width.ratio is not None and 0.9 < width.ratio < 1.5 for width in widths)


@pytest.mark.parametrize("name", TRIALS)
def test_every_interval_holds_its_truth_mostly(name: str) -> None:
    assert sum(trial(name, 60, [1, run]) for run in range(12)) >= 8


def test_simulations_are_the_same_again_whoever_does_them() -> None:
    assert spread(abs, [-1, 2]) == [1, 2]  # type: ignore[arg-type, list-item]
    one, other = (list(simulated_rows(3, 5, (20,))) for _ in range(2))
    assert one == other
    assert [row.bar for row in one] == [0.94] * len(TRIALS)


def test_power_is_put_beside_the_best_of_the_peers() -> None:
    flags = np.array([1.0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1])
    peers = {"worse": np.zeros(12), "best": np.where(np.arange(12) == 0, 0.0, 1.0)}
    ours, *others = beside(chance("found", 9, 12), flags, peers, "statsmodels 1")
    assert (ours.ours, ours.peer_settings) == (0.75, "best of 2: best")
    assert ours.peer == pytest.approx(11 / 12)
    assert ours.ratio == pytest.approx(9 / 11)
    assert ours.low is not None
    assert ours.low < 9 / 11
    assert [row.peer_settings for row in others] == ["best", "worse"]
    assert is_better(PairCounts(450, 60, 30, 60))
    assert not is_better(PairCounts(450, 30, 60, 60))
    assert not is_better(PairCounts(450, 46, 44, 60))
    asked = tables(50, 0)
    assert {table.n for table in asked} == {600}
    assert np.mean([table.candidate - table.base for table in asked]) == pytest.approx(30, abs=8)


def test_without_the_peers_ours_is_measured_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_judge_power, "install", lambda _: "no network")
    exact, ours, skipped = power_rows(20, 0)
    assert isinstance(exact, Figure)
    assert exact.ours == pytest.approx(0.8921, abs=0.0005)
    assert isinstance(ours, Figure)
    assert ours.peer is None
    assert skipped == Skipped("the same by statsmodels and scipy", "no network")


def test_simulated_arms_are_as_different_as_they_should_be() -> None:
    rng = np.random.default_rng(3)
    base, candidate = outcomes(rng, 20_000, WORSE)[:, :, 0]
    assert (base.mean(), candidate.mean()) == (pytest.approx(0.80, abs=0.01), pytest.approx(0.70, abs=0.01))
    assert (base != candidate).mean() == pytest.approx(0.15, abs=0.01)
    figures = whole(rng, 4000, EQUAL, cheaper=0.5).measured
    assert figures["cost"][1].mean() / figures["cost"][0].mean() == pytest.approx(0.5, abs=0.05)
    for draw, name in SIMULATIONS.values():
        arms = np.mean([draw(np.random.default_rng(run)).measured[name].mean(axis=(1, 2)) for run in range(60)], axis=0)
        assert arms[1] / arms[0] == pytest.approx(1.0, abs=0.03)


def test_rows_hold_every_figure_of_every_attempt() -> None:
    draw, name = SIMULATIONS["clustered"]
    simulated = draw(np.random.default_rng(0))
    rows = rows_of(simulated)
    assert len(rows) == simulated.measured[name].size
    found = summarise(rows)
    assert found.clusters == 40
    assert not found.problems.any
    assert found.metrics[name].base.value == pytest.approx(simulated.measured[name][0].mean())


def test_comparisons_and_the_gate_are_counted() -> None:
    for draw, name in SIMULATIONS.values():
        found = one_metric(draw, name, [0, 1])
        assert found.interval or not found.differs
    assert not approved(60, WORSE, 0.5, [0])
    better = EQUAL._replace(difference=0.14)
    assert approved(400, better, 0.5, [0]), "a clearly better and cheaper candidate gets through"
    assert compared(whole(np.random.default_rng(0), 40, EQUAL)).metrics["cost"].difference.n < 40
    assert [row.bar for row in false_rows(2, 0)] == [ALPHA] * 6
    assert [row.bar for row in gate_rows(2, 1, 0, large=60)] == [ALPHA, ALPHA, 0.0]
    (report,) = report_rows(40, 2, 0)
    assert report.met
    with pytest.raises(NotMeasured, match="expected episodes, found none"):
        list(report_rows(0, 1, 0))


def test_figures_are_written_and_the_status_says_whether_all_was_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench_judge, "RESULTS", tmp_path / "judge.json")
    monkeypatch.setattr("sys.argv", ["bench_judge", "--only", "power", "--runs", "9"])
    monkeypatch.setattr(bench_judge_power, "install", lambda _: "no network")
    assert bench_judge.main() == 0
    rows = json.loads((tmp_path / "judge.json").read_text())
    assert [row["bar"] for row in rows] == [0.8, 0.8]
    assert tuple(bench_judge.parts(bench_judge.SIZES[True], 0)) == bench_judge.PARTS
    monkeypatch.setattr("sys.argv", ["bench_judge", "--only", "report", "--episodes", "0"])
    assert bench_judge.main() == 1
