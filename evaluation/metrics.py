"""Every metric, defined once: formula, unit, direction, level, source, and how it is compared.

Decisions: a metric reads one `Outcome`, the same for tests and production; None says that it was not measured, never
zero. Quantiles read another metric's figure. Limits: a metric is of one attempt or a quantile over scenarios; a figure
of a whole run, such as its wall time, is none. Metrics of one's own: `evaluation/own_metrics.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from evaluation.outcomes import NOT_THE_MODELS_END, Outcome


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class Coverage(StrEnum):
    """Which scenarios have to have the figure for a comparison."""

    EVERY = "every"
    """All of them: one without it counts as missing."""
    SAMPLED = "sampled"
    """It is measured on some: a scenario of which neither arm has it does not lack it."""
    WHERE_BOTH = "where_both"
    """It applies to some attempts only, and is compared where it applies to both arms'."""


class Level(StrEnum):
    """What one figure is of."""

    EPISODE = "episode"
    QUANTILE = "quantile over scenarios"


@dataclass(frozen=True)
class Metric:
    """How a figure is measured and compared."""

    name: str
    title: str
    """In tables."""
    formula: str
    """In words; what it is not measured on, too."""
    unit: str
    """`share`, `0-5`, `1-5`, `tokens`, `ms`, `currency`, or the user's own."""
    direction: Direction
    source: str
    """Which records it comes from."""
    measure: Callable[[Outcome], float | bool | None]
    """Of one attempt; None: not measured."""
    binary: bool = False
    """Yes or no for one attempt."""
    coverage: Coverage = Coverage.EVERY
    both_solved: bool = False
    """Compared only on scenarios that both arms solved, so that giving up early is no saving."""
    quantile: float | None = None
    """The figure is this quantile over scenarios, in place of the mean."""
    reads: str | None = None
    """The metric of whose figures it is the quantile."""
    scale: float = 1.0
    """What tables multiply it by."""

    @property
    def level(self) -> Level:
        """What one figure is of."""
        return Level.EPISODE if self.quantile is None else Level.QUANTILE

    @property
    def figure(self) -> str:
        """Name of the figure of one attempt that it rests on."""
        return self.reads or self.name

    @property
    def most(self) -> float | None:
        """The largest figure that there can be; None: no bound is known."""
        return {"share": 1.0, "0-5": 5.0, "1-5": 5.0}.get(self.unit)

    def better(self, difference: float) -> bool:
        """Whether a difference points to the better side."""
        return difference > 0 if self.direction is Direction.HIGHER else difference < 0


def _completed(outcome: Outcome) -> bool | None:
    ends = [outcome.passed[name] for name in ("answer", "world", "stop") if name in outcome.passed]
    if outcome.failure in NOT_THE_MODELS_END:
        return False
    return all(ends) if ends else outcome.exact_calls


def _latency(outcome: Outcome) -> float | None:
    return outcome.latency_ms / outcome.model_calls if outcome.model_calls else None


def _table(metrics: Iterable[Metric]) -> Mapping[str, Metric]:
    return {metric.name: metric for metric in metrics}


VALIDATIONS, USAGE, RATINGS = "validations of the episode", "usage of the model calls", "feedback of users"

METRICS: Mapping[str, Metric] = _table(
    (
        Metric(
            "tool_accuracy",
            "right tool",
            "Tool selection accuracy: share of scenarios in which the set of called tools is the expected one.",
            "share",
            Direction.HIGHER,
            VALIDATIONS,
            lambda o: o.tool_accuracy,
            binary=True,
        ),
        Metric(
            "exact_calls",
            "exact calls",
            "Share of scenarios in which names and arguments of all calls are the expected ones.",
            "share",
            Direction.HIGHER,
            VALIDATIONS,
            lambda o: o.exact_calls,
            binary=True,
        ),
        Metric(
            "task_success",
            "task success",
            "Model accuracy: share of scenarios in which every validation that applies passed.",
            "share",
            Direction.HIGHER,
            VALIDATIONS,
            lambda o: o.task_success,
            binary=True,
        ),
        Metric(
            "task_completion",
            "task completion",
            "Share of scenarios that came to the end that was asked for, by whatever way: answer, final state and stop"
            " pass, those that apply; where none does, exact calls. An error of model, agent or user is no such end.",
            "share",
            Direction.HIGHER,
            VALIDATIONS,
            _completed,
            binary=True,
        ),
        Metric(
            "protocol_clean",
            "clean output",
            "Protocol adherence: share of scenarios in which all that the model said was well-formed.",
            "share",
            Direction.HIGHER,
            VALIDATIONS,
            lambda o: o.protocol_clean,
            binary=True,
        ),
        Metric(
            "recovery_rate",
            "recovery",
            "Share of scenarios with something to recover from in which the recovery was the right one.",
            "share",
            Direction.HIGHER,
            VALIDATIONS,
            lambda o: o.passed.get("recovery"),
            binary=True,
            coverage=Coverage.WHERE_BOTH,
        ),
        Metric(
            "quality",
            "quality, 0 to 5",
            "Response quality: weighted mean of the components that apply, times 5 (docs/quality.md).",
            "0-5",
            Direction.HIGHER,
            VALIDATIONS,
            lambda o: o.quality,
        ),
        Metric(
            "response_helpfulness",
            "helpfulness",
            "Whether the answer helps, 0 to 1: the quality's component of this name (docs/quality.md).",
            "share",
            Direction.HIGHER,
            VALIDATIONS,
            lambda o: o.components.get("helpfulness"),
            coverage=Coverage.WHERE_BOTH,
        ),
        Metric(
            "analysis_relevance",
            "relevance",
            "Share of what the answer says that rests on the question, the calls, and what the tools returned: the"
            " quality's component `answer_relevance` (docs/quality.md). Not measured where there is no answer.",
            "share",
            Direction.HIGHER,
            "messages of the episode",
            lambda o: o.components.get("answer_relevance"),
            coverage=Coverage.WHERE_BOTH,
        ),
        Metric(
            "user_rating",
            "user rating, 1 to 5",
            "Mean rating by users, of the episodes that were rated.",
            "1-5",
            Direction.HIGHER,
            RATINGS,
            lambda o: o.rating,
            coverage=Coverage.WHERE_BOTH,
        ),
        Metric(
            "positive_rate",
            "rated 4 or 5",
            "Positive rate: share of the rated episodes whose mean rating is at least 4.",
            "share",
            Direction.HIGHER,
            RATINGS,
            lambda o: None if o.rating is None else o.rating >= 4,
            binary=True,
            coverage=Coverage.WHERE_BOTH,
        ),
        Metric(
            "tokens_per_episode",
            "tokens/episode",
            "Tokens per query: input and output tokens of all model calls of an episode.",
            "tokens",
            Direction.LOWER,
            USAGE,
            lambda o: o.tokens_in + o.tokens_out,
            both_solved=True,
        ),
        Metric(
            "latency_ms",
            "ms per call",
            "Mean wall time of a model call of the episode. Two arms on one machine are timed one conversation at a"
            " time, on some of the scenarios that both solved.",
            "ms",
            Direction.LOWER,
            USAGE,
            _latency,
            coverage=Coverage.SAMPLED,
            both_solved=True,
        ),
        *(
            Metric(
                f"latency_p{percent}",
                f"ms per call, p{percent}",
                f"The {percent}th percentile over scenarios of `latency_ms`.",
                "ms",
                Direction.LOWER,
                USAGE,
                _latency,
                coverage=Coverage.SAMPLED,
                both_solved=True,
                quantile=percent / 100,
                reads="latency_ms",
            )
            for percent in (50, 95)
        ),
        Metric(
            "cost",
            "cost/1000",
            "Cost per query: tokens, or GPU time, of an episode by the price table; tables show it for 1000.",
            "currency",
            Direction.LOWER,
            USAGE,
            lambda o: o.cost,
            both_solved=True,
            scale=1000.0,
        ),
    )
)
"""By name, in the order of the tables."""

SUCCESS = "task_success"


def measured(outcome: Outcome, metrics: Mapping[str, Metric] = METRICS) -> dict[str, float]:
    """Return what was measured of one attempt, by metric; what was not is left out."""
    figures = {name: metric.measure(outcome) for name, metric in metrics.items() if metric.quantile is None}
    return {name: float(value) for name, value in figures.items() if value is not None}
