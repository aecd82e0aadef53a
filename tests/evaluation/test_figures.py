from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any

import numpy as np
import pytest

from evaluation.examples import Scales
from evaluation.figures import Confusion, Tally, confusions, summarize
from evaluation.outcomes import NO_TOOL, Outcome, outcome_of_episode
from evaluation.records import FailureKind, StopReason
from evaluation.scenarios import Scenario
from evaluation.stats.intervals import proportion
from evaluation.validators import judge
from tests.evaluation.attempts import BY_ID, KINDS, call, calling, follow, saying


def outcome(scenario: Scenario, **fields: Any) -> Outcome:
    episode, validations = judge(scenario, follow(scenario, saying("Hello.")))
    return outcome_of_episode(scenario, episode, validations, Scales()).model_copy(update=fields)


HELLO = outcome(BY_ID["no_tool"])


def tally(successes: list[list[bool | None]], shuffled: int = 0) -> Tally:
    """A run with these verdicts, by scenario and attempt."""
    attempts = len(successes[0])
    made = Tally(attempts)
    each = [(n * attempts + at, right) for n, one in enumerate(successes) for at, right in enumerate(one)]
    Random(shuffled).shuffle(each)
    for order, right in each:
        one = HELLO.model_copy(
            update={"task_success": right, "tokens_in": order, "scenario_id": str(order // attempts)}
        )
        made.add(order, BY_ID["no_tool"], one, StopReason.ANSWERED)
    return made


def brute(attempts: list[bool], k: int, rule: Any) -> float:
    drawn = list(combinations(attempts, k))
    return sum(rule(some) for some in drawn) / len(drawn)


def test_pass_at_k_and_pass_to_the_k_are_the_shares_of_all_draws() -> None:
    random = Random(4)
    verdicts = [[random.random() < 0.4 for _ in range(6)] for _ in range(40)]
    figures = tally([list(one) for one in verdicts]).figures()
    for k in range(1, 7):
        assert figures.pass_at[k].value == pytest.approx(np.mean([brute(one, k, any) for one in verdicts]))
        assert figures.pass_all[k].value == pytest.approx(np.mean([brute(one, k, all) for one in verdicts]))
        assert figures.pass_at[k].n == 40
    assert figures.pass_at[1] == figures.pass_all[1] == figures.metrics["task_success"]
    low, value, high = (getattr(figures.pass_at[3], name) for name in ("low", "value", "high"))
    assert low < value < high


def test_attempts_that_were_not_judged_do_not_count_as_attempts() -> None:
    figures = tally([[True, None, False], [None, None, True], [None, None, None]]).figures()
    assert {k: one.n for k, one in figures.pass_at.items()} == {1: 2, 2: 1, 3: 0}
    assert (figures.pass_at[2].value, figures.pass_all[2].value, figures.pass_at[3].value) == (1, 0, None)
    assert (figures.attempts, figures.scenarios) == (9, 3)


def test_with_one_attempt_the_interval_is_that_of_a_proportion() -> None:
    figures = tally([[True]] * 3 + [[False]]).figures()
    assert figures.metrics["task_success"] == figures.pass_all[1] == proportion(3, 4)


def test_what_ended_first_has_no_influence_on_a_figure() -> None:
    random = Random(1)
    verdicts = [[random.random() < 0.4 for _ in range(3)] for _ in range(50)]
    figures = [tally([list(one) for one in verdicts], shuffled).figures() for shuffled in range(3)]
    assert figures[0] == figures[1] == figures[2]


def test_measures_are_those_of_a_summary() -> None:
    made, every = Tally(2), []
    for order in range(2 * len(KINDS)):
        scenario = KINDS[order // 2]
        one = outcome(scenario, tokens_in=order * 7, latency_ms=order * 1.5)
        made.add(order, scenario, one, StopReason.ANSWERED)
        every.append(one)
    summary = summarize(every)
    metrics = made.figures().metrics
    assert metrics["tokens_per_episode"].value is not None
    for name, found in metrics.items():
        assert (found.value, found.low, found.high) == pytest.approx(
            (summary[name].value, summary[name].low, summary[name].high)
        )
        assert found.n == summary[name].n


@pytest.mark.parametrize(
    ("expected", "called", "pairs"),
    [
        ([], [], [(NO_TOOL, NO_TOOL)]),
        (["a"], ["a"], [("a", "a")]),
        (["a"], ["b"], [("a", "b")]),
        (["a"], [], [("a", NO_TOOL)]),
        ([], ["b"], [(NO_TOOL, "b")]),
        (["a", "b"], ["b"], [("b", "b"), ("a", NO_TOOL)]),
        (["a", "b"], ["b", "c"], [("b", "b"), ("a", "c")]),
        (["a", "a"], ["a", "a", "a"], [("a", "a"), ("a", "a"), (NO_TOOL, "a")]),
    ],
)
def test_calls_are_paired_by_name_first(expected: list[str], called: list[str], pairs: list[tuple[str, str]]) -> None:
    assert confusions(expected, called) == pairs


def test_kinds_tags_tools_failures_and_ends_are_counted() -> None:
    made = Tally()
    for order, (name, turns) in enumerate(
        [("one_call", [calling(call("stock", item="pen")), saying("Ordered.")]), ("no_tool", [saying("Hi")])]
    ):
        scenario = BY_ID[name].model_copy(update={"tags": ("held_out_tool", name)})
        episode, validations = judge(scenario, follow(scenario, *turns))
        one = outcome_of_episode(scenario, episode, validations, Scales())
        made.add(order, scenario, one.model_copy(update={"failure": FailureKind.TOOL_ERROR}), episode.stop_reason)
    figures = made.figures()
    assert figures.confusion == (
        Confusion(expected=NO_TOOL, called=NO_TOOL, count=1),
        Confusion(expected="order", called="stock", count=1),
    )
    assert {kind: one.metrics["task_success"].value for kind, one in figures.by_kind.items()} == {
        "no_tool": 1,
        "one_call": 0,
    }
    assert figures.by_tag["held_out_tool"].scenarios == 2
    assert figures.by_tag["no_tool"].metrics["tool_accuracy"] == proportion(1, 1)
    assert figures.failures == {FailureKind.TOOL_ERROR: 2}
    assert figures.stop_reasons == {StopReason.ANSWERED: 2}


def test_a_run_without_attempts_has_figures_without_values() -> None:
    figures = Tally(2).figures()
    assert all(one.value is None for one in [*figures.metrics.values(), *figures.pass_at.values()])
    assert (figures.attempts, figures.cost) == (0, 0)
