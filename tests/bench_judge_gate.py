"""Comparisons and the whole gate on simulated rows: false differences, false approvals, and the time of a report."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.compare import Comparison, MetricComparison, summarise
from evaluation.gate import GateOutcome, judge
from evaluation.gate_policy import GatePolicy
from evaluation.metrics import METRICS
from evaluation.pair_rows import PairRow
from evaluation.scenarios import Kind
from evaluation.stats.intervals import Array
from evaluation.stats.power import Supposed
from tests.bench_eval_rows import Figure, NotMeasured, seconds
from tests.bench_judge_stats import ALPHA, chance, spread

KINDS = (Kind.ONE_CALL, Kind.NO_TOOL, Kind.CHAIN, Kind.TOOL_ERROR)
ARMS = ("base", "candidate")
EQUAL = Supposed(base=0.80, difference=0.0, discordant=0.15)
WORSE = Supposed(base=0.80, difference=-0.10, discordant=0.15)


class Simulated(NamedTuple):
    """Figures of both arms: by metric, (2, scenarios, attempts)."""

    measured: Mapping[str, Array]
    groups: NDArray[np.int64]
    """(scenarios,)"""


def rows_of(simulated: Simulated) -> list[PairRow]:
    """Return the rows of a comparison."""
    names = list(simulated.measured)
    figures = np.stack([simulated.measured[name] for name in names], axis=-1).tolist()
    return [
        PairRow(scenario_id=f"s{scenario:05}", group=f"g{int(group)}", kind=KINDS[scenario % len(KINDS)], arm=arm,
                attempt=attempt, measured=dict(zip(names, values, strict=True)))
        for arm, of_arm in zip(ARMS, figures, strict=True)
        for scenario, (group, attempts) in enumerate(zip(simulated.groups, of_arm, strict=True))
        for attempt, values in enumerate(attempts)
    ]  # fmt: skip


def outcomes(rng: np.random.Generator, n: int, supposed: Supposed) -> Array:
    """Return who solved which scenario: (2, n, 1), 0 or 1."""
    both, ahead, behind, neither = supposed.cells()
    cell = rng.choice(4, size=n, p=np.array([both, ahead, behind, neither]))
    solved: Array = np.stack([np.isin(cell, (0, 2)), np.isin(cell, (0, 1))]).astype(float)[:, :, None]
    return solved


def skewed(rng: np.random.Generator, n: int, *, mean: float, factor: float = 1.0) -> Array:
    """Return costs, latencies or tokens: lognormal over scenarios, and noise of each arm; (2, n, 1)."""
    shared = mean * rng.lognormal(0.0, 0.8, (1, n, 1))
    drawn: Array = shared * rng.lognormal(0.0, 0.3, (2, n, 1))
    drawn[1] *= factor
    return drawn


def binary(rng: np.random.Generator) -> Simulated:
    """Equal arms on 200 scenarios: task success alone."""
    return Simulated({"task_success": outcomes(rng, 200, EQUAL)}, np.arange(200))


def cost(rng: np.random.Generator) -> Simulated:
    """Equal arms on 200 scenarios that both solve: skewed cost."""
    return Simulated({"task_success": np.ones((2, 200, 1)), "cost": skewed(rng, 200, mean=0.01)}, np.arange(200))


def clustered(rng: np.random.Generator) -> Simulated:
    """Equal arms, 40 groups of 1 to 9 scenarios, 3 attempts: scenarios of a group are alike in what suits which arm."""
    groups = np.repeat(np.arange(40), rng.integers(1, 10, 40))
    level = rng.beta(4.0, 1.0, 40)[groups] + np.stack([np.zeros(40), rng.normal(0.0, 0.1, 40)])[:, groups]
    solved = rng.random((2, len(groups), 3)) < np.clip(level, 0, 1)[:, :, None]
    # Which of the two is the candidate is a coin's: clipping must not favour either.
    return Simulated({"task_success": (solved[::-1] if rng.random() < 0.5 else solved).astype(float)}, groups)


def whole(rng: np.random.Generator, n: int, supposed: Supposed, *, cheaper: float = 1.0) -> Simulated:
    """Both arms with every figure that the gate asks for; `cheaper`: the candidate's tokens, cost and latency."""
    solved = outcomes(rng, n, supposed)
    # Right tools and calls mostly go with success.
    tools = np.maximum(solved, rng.random(solved.shape) < 0.5)
    noise = rng.normal(0.0, 0.4, (1, n, 1)) + rng.normal(0.0, 0.3, (2, n, 1))
    return Simulated(
        {
            "task_success": solved,
            "tool_accuracy": tools,
            "exact_calls": solved * tools,
            "task_completion": solved,
            "protocol_clean": (rng.random((2, n, 1)) < 0.97).astype(float),
            "quality": np.clip(2.0 + 2.2 * solved + noise, 0, 5),
            "tokens_per_episode": skewed(rng, n, mean=900, factor=cheaper),
            "latency_ms": skewed(rng, n, mean=400, factor=cheaper),
            "cost": skewed(rng, n, mean=0.01, factor=cheaper),
        },
        np.arange(n),
    )


def compared(simulated: Simulated) -> Comparison:
    """Compare the arms in the metrics that were simulated."""
    metrics = {name: metric for name, metric in METRICS.items() if name in simulated.measured}
    return summarise(rows_of(simulated), alpha=ALPHA, metrics=metrics)


def excludes_none(metric: MetricComparison) -> bool:
    """Whether the interval of the difference lies wholly on one side of 0."""
    low, high = metric.difference.low, metric.difference.high
    return low is not None and high is not None and (low > 0 or high < 0)


class Found(NamedTuple):
    """What one simulated comparison said."""

    interval: bool
    """The interval of the difference excludes 0."""
    differs: bool
    """That, and p < 0.05: what counts as better or worse."""


def one_metric(draw: Callable[[np.random.Generator], Simulated], name: str, seed: list[int]) -> Found:
    """Simulate one comparison."""
    metric = compared(draw(np.random.default_rng(seed))).metrics[name]
    interval = excludes_none(metric)
    return Found(interval, interval and metric.p_value is not None and metric.p_value < ALPHA)


def approved(n: int, supposed: Supposed, cheaper: float, seed: list[int]) -> bool:
    """Whether the default policy approves one simulated candidate."""
    simulated = whole(np.random.default_rng(seed), n, supposed, cheaper=cheaper)
    return judge(compared(simulated), GatePolicy(alpha=ALPHA)).outcome is GateOutcome.APPROVE


SIMULATIONS: Mapping[str, tuple[Callable[[np.random.Generator], Simulated], str]] = {
    "binary": (binary, "task_success"),
    "skewed cost": (cost, "cost"),
    "clustered": (clustered, "task_success"),
}


def false_rows(runs: int, seed: int) -> Iterator[Figure]:
    """Yield how often equal arms are found better or worse, for each kind of metric."""
    for number, (kind, (draw, name)) in enumerate(SIMULATIONS.items()):
        found = spread(functools.partial(one_metric, draw, name), [[seed, number, run] for run in range(runs)])
        yield chance(f"A/A, {kind}: found better or worse", sum(one.differs for one in found), runs, most=ALPHA)
        yield chance(f"A/A, {kind}: interval excludes 0", sum(one.interval for one in found), runs, most=ALPHA)


def gate_rows(runs: int, long_runs: int, seed: int, large: int = 1000) -> Iterator[Figure]:
    """Yield how often the whole gate approves equal arms, and candidates that are worse and cheaper."""
    for n, times in ((200, runs), (large, long_runs)):
        found = spread(functools.partial(approved, n, EQUAL, 1.0), [[seed, n, run] for run in range(times)])
        yield chance(f"the whole gate, A/A on {n} scenarios: approved", sum(found), times, most=ALPHA)
    found = spread(functools.partial(approved, 200, WORSE, 0.6), [[seed, 7, run] for run in range(runs)])
    bad = chance("-10 points, 40% fewer tokens, cost and latency, 200 scenarios: approved", sum(found), runs)
    yield bad._replace(bar=0.0, met=not any(found))


def report_rows(episodes: int, repetitions: int, seed: int) -> Iterator[Figure]:
    """Yield the time of a full comparison of two arms, gate included, rows in memory."""
    rows = rows_of(whole(np.random.default_rng(seed), episodes, EQUAL))
    if not rows:
        raise NotMeasured("a full comparison: expected episodes, found none")
    times = [seconds(lambda: judge(summarise(rows, alpha=ALPHA), GatePolicy(alpha=ALPHA))) for _ in range(repetitions)]
    middle = statistics.median(times)
    yield Figure(f"full comparison and gate of 2 x {episodes} episodes, s (median of {repetitions})", middle,
                 low=min(times), high=max(times), bar=3.0, met=middle < 3.0)  # fmt: skip
