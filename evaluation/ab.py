"""What an A/B comparison comes to: better, equal within a margin, worse, or not to be told. Pure.

Decisions: the first metric decides, the others guard: one that is worse makes the arm worse, however much better the
first is; one that is unclear changes nothing. Whether a metric differs is told by its interval and by its p value after
Holm's correction over all metrics and arms; "equal" asks that the whole interval of the ratio lies within the margin
on the bad side, so that a difference too small to matter does no harm. A comparison that was watched while it ran is
judged by intervals that hold at every moment (`evaluation/watched.py`), at a level divided by their number.
Limits: the margin is relative; a base of zero is judged by the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import combinations

from pydantic import Field

from evaluation.compare import Comparison, MetricComparison
from evaluation.contrary import Contrary, contrary
from evaluation.metrics import SUCCESS, Direction, Metric
from evaluation.records import Record
from evaluation.stats.intervals import Estimate
from evaluation.stats.paired import holm, needed_pairs

LEAST = 30
"""Fewest scenarios that can show two arms to be equal: where none of a few differs, many others may."""

LOST = 0.1
"""Share of the scenarios that may lack a metric before nothing is concluded from the others."""

MARGIN = 0.05
"""Share of the base's figure by which an arm may be worse and still count as equal."""


class Conclusion(StrEnum):
    """How an arm compares with the first one."""

    BETTER = "better"
    EQUAL = "equal"
    """Not worse by more than the margin."""
    WORSE = "worse"
    UNCLEAR = "unclear"
    """The scenarios do not tell."""


EXIT = {Conclusion.BETTER: 0, Conclusion.EQUAL: 0, Conclusion.WORSE: 3, Conclusion.UNCLEAR: 4}
"""Exit status of `ratchet ab`, for CI."""


class Question(Record):
    """What a comparison is asked."""

    metrics: tuple[str, ...] = Field(min_length=1)
    """The first decides, the others guard."""
    margin: float = Field(default=MARGIN, ge=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)

    @property
    def primary(self) -> str:
        """The metric that decides."""
        return self.metrics[0]


class MetricResult(Record):
    """One metric of one arm against the first."""

    metric: str
    conclusion: Conclusion
    compared: MetricComparison
    p_holm: float | None
    """Corrected over all metrics and arms; None where the comparison was watched, or there are no pairs."""
    further: int | None
    """Further scenarios that would probably settle it (80% power); None where nothing is open, or it cannot be told."""


class ArmResult(Record):
    """One arm against the first."""

    arm: str
    conclusion: Conclusion
    metrics: tuple[MetricResult, ...]
    contrary: tuple[Contrary, ...]
    """Parts of the scenarios that go against the whole."""
    comparison: Comparison
    sentence: str
    """For people, with the numbers behind it."""


class ABResult(Record):
    """All arms against the first."""

    control: str
    question: Question
    watched: bool
    """Whether the comparison was looked at while it ran, so that its intervals hold at every moment."""
    arms: tuple[ArmResult, ...]
    between: dict[str, Estimate] = Field(default_factory=dict)
    """With several arms: the first metric's difference between each two others, `arm − other`."""
    between_p: dict[str, float | None] = Field(default_factory=dict)
    """Their p values after Holm's correction."""
    winner: str | None
    """None: no arm is shown to be better."""
    recommendation: str
    conclusion: Conclusion

    @property
    def exit_status(self) -> int:
        """0: better or equal within the margin, 3: worse, 4: inconclusive."""
        return EXIT[self.conclusion]


def conclude(
    comparisons: Mapping[str, Comparison],
    question: Question,
    metrics: Mapping[str, Metric],
    *,
    between: Mapping[tuple[str, str], Comparison] | None = None,
    watched: Mapping[str, Mapping[str, MetricResult]] | None = None,
) -> ABResult:
    """Return what the comparisons of each arm with the first come to. At least one arm.

    `between`: the comparisons of each two of the other arms. `watched`: by arm and metric, what the always-valid
    intervals say, where the comparison was watched. Raises `ValueError` where a metric was not compared.
    """
    unknown = [name for name in question.metrics if any(name not in one.metrics for one in comparisons.values())]
    if unknown or not comparisons:
        raise ValueError(f"expected metrics that were compared, found {', '.join(unknown) or 'no comparison'}")
    raw = {(arm, name): one.metrics[name].p_value for arm, one in comparisons.items() for name in question.metrics}
    corrected = holm({_key(*key): p for key, p in raw.items() if p is not None})
    arms = tuple(
        _arm(arm, one, question, metrics, corrected=corrected, watched=None if watched is None else watched[arm])
        for arm, one in comparisons.items()
    )
    control = next(iter(comparisons.values())).base_arm
    pairs = {} if watched is not None else dict(between or {})
    p_between = {f"{b} − {a}": one.metrics[question.primary].p_value for (a, b), one in pairs.items()}
    adjusted = holm({name: p for name, p in p_between.items() if p is not None})
    winner, recommendation = _winner(control, arms, question, between=pairs, adjusted=adjusted)
    return ABResult(
        control=control,
        question=question,
        watched=watched is not None,
        arms=arms,
        between={f"{b} − {a}": one.metrics[question.primary].difference for (a, b), one in pairs.items()},
        between_p={name: adjusted.get(name) for name in p_between},
        winner=winner,
        recommendation=recommendation,
        conclusion=_overall(arms, winner),
    )


def pairs_of(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Return each two of the arms beside the first."""
    return list(combinations(arms[1:], 2))


def _key(arm: str, metric: str) -> str:
    return f"{metric} of {arm}"


def _arm(
    arm: str,
    comparison: Comparison,
    question: Question,
    metrics: Mapping[str, Metric],
    *,
    corrected: Mapping[str, float],
    watched: Mapping[str, MetricResult] | None,
) -> ArmResult:
    results = tuple(
        watched[name]
        if watched is not None
        else judged(name, comparison.metrics[name], question, p_holm=corrected.get(_key(arm, name)))
        for name in question.metrics
    )
    worse = [one for one in results[1:] if one.conclusion is Conclusion.WORSE]
    conclusion = Conclusion.WORSE if worse else results[0].conclusion
    against = [found for name in question.metrics for found in contrary(comparison, metrics[name])]
    return ArmResult(
        arm=arm,
        conclusion=conclusion,
        metrics=results,
        contrary=tuple(against),
        comparison=comparison,
        sentence=_sentence(arm, comparison.base_arm, results, worse=worse, metrics=metrics),
    )


def judged(name: str, compared: MetricComparison, question: Question, *, p_holm: float | None) -> MetricResult:
    """Return what one metric says, by its interval, its p value, and the margin."""
    higher = compared.direction is Direction.HIGHER
    difference = compared.difference
    side = _side(difference, higher)
    lost = compared.missing > LOST * (compared.missing + difference.n)
    significant = p_holm is not None and p_holm < question.alpha
    if lost:
        conclusion = Conclusion.UNCLEAR
    elif side is Conclusion.BETTER and significant:
        conclusion = Conclusion.BETTER
    elif within_margin(compared, question.margin):
        conclusion = Conclusion.EQUAL
    elif side is Conclusion.WORSE and significant:
        conclusion = Conclusion.WORSE
    else:
        conclusion = Conclusion.UNCLEAR
    further = _further(compared, question) if conclusion is Conclusion.UNCLEAR else None
    return MetricResult(metric=name, conclusion=conclusion, compared=compared, p_holm=p_holm, further=further)


def _side(difference: Estimate, higher: bool) -> Conclusion | None:
    """Return on which side of zero the whole interval lies."""
    if difference.low is None or difference.high is None:
        return None
    if difference.low > 0:
        return Conclusion.BETTER if higher else Conclusion.WORSE
    if difference.high < 0:
        return Conclusion.WORSE if higher else Conclusion.BETTER
    return None


def within_margin(compared: MetricComparison, margin: float) -> bool:
    """Whether the whole interval of the ratio, of `LEAST` scenarios at least, lies on the good side of the margin."""
    if compared.difference.n < LEAST:
        return False
    if compared.direction is Direction.HIGHER:
        return compared.ratio.low is not None and compared.ratio.low >= 1 - margin
    return compared.ratio.high is not None and compared.ratio.high <= 1 + margin


def _further(compared: MetricComparison, question: Question) -> int | None:
    """Return the fewest further scenarios that would settle it: as different, or as within the margin."""
    limit = 1 - question.margin if compared.direction is Direction.HIGHER else 1 + question.margin
    ways = [
        needed_pairs(compared.difference, 0.0, question.alpha),
        needed_pairs(compared.ratio, limit, question.alpha),
    ]
    return min((way for way in ways if way is not None), default=None)


def figure_text(estimate: Estimate, metric: Metric, *, signed: bool = False, bare: bool = False) -> str:
    """Return a figure as sentences have it: shares in percent, their differences in points; `bare`: without units."""
    if estimate.value is None:
        return "not measured"
    share = metric.unit == "share"
    scale = 100.0 if share else metric.scale
    ends = (estimate.value, estimate.low, estimate.high)
    shown = [_number(part * scale, signed, share) for part in ends if part is not None]
    unit = "" if bare or not share else " points" if signed else "%"
    inside = f" [{shown[1]}, {shown[2]}]" if len(shown) == 3 else ""
    return f"{shown[0]}{unit}{inside}"


def _number(value: float, signed: bool, share: bool) -> str:
    sign = "+" if signed else ""
    plain = share or value == 0 or 1 <= abs(value) < 1000
    # What rounds to nothing has no sign.
    return f"{value:{sign}.1f}".replace("-0.0", "+0.0" if signed else "0.0") if plain else f"{value:{sign}.3g}"


_SAYS = {
    Conclusion.BETTER: "is better than",
    Conclusion.EQUAL: "is not worse than",
    Conclusion.WORSE: "is worse than",
    Conclusion.UNCLEAR: "is not shown to differ from",
}


def _sentence(
    arm: str,
    control: str,
    results: Sequence[MetricResult],
    *,
    worse: Sequence[MetricResult],
    metrics: Mapping[str, Metric],
) -> str:
    first = results[0]
    metric = metrics[first.metric]
    difference = figure_text(first.compared.difference, metric, signed=True)
    says = (
        f"{arm} {_SAYS[first.conclusion]} {control} in {metric.title}:"
        f" {figure_text(first.compared.base, metric)} → {figure_text(first.compared.candidate, metric)},"
        f" difference {difference}, {first.compared.difference.n} scenarios."
    )
    if first.conclusion is Conclusion.UNCLEAR:
        says += (
            f" About {first.further} further scenarios would settle it."
            if first.further
            else " How many more would settle it cannot be told from these."
        )
    for one in worse:
        guard = metrics[one.metric]
        says += f" It is worse in {guard.title}: {figure_text(one.compared.difference, guard, signed=True)}."
    return says


def _winner(
    control: str,
    arms: Sequence[ArmResult],
    question: Question,
    *,
    between: Mapping[tuple[str, str], Comparison],
    adjusted: Mapping[str, float],
) -> tuple[str | None, str]:
    """Return who wins, and the recommendation."""
    better = [arm for arm in arms if arm.conclusion is Conclusion.BETTER]
    if not better:
        return None, _without_winner(control, arms)
    higher = better[0].metrics[0].compared.direction is Direction.HIGHER
    ranked = sorted(better, key=lambda arm: arm.metrics[0].compared.candidate.value or 0.0, reverse=higher)
    best = ranked[0]
    open_ = [
        other.arm
        for other in ranked[1:]
        if not _differs(best.arm, other.arm, question, between=between, adjusted=adjusted)
    ]
    says = f"Take {best.arm}. {best.sentence}"
    if open_:
        says += f" That it is better than {' and '.join(open_)}, too, is not shown."
    against = [one.slice for one in best.contrary if one.metric == question.primary][:3]
    if against:
        says += f" Look first at {', '.join(against)}, which {'goes' if len(against) == 1 else 'go'} the other way."
    return best.arm, says


def _differs(
    best: str,
    other: str,
    question: Question,
    *,
    between: Mapping[tuple[str, str], Comparison],
    adjusted: Mapping[str, float],
) -> bool:
    pair = (best, other) if (best, other) in between else (other, best)
    if pair not in between:
        return False
    p = adjusted.get(f"{pair[1]} − {pair[0]}")
    return p is not None and p < question.alpha


def _without_winner(control: str, arms: Sequence[ArmResult]) -> str:
    says = f"Keep {control}: " + " ".join(arm.sentence for arm in arms)
    if all(arm.conclusion is Conclusion.EQUAL for arm in arms):
        says = f"Take whichever is cheaper to run: {' '.join(arm.sentence for arm in arms)}"
    return says


def _overall(arms: Sequence[ArmResult], winner: str | None) -> Conclusion:
    found = [arm.conclusion for arm in arms]
    if winner is not None:
        return Conclusion.BETTER
    return next((one for one in (Conclusion.EQUAL, Conclusion.UNCLEAR) if one in found), Conclusion.WORSE)


DEFAULT_METRICS = (
    SUCCESS,
    "tool_accuracy",
    "exact_calls",
    "quality",
    "tokens_per_episode",
    "latency_ms",
    "cost",
)
"""What is compared where nothing is asked; the first decides."""
