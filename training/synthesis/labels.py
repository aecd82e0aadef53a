"""What is said of a kept synthetic example, by whom and how surely: the validators, and the judge where there is one.

Decisions: labels of a rule and of a model, never of a person, so that any reviewer overrules them. A judge who gave no
verdict says nothing. An id depends on the example and on who says it, so that a synthesis that goes on writes it once.
"""

from __future__ import annotations

from collections.abc import Iterator

from evaluation.ledger.collected import LabelRecord, LabelSource, LabelVerdict
from evaluation.records import Example, Validation, Verdict, stable_id
from evaluation.validators import applicable

VALIDATORS = "validators"
"""Who says what the validators found."""


def labels_of(example: Example, judged: Validation | None, judge: str | None) -> Iterator[LabelRecord]:
    """Yield the labels of an example; `judge`: the judge's name."""
    labels = example.labels
    found = [f"{one.name} {one.verdict.value}" for one in applicable(example.validations) if one != judged]
    yield LabelRecord(
        id=stable_id(VALIDATORS, example.id),
        example_id=example.id,
        by=VALIDATORS,
        source=LabelSource.RULE,
        verdict=LabelVerdict.RATE,
        confidence=labels.validation_confidence,
        success=labels.success,
        correct_tool_selection=labels.correct_tool_selection,
        response_quality=labels.response_quality,
        note=f"its calls were executed; {', '.join(found)}",
        at=example.timestamp,
    )
    if judged is None or judge is None or judged.verdict is Verdict.NOT_APPLICABLE:
        return
    yield LabelRecord(
        id=stable_id("judge", judge, example.id),
        example_id=example.id,
        by=f"judge:{judge}",
        source=LabelSource.MODEL,
        verdict=LabelVerdict.RATE,
        confidence=judged.confidence,
        success=judged.verdict is Verdict.PASSED,
        note=judged.reason,
        at=example.timestamp,
    )
