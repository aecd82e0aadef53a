from __future__ import annotations

from random import Random

import pytest

from evaluation.metrics import METRICS
from evaluation.records import Example
from evaluation.standings import standings
from tests.cluster.history_making import attempted
from tests.evaluation.seen import at

SUCCESS = METRICS["task_success"]


def examples() -> list[Example]:
    """Three versions that share scenarios, two of them directly, and one that shares none."""
    lot, out = Random(3), []
    for version, chance, begin in (("a:1", 0.3, 0), ("a:2", 0.6, 0), ("a:3", 0.9, 20), ("b:1", 0.5, 900)):
        for n in range(40):
            out.append(attempted(n, f"s{begin + n}", version, success=lot.random() < chance, run="r", at=at(n / 99)))
    return out


def test_versions_are_ranked_and_those_that_share_nothing_stand_apart() -> None:
    found = standings(examples(), SUCCESS)
    assert [(one.rating.version, one.rating.group) for one in found] == [("a:3", 0), ("a:2", 0), ("a:1", 0), ("b:1", 1)]
    first = found[0]
    assert (first.scenarios, first.rating.strength.n) == (40, 20)
    assert first.rating.comparisons == 40, "against two others on the 20 scenarios that it shares"
    assert first.rating.strength.low is not None
    assert found[-1].rating.strength.value is None


def test_the_same_examples_give_the_same_figures_in_any_order() -> None:
    made = examples()
    shuffled = made[:]
    Random(1).shuffle(shuffled)
    assert standings(made, SUCCESS) == standings(shuffled, SUCCESS) == standings([*made, *made[:0]], SUCCESS)


def test_less_is_better_where_the_metric_says_so() -> None:
    cheap = [one.model_copy(update={"metrics": one.metrics.model_copy(update={"tokens_out": 1})})
             if one.provenance.model_version == "a:1" else one for one in examples()]  # fmt: skip
    found = standings(cheap, METRICS["tokens_per_episode"])
    assert found[0].rating.version == "a:1"
    assert found[0].mean == 11


def test_only_the_latest_run_of_a_version_counts() -> None:
    worse = [attempted(n, f"s{20 + n}", "a:3", success=False, run="later", at=at(5)) for n in range(40)]
    assert next(one for one in standings([*examples(), *worse], SUCCESS) if one.rating.version == "a:3").mean == 0


def test_no_examples_and_quantiles() -> None:
    assert standings([], SUCCESS) == []
    with pytest.raises(ValueError, match="latency_ms"):
        standings([], METRICS["latency_p50"])
