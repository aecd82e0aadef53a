"""What active learning saves: labels needed to reach the accuracy of random picks, simulated on labelled queries.

The pool: queries of the built-in suite `tools`, each with the tool that is right for it (or none), as a reviewer would
say. Traffic is drawn with Zipf's law over tools, since users ask for few things often, and evenly over tools, which is
harder, since nothing is asked for seldom; both have the bar. The learner is multinomial naive Bayes on TF-IDF, trained
anew after each batch; its margin between the two likeliest tools is the confidence by which `pick` ranks. What `mixed`
is made of was chosen on seeds from 100 on, and is judged on those from 0 on. Accuracy is that on held-out scenarios,
whose groups never occur in the pool. A strategy has reached random's accuracy with the first budget from which it stays
there for two batches.

    python -m tests.bench_data_active
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from evaluation.active_learning import Candidate, Strategy, pick
from evaluation.scenarios import Part, Scenario
from evaluation.stats.intervals import mean_interval
from evaluation.suite import load
from evaluation.text_features import TfIdf
from tests.bench_eval_rows import Figure

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
BAR = 0.6
BUDGET, BATCH, FIRST = 600, 20, 20
POOL, HELD_OUT = 1500, 500


class Queries(NamedTuple):
    """Labelled queries to learn from, and others to be judged by."""

    pool: list[str]
    pool_tools: list[str]
    test: list[str]
    test_tools: list[str]


class Task(NamedTuple):
    """The same in numbers."""

    texts: list[str]
    rows: csr_matrix
    labels: Labels
    test_rows: csr_matrix
    test_labels: Labels


def queries(seed: int, *, zipf: bool, pool: int = POOL, held_out: int = HELD_OUT) -> Queries:
    """Draw queries with their tools: by Zipf's law over the tools, or each scenario once."""
    suite = load("tools", seed=seed, counts={Part.TRAIN: 2 * pool, Part.HELD_OUT: 3 * held_out, Part.LIVE: 20})
    rng = np.random.default_rng(seed)
    tools = sorted({_tool(one) for one in suite.scenarios})
    wanted = dict(zip(tools, 1 / (1 + rng.permutation(len(tools))), strict=True))
    drawn: list[list[str]] = []
    for part, count in ((Part.TRAIN, pool), (Part.HELD_OUT, held_out)):
        among = [one for one in suite.scenarios if one.part is part]
        counts = Counter(map(_tool, among))
        chances = np.array([wanted[_tool(one)] / counts[_tool(one)] if zipf else 1.0 for one in among])
        at = rng.choice(len(among), min(count, len(among)), replace=zipf, p=chances / chances.sum())
        drawn += [[among[n].query for n in at], [_tool(among[n]) for n in at]]
    return Queries(*drawn)


def task_of(found: Queries) -> Task:
    """Return the queries as rows of TF-IDF fitted on the pool, and their tools as numbers."""
    names = {tool: n for n, tool in enumerate(sorted({*found.pool_tools, *found.test_tools}))}
    fitted = TfIdf.fit(found.pool)
    pool, test = (np.array([names[tool] for tool in tools]) for tools in (found.pool_tools, found.test_tools))
    return Task(found.pool, fitted.transform(found.pool), pool, fitted.transform(found.test), test)


def naive_bayes(rows: csr_matrix, labels: Labels, smoothing: float = 0.1) -> Callable[[csr_matrix], Array]:
    """Return a function from rows to probabilities of the labels that occur, in ascending order."""
    present, inverse = np.unique(labels, return_inverse=True)
    members = csr_matrix((np.ones(len(labels)), (inverse, np.arange(len(labels)))))
    counts = np.asarray((members @ rows).todense()) + smoothing
    weights = np.log(counts / counts.sum(axis=1, keepdims=True))
    prior = np.log((np.bincount(inverse) + 1) / (len(labels) + len(present)))

    def probabilities(asked: csr_matrix) -> Array:
        scores = np.asarray(asked @ weights.T) + prior
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: Array = likely / likely.sum(axis=1, keepdims=True)
        return shares

    return probabilities


def curve(task: Task, strategy: Strategy, seed: int, budget: int = BUDGET) -> list[tuple[int, float]]:
    """Return the accuracy after each batch of labels."""
    known = list(np.random.default_rng(seed).permutation(len(task.texts))[:FIRST])
    found = []
    while True:
        model = naive_bayes(task.rows[known], task.labels[known])
        present = np.unique(task.labels[known])
        right = present[model(task.test_rows).argmax(axis=1)] == task.test_labels
        found.append((len(known), float(right.mean())))
        if len(known) >= budget:
            return found
        left = np.setdiff1d(np.arange(len(task.texts)), known)
        ordered = np.sort(model(task.rows[left]), axis=1)
        margins = ordered[:, -1] - ordered[:, -2] if ordered.shape[1] > 1 else ordered[:, -1]
        pool = [Candidate(str(n), float(sure), {}, task.texts[n]) for n, sure in zip(left, margins, strict=True)]
        picked = pick(pool, strategy, BATCH, below=1.01, seed=1000 * seed + len(known))
        known += [int(one.id) for one in picked]


def labels_needed(found: Sequence[tuple[int, float]], goal: float) -> int | None:
    """Return the first budget from which two accuracies in a row reach the goal; the last may stand alone."""
    for (budget, accuracy), (_, following) in zip(found, [*found[1:], found[-1]], strict=True):
        if min(accuracy, following) >= goal:
            return budget
    return None


def share_needed(seed: int, strategy: Strategy, *, zipf: bool, budget: int = BUDGET) -> float:
    """Return the share of random's labels that a strategy needs for random's accuracy; 1 where it never gets there."""
    task = task_of(queries(seed, zipf=zipf))
    goal = curve(task, Strategy.RANDOM, seed, budget)[-1][1]
    needed = labels_needed(curve(task, strategy, seed, budget), goal)
    return 1.0 if needed is None else needed / budget


def figures(seed: int, full: bool) -> Iterator[Figure]:
    """Yield the figures: of `mixed`, and of the least sure alone, each on both kinds of traffic, each with the bar."""
    seeds = range(seed, seed + (24 if full else 8))
    for strategy, zipf in itertools.product((Strategy.MIXED, Strategy.UNCERTAINTY), (True, False)):
        shares = np.array([share_needed(one, strategy, zipf=zipf) for one in seeds])
        found = mean_interval(shares)
        traffic = "traffic by Zipf's law" if zipf else "all tools alike"
        name = f"labels needed for random's accuracy at {BUDGET}, {strategy.value}, {traffic} (n = {len(shares)} seeds)"
        yield Figure(name, found.value, low=found.low, high=found.high, bar=BAR,
                     met=found.value is not None and found.value <= BAR)  # fmt: skip


def rows(seed: int, full: bool) -> list[dict[str, Any]]:
    """Return the figures of active learning, for the benchmark of data."""
    return [figure._asdict() for figure in figures(seed, full)]


def _tool(scenario: Scenario) -> str:
    return scenario.expected.calls[0].name if scenario.expected.calls else "none"


if __name__ == "__main__":
    json.dump(rows(int(os.environ.get("SEED") or 0), os.environ.get("FULL") == "1"), sys.stdout, indent=1)
