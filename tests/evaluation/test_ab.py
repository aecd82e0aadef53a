"""What comparisons come to; parts that go against the whole; comparisons that are watched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.ab import DEFAULT_METRICS, ABResult, Conclusion, Question, conclude, figure_text, judged, pairs_of
from evaluation.compare import summarise
from evaluation.contrary import Strength, contrary
from evaluation.metrics import METRICS
from evaluation.pair_rows import PairRow
from evaluation.scenarios import Kind
from evaluation.stats.intervals import Estimate
from evaluation.watched import always_valid, decided, watch_results
from tests.evaluation.rows import figures

SUCCESS = Question(metrics=("task_success",))


def arm(name: str, solved: Any, **more: Any) -> list[PairRow]:
    """Make an arm's rows from an array of successes; `more`: arrays of figures, or tags and kinds."""
    kinds, tags = more.pop("kinds", None), more.pop("tags", None)
    return [
        PairRow(
            scenario_id=f"s{at:05d}",
            group=f"g{at}",
            kind=Kind.ONE_CALL if kinds is None else kinds[at],
            tags=() if tags is None else tags[at],
            arm=name,
            measured=figures(task_success=one, **{key: values[at] for key, values in more.items()}),
        )
        for at, one in enumerate(solved)
    ]


def pairs(n: int, *, base: float, gain: float, discordant: float = 0.15, seed: int = 0) -> tuple[Any, Any]:
    only_b, only_a = (discordant + gain) / 2, (discordant - gain) / 2
    cell = np.random.default_rng(seed).choice(4, size=n, p=[base - only_a, only_b, only_a, 1 - base - only_b])
    return np.isin(cell, (0, 2)), np.isin(cell, (0, 1))


def result(question: Question = SUCCESS, **arms: Any) -> ABResult:
    names = list(arms)
    compared = {
        name: summarise([*arms[names[0]], *arms[name]], names[0], name, alpha=question.alpha) for name in names[1:]
    }
    between = {(a, b): summarise([*arms[a], *arms[b]], a, b) for a, b in pairs_of(names)}
    return conclude(compared, question, METRICS, between=between)


@pytest.mark.parametrize(
    ("n", "gain", "conclusion", "status"),
    [
        (600, 0.08, Conclusion.BETTER, 0),
        (4000, 0.0, Conclusion.EQUAL, 0),
        (600, -0.10, Conclusion.WORSE, 3),
        (60, 0.0, Conclusion.UNCLEAR, 4),
    ],
)
def test_the_first_metric_decides(n: int, gain: float, conclusion: Conclusion, status: int) -> None:
    a, b = pairs(n, base=0.8, gain=gain)
    found = result(a=arm("a", a), b=arm("b", b))
    assert (found.conclusion, found.exit_status) == (conclusion, status)
    assert (found.winner == "b") == (conclusion is Conclusion.BETTER)
    if conclusion is Conclusion.UNCLEAR:
        further = found.arms[0].metrics[0].further
        assert further is not None
        assert f"About {further} further scenarios" in found.recommendation


def test_copies_on_few_scenarios_are_not_shown_to_be_equal() -> None:
    a, _ = pairs(30, base=0.5, gain=0.0)
    found = result(a=arm("a", a), b=arm("b", a))
    assert found.conclusion is Conclusion.UNCLEAR


def test_a_loss_within_the_margin_is_equal_even_where_it_is_certain() -> None:
    a = np.ones(4000, dtype=bool)
    b = np.arange(4000) >= 40
    found = result(a=arm("a", a), b=arm("b", b))
    one = found.arms[0].metrics[0]
    assert one.p_holm is not None
    assert one.p_holm < 0.001
    assert found.conclusion is Conclusion.EQUAL
    strict = result(Question(metrics=("task_success",), margin=0.0), a=arm("a", a), b=arm("b", b))
    assert strict.conclusion is Conclusion.WORSE


def test_a_guard_that_is_worse_makes_the_arm_worse() -> None:
    a, b = pairs(600, base=0.8, gain=0.08)
    cost = np.linspace(1.0, 2.0, 600)
    question = Question(metrics=("task_success", "cost"))
    dear = result(question, a=arm("a", a, cost=cost), b=arm("b", b, cost=cost * 1.5))
    assert dear.conclusion is Conclusion.WORSE
    assert dear.winner is None
    assert "It is worse in cost/1000" in dear.arms[0].sentence
    same = result(question, a=arm("a", a, cost=cost), b=arm("b", b, cost=cost))
    assert same.winner == "b"


def test_with_several_arms_the_best_wins_and_what_is_open_is_said() -> None:
    a, b = pairs(600, base=0.7, gain=0.10, discordant=0.2)
    c = b.copy()
    c[np.flatnonzero(~c)[:3]] = True
    found = result(a=arm("a", a), b=arm("b", b), c=arm("c", c))
    assert found.winner == "c"
    assert "better than b, too, is not shown" in found.recommendation
    assert list(found.between) == ["c − b"]
    far = result(a=arm("a", a), b=arm("b", b), d=arm("d", np.ones(600, dtype=bool)))
    assert far.winner == "d"
    assert "is not shown" not in far.recommendation
    bad = result(a=arm("a", a), e=arm("e", np.zeros(600, dtype=bool)), f=arm("f", np.zeros(600, dtype=bool)))
    assert (bad.winner, bad.exit_status) == (None, 3)


def test_p_values_are_corrected_over_metrics_and_arms() -> None:
    a, b = pairs(400, base=0.8, gain=0.05)
    question = Question(metrics=("task_success", "tool_accuracy", "exact_calls"))
    rows = {name: arm(name, solved, tool_accuracy=solved, exact_calls=solved) for name, solved in (("a", a), ("b", b))}
    found = result(question, **rows, c=arm("c", b, tool_accuracy=b, exact_calls=b))
    raw = found.arms[0].comparison.metrics["task_success"].p_value
    assert raw is not None
    assert found.arms[0].metrics[0].p_holm == pytest.approx(min(1.0, 6 * raw))


def test_what_was_not_compared_is_refused_and_what_has_no_pairs_is_unclear() -> None:
    a, b = pairs(50, base=0.8, gain=0.0)
    with pytest.raises(ValueError, match="expected metrics that were compared, found speed"):
        result(Question(metrics=("speed",)), a=arm("a", a), b=arm("b", b))
    with pytest.raises(ValueError, match="found no comparison"):
        conclude({}, SUCCESS, METRICS)
    none = result(Question(metrics=("user_rating",)), a=arm("a", a), b=arm("b", b))
    assert none.conclusion is Conclusion.UNCLEAR
    assert "cannot be told" in none.recommendation
    empty = result(a=arm("a", a), b=[])
    assert empty.exit_status == 4


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_swapped_arms_swap_better_and_worse(found: list[tuple[bool, bool]]) -> None:
    a, b = np.array([one for one, _ in found]), np.array([two for _, two in found])
    strict = Question(metrics=("task_success",), margin=0.0)
    forth = result(strict, a=arm("a", a), b=arm("b", b)).arms[0].metrics[0]
    back = result(strict, b=arm("b", b), a=arm("a", a)).arms[0].metrics[0]
    assert (forth.conclusion is Conclusion.BETTER) == (back.conclusion is Conclusion.WORSE)
    assert forth.compared.difference.value == pytest.approx(-(back.compared.difference.value or 0.0))


@given(st.integers(min_value=0, max_value=200), st.integers(min_value=2, max_value=40))
@settings(max_examples=30, deadline=None)
def test_further_identical_pairs_never_change_the_direction(same: int, n: int) -> None:
    a, b = pairs(n, base=0.5, gain=0.1, discordant=0.5, seed=n)
    more = np.ones(same, dtype=bool)
    first = summarise([*arm("a", a), *arm("b", b)], "a", "b").metrics["task_success"].difference.value or 0.0
    rows = [*arm("a", np.concatenate([a, more])), *arm("b", np.concatenate([b, more]))]
    second = summarise(rows, "a", "b").metrics["task_success"].difference.value or 0.0
    assert np.sign(first) == np.sign(second)


def simpson() -> list[PairRow]:
    """B is better in the large kind and worse in the small one."""
    kinds = [Kind.ONE_CALL] * 300 + [Kind.CHAIN] * 60
    a = np.r_[np.arange(300) % 2 == 0, np.arange(60) % 5 > 0]
    b = np.r_[np.arange(300) % 4 > 0, np.arange(60) % 5 > 2]
    return [*arm("a", a, kinds=kinds), *arm("b", b, kinds=kinds)]


def test_a_part_that_goes_against_the_whole_is_named() -> None:
    comparison = summarise(simpson(), "a", "b")
    assert (comparison.metrics["task_success"].difference.low or 0) > 0
    found = contrary(comparison, METRICS["task_success"])
    assert [(one.slice, one.worse, one.strength) for one in found] == [("kind:chain", True, Strength.SHOWN)]
    back = contrary(summarise(simpson(), "b", "a"), METRICS["task_success"])
    assert [(one.slice, one.worse) for one in back] == [("kind:chain", False)]
    winner = result(a=simpson()[:360], b=simpson()[360:])
    assert "Look first at kind:chain, which goes the other way" in winner.recommendation


def test_nothing_goes_against_a_whole_that_is_open() -> None:
    a, b = pairs(100, base=0.5, gain=0.0)
    assert contrary(summarise([*arm("a", a), *arm("b", b)], "a", "b"), METRICS["task_success"]) == []


def test_a_watched_comparison_is_decided_once_its_interval_tells() -> None:
    a, b = pairs(800, base=0.6, gain=0.2, discordant=0.3, seed=1)
    rows = [*arm("a", a), *arm("b", b)]
    few = [*arm("a", a[:20]), *arm("b", b[:20])]
    assert not decided(few, summarise(few, "a", "b"), SUCCESS, METRICS)
    assert decided(rows, summarise(rows, "a", "b"), SUCCESS, METRICS)
    watched = {"b": watch_results(rows, summarise(rows, "a", "b"), SUCCESS, METRICS)}
    found = conclude({"b": summarise(rows, "a", "b")}, SUCCESS, METRICS, watched=watched)
    assert (found.watched, found.winner) == (True, "b")
    one = found.arms[0].metrics[0]
    assert one.p_holm is None
    assert one.compared.difference.low is not None
    plain = summarise(rows, "a", "b").metrics["task_success"].difference
    assert one.compared.difference.low < (plain.low or 0)


def test_equal_models_are_told_to_be_equal_within_the_margin_in_time() -> None:
    a, b = pairs(6000, base=0.9, gain=0.0, discordant=0.04)
    rows = [*arm("a", a), *arm("b", b)]
    found = watch_results(rows, summarise(rows, "a", "b"), SUCCESS, METRICS)["task_success"]
    assert found.conclusion is Conclusion.EQUAL


def test_figures_without_bounds_are_watched_asymptotically_and_not_on_few() -> None:
    rng = np.random.default_rng(0)
    solved, spent = np.ones(400, dtype=bool), rng.gamma(2, 50, 400)
    question = Question(metrics=("tokens_per_episode",))

    def found(n: int) -> Conclusion:
        rows = [*arm("a", solved[:n], tokens_per_episode=spent[:n]),
                *arm("b", solved[:n], tokens_per_episode=spent[:n] * 0.7)]  # fmt: skip
        return watch_results(rows, summarise(rows, "a", "b"), question, METRICS)["tokens_per_episode"].conclusion

    assert found(20) is Conclusion.UNCLEAR
    assert found(400) is Conclusion.BETTER


def test_always_valid_intervals_know_their_bounds() -> None:
    nothing = always_valid(np.array([]), 5.0, 0.05)
    assert (nothing.value, nothing.low, nothing.high) == (None, -5.0, 5.0)
    wide = always_valid(np.array([5.0, -5.0, 5.0]), 5.0, 0.05)
    assert wide.low is not None
    assert wide.low >= -5.0
    assert always_valid(np.array([]), None, 0.05).value is None


def test_sentences_give_shares_in_percent_and_their_differences_in_points() -> None:
    estimate = Estimate(value=0.051, low=-0.0002, high=0.1, n=10)
    assert figure_text(estimate, METRICS["task_success"], signed=True) == "+5.1 points [+0.0, +10.0]"
    assert figure_text(estimate, METRICS["task_success"]) == "5.1% [0.0, 10.0]"
    assert figure_text(estimate, METRICS["cost"]) == "51.0 [-0.2, 100.0]"
    nothing = Estimate(value=None, low=None, high=None, n=0)
    assert figure_text(nothing, METRICS["cost"]) == "not measured"


def test_judging_needs_no_ratio_where_the_base_is_zero() -> None:
    zero = summarise([*arm("a", np.zeros(200)), *arm("b", np.zeros(200))], "a", "b").metrics["task_success"]
    assert judged("task_success", zero, SUCCESS, p_holm=1.0).conclusion is Conclusion.UNCLEAR
    gained = summarise([*arm("a", np.zeros(200)), *arm("b", np.ones(200))], "a", "b").metrics["task_success"]
    assert judged("task_success", gained, SUCCESS, p_holm=gained.p_value).conclusion is Conclusion.BETTER


def test_the_default_question_is_of_known_metrics() -> None:
    assert set(DEFAULT_METRICS) <= set(METRICS)
