from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.held_out import Level, budget, held_out_digest, largest_of, look_at
from evaluation.ledger import Ledger
from evaluation.scenarios import Part
from tests.evaluation.attempts import KINDS
from tests.evaluation.ledger.making import START


@pytest.mark.parametrize(
    ("k", "value"),
    # David and Nagaraja 2003; Harter 1961: expected values of the largest of k standard normals.
    [(1, 0.0), (2, 0.5641896), (3, 0.8462844), (5, 1.1629645), (10, 1.5387527), (100, 2.5075936)],
)
def test_the_largest_of_k_normals_is_the_published_value(k: int, value: float) -> None:
    assert largest_of(k) == pytest.approx(value, abs=5e-7)


def test_the_optimism_is_that_of_the_best_of_equal_candidates() -> None:
    drawn = np.random.default_rng(0).binomial(400, 0.8, size=(4000, 20)).max(axis=1) / 400
    found = budget(20, 400, rate=0.8).expected_optimism
    assert found == pytest.approx(100 * (drawn.mean() - 0.8), abs=0.12)
    assert budget(1, 400).expected_optimism == 0
    assert budget(20, None).expected_optimism is None


def test_the_chance_of_a_false_better_is_that_of_independent_looks() -> None:
    assert budget(0, 100).chance_of_a_false_better == 0
    assert budget(1, 100).chance_of_a_false_better == pytest.approx(0.025)
    assert budget(10, 100).chance_of_a_false_better == pytest.approx(1 - 0.975**10)


@given(st.integers(0, 300), st.integers(1, 5000))
def test_every_further_look_costs_more_and_more_scenarios_less(looks: int, scenarios: int) -> None:
    now, later = budget(looks, scenarios), budget(looks + 1, scenarios)
    assert later.chance_of_a_false_better > now.chance_of_a_false_better
    assert (later.expected_optimism or 0) >= (now.expected_optimism or 0)
    assert (budget(looks, scenarios + 1).expected_optimism or 0) <= (now.expected_optimism or 0)
    levels = list(Level)
    assert levels.index(later.level) >= levels.index(now.level)


def test_a_warning_comes_with_what_to_do() -> None:
    assert [budget(looks, 100).level for looks in (0, 1, 2, 3, 8, 9, 10**6)] == [
        Level.NONE, Level.NONE, Level.NONE, Level.WARN, Level.WARN, Level.STRONG, Level.STRONG,
    ]  # fmt: skip
    assert budget(2, 100).advice == ""
    assert "`ratchet loop` draws some" in budget(9, 100).advice
    assert "`ratchet test generate" in budget(9, 100, drawn=False).advice
    assert "looked at 9 times" in budget(9, 100).sentence
    assert "looked at once" in budget(1, 100).sentence
    assert "not looked at yet" in budget(0, 100).sentence


def test_numbers_that_cannot_be_are_refused() -> None:
    for looks, scenarios, alpha in ((-1, 10, 0.05), (1, 0, 0.05), (1, 10, 0.0), (1, 10, 1.0)):
        with pytest.raises(ValueError, match="expected looks of at least 0"):
            budget(looks, scenarios, alpha)
    with pytest.raises(ValueError, match="at least one"):
        largest_of(0)


def test_a_look_counts_once_and_by_the_scenarios(tmp_path_factory: pytest.TempPathFactory) -> None:
    first = look_at(KINDS, kind="compare", subject="m:2", origin="t001/compare", at=START)
    moved = [one.model_copy(update={"part": Part.LIVE}) for one in reversed(KINDS)]
    again = look_at(moved, kind="compare", subject="m:3", origin="t002/compare", at=START)
    other = look_at(KINDS[1:], kind="compare", subject="m:2", origin="t001/compare", at=START)
    assert first.digest == again.digest == held_out_digest(KINDS) != other.digest
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('home')}/ledger.db") as ledger:
        assert [ledger.look(one) for one in (first, first, again, other)] == [1, 1, 2, 1]
