"""Do reviewers agree, and do users who rate the same answer? From labels and feedback to Krippendorff's alpha.

Decisions: of each person the latest word on each example counts. Verdicts are compared by name, yes and no likewise,
ratings and qualities by their order. A thing is an example (raters), or an item of a queue (reviewers), for what two
queues ask about one example need not be the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from evaluation.ledger.collected import LabelRecord
from evaluation.ledger.labelling import FIELDS, latest_of_each, stated
from evaluation.records import Feedback
from evaluation.stats.krippendorff import Reliability, Scale, Value, reliability

ASPECTS = ("rating", "tool_selection", "response_quality", "speed")
"""What users rate, 1 to 5."""
RELIABLE, TENTATIVE = 0.8, 0.667
"""Krippendorff's own customs (2004): from 0.8 on data can be relied on; below 0.667 they should not be used."""
Said = dict[str, list[dict[str, Value]]]


def reviewers_agreement(answers: Iterable[LabelRecord]) -> dict[str, Reliability]:
    """Return how far reviewers agree, by what they said: `verdict`, `strategy`, and the fields of a label."""
    items: dict[str, list[LabelRecord]] = defaultdict(list)
    for label in answers:
        items[label.review_id or label.example_id].append(label)
    said: Said = defaultdict(list)
    for labels in items.values():
        for name, by_judge in _told(latest_of_each(labels)).items():
            said[name].append(by_judge)
    return _reliabilities(said)


def raters_agreement(feedback: Mapping[str, Sequence[Feedback]]) -> dict[str, Reliability]:
    """Return how far users agree, by aspect; `feedback` by example, the earliest first."""
    said: Said = defaultdict(list)
    for given in feedback.values():
        latest = {one.rater: one for one in given}
        for aspect in ASPECTS:
            values = {rater: getattr(one, aspect) for rater, one in latest.items()}
            said[aspect].append({rater: value for rater, value in values.items() if value is not None})
    return _reliabilities(said)


def reading(found: Reliability) -> str:
    """Return what an alpha means, in a word or two; `reliable` only where its whole interval is."""
    alpha = found.alpha
    if alpha.value is None or alpha.low is None:
        return "cannot be told"
    if alpha.low >= RELIABLE:
        return "reliable"
    if alpha.value >= RELIABLE:
        return "reliable so far"
    if alpha.value >= TENTATIVE:
        return "tentative"
    return "too little"


def _told(labels: Sequence[LabelRecord]) -> dict[str, dict[str, Value]]:
    told: dict[str, dict[str, Value]] = defaultdict(dict)
    for label in labels:
        if label.recovery is not None:
            told["strategy"][label.by] = label.recovery.strategy.value if label.recovery.strategy else "nothing"
            continue
        told["verdict"][label.by] = label.verdict.value
        for name, value in stated(label).items():
            told[name][label.by] = value
    return told


def _reliabilities(said: Said) -> dict[str, Reliability]:
    order = ("verdict", "strategy", *FIELDS, *ASPECTS)
    found = {name: reliability(said[name], _SCALES.get(name, Scale.ORDINAL)) for name in dict.fromkeys(order)
             if name in said}  # fmt: skip
    return {name: one for name, one in found.items() if one.judgements}


_SCALES = {
    "verdict": Scale.NOMINAL,
    "strategy": Scale.NOMINAL,
    "success": Scale.NOMINAL,
    "correct_tool_selection": Scale.NOMINAL,
}
