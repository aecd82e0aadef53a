"""The quality of many examples, and its agreement with people's ratings."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evaluation.quality import COMPONENTS, QualityConfig, quality_of, unrated
from evaluation.quality_report import BINS, quality_agreement, quality_report, reading
from evaluation.records import Example, Feedback
from evaluation.stats.correlation import RankCorrelation
from evaluation.stats.intervals import Estimate
from tests.evaluation.test_quality import CALLED, FAILED, FOUND, RIGHT, WRONG, made, said


def of(number: int, example: Example, *feedback: Feedback) -> tuple[Example, Sequence[Feedback]]:
    origin = example.provenance.model_copy(update={"scenario_id": f"s{number}"})
    return example.model_copy(update={"id": f"e{number}", "provenance": origin}), feedback


GOOD = made("1,234 pens left", CALLED, FOUND, verdicts={"answer": RIGHT})
POOR = made("Bananas taste wonderful", CALLED, FAILED, verdicts={"answer": WRONG})
UNJUDGED = made(None, CALLED)


def test_means_and_histogram_are_those_of_the_examples() -> None:
    found = quality_report([of(0, GOOD), of(1, GOOD), of(2, POOR), of(3, UNJUDGED)])
    assert (found.examples, found.judged, found.agreement) == (4, 3, None)
    values = [quality_of(one).value or 0 for one in (GOOD, GOOD, POOR)]
    assert found.quality.value == pytest.approx(sum(values) / 3)
    assert (found.quality.n, found.components["recovery"].n, found.components["feedback"].n) == (3, 1, 0)
    assert tuple(found.components) == COMPONENTS
    assert found.components["task_success"].value == pytest.approx(2 / 3)
    assert (sum(found.histogram), found.histogram[-1], len(found.histogram)) == (3, 2, BINS)


def test_attempts_at_one_scenario_count_once() -> None:
    found = quality_report([of(0, GOOD), of(0, POOR), of(1, GOOD)])
    good, poor = quality_of(GOOD).value or 0, quality_of(POOR).value or 0
    assert found.quality.n == 2
    assert found.quality.value == pytest.approx(((good + poor) / 2 + good) / 2)


def test_nothing_gives_a_report_without_figures() -> None:
    found = quality_report([])
    assert (found.examples, found.quality.value, sum(found.histogram), found.agreement) == (0, None, 0, None)
    assert reading(found.agreement).startswith("no ratings yet")


def test_the_weights_that_are_given_count() -> None:
    only = QualityConfig(task_success=0, helpfulness=0, brevity=0, recovery=0, feedback=0)
    assert quality_report([of(0, GOOD)], only).quality.value == pytest.approx(5)
    assert quality_report([of(0, POOR)], only).quality.value == 0


@pytest.mark.parametrize("turned", [False, True])
def test_agreement_is_between_the_mean_rating_and_quality_without_people_s_word(turned: bool) -> None:
    def rated(number: int) -> tuple[Example, Sequence[Feedback]]:
        example = made("1,234 pens left", CALLED, FOUND, verdicts={"answer": RIGHT}, tokens=250 + 10 * number)
        rating = 1 + min(4, number // 8)
        return of(number, example, said(rating if turned else 6 - rating, rating), said(3))

    examples = [rated(number) for number in range(40)]
    found = quality_report([*examples, of(99, GOOD)])
    assert found.agreement is not None
    assert found.agreement.n == 40
    pairs = [
        (quality_of(unrated(example)).value or 0, sum(f.rating for f in feedback) / len(feedback))
        for example, feedback in examples
    ]
    assert found.agreement == quality_agreement(pairs)
    assert found.agreement.spearman.value is not None
    assert (found.agreement.spearman.value < -0.9) if turned else (found.agreement.spearman.value > 0.9)
    assert reading(found.agreement).startswith(f"what has more quality is rated {'lower' if turned else 'higher'}")


def test_what_cannot_be_told_is_not_said() -> None:
    unsure = RankCorrelation(spearman=Estimate(value=0.2, low=-0.3, high=0.6, n=9), kendall=0.1, n=9)
    assert reading(unsure).startswith("no agreement is shown, nor that there is none")
    cannot = "whether people see quality the same way cannot be told: "
    assert reading(quality_agreement([(1.0, 3.0)])).startswith(cannot + "1 pairs")
    alike = reading(quality_agreement([(float(n), 3.0) for n in range(9)]))
    assert alike.startswith(cannot)
    assert "the same everywhere" in alike


def test_several_ratings_in_one_conversation_are_one_pair() -> None:
    found = quality_report([of(number // 2, GOOD, said(1 + number // 4)) for number in range(20)])
    assert found.agreement is not None
    assert found.agreement.n == 10
