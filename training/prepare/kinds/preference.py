"""Pairs of a better and a worse way to go on from the same conversation.

Decisions: three sources. Two examples with the same or nearly the same input, one of which scores high and the other
low (paired later, over all examples: `training/prepare/pairing.py`). What a reviewer wrote, or a user suggested,
against what was said. What should have been done at an error, against what was. A score is the quality that a reviewer
gave, else people's mean rating, else the response quality; where nothing of that is known, a reviewer's accept is the
highest and a reject the lowest. What a reviewer accepted is never the worse one, what was rejected never the better.
The worse one needs somebody who said so: a rating, a label that came with it or later, a validation that failed; how an
answer is worded makes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from evaluation.ledger.collected import LabelRecord, LabelSource, RecoveryStatus
from evaluation.ledger.labelling import latest_of_each, stated
from evaluation.quality import BEST
from evaluation.records import Example, Message, Verdict
from evaluation.recoveries import recoveries_of
from evaluation.validators import applicable, counted
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.kinds.base import AT_KIND, LIMITS, Half, Item, Kind, Left, corrected, query_place
from training.prepare.kinds.error_recovery import next_message


def make(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    """Return whole pairs where the item has both sides, and its half of one where it has one."""
    pairs = [*_corrections(item, limits), *_recoveries(item, limits)]
    half = _half(item, config, limits)
    if pairs:
        return pairs
    return half


def _corrections(item: Item, limits: LimitConfig) -> Iterator[Made]:
    better = corrected(item) if limits.correct else Left(AT_KIND, "")
    if not isinstance(better, Left) and better.labels.validation_confidence >= limits.min_confidence:
        made = pair(f"preference-{better.id}", better, item.example.messages)
        if made is not None:
            yield made


def _recoveries(item: Item, limits: LimitConfig) -> Iterator[Made]:
    for one in item.recoveries or recoveries_of(item.example):
        labelled = one.status is RecoveryStatus.LABELLED and one.correct_response is not None
        known = labelled and one.confidence >= limits.min_confidence and one.turn < len(item.example.messages)
        wrong = item.example.messages[one.turn] if known else None
        if wrong is None or wrong.role != "assistant" or one.correct_response is None:
            continue
        said = item.example.messages[: one.turn]
        right = next_message((), 0, one.correct_response)
        better = item.example.model_copy(update={"messages": (*said, right)})
        made = pair(f"preference-{one.id}", better, (*said, wrong))
        if made is not None:
            yield made


def pair(row_id: str, better: Example, worse: Sequence[Message]) -> Made | None:
    """Return the row of a better conversation and a worse one, or None if they do not part at an assistant's turn."""
    said = better.messages
    at = next((at for at, (a, b) in enumerate(zip(said, worse, strict=False)) if a != b), min(len(said), len(worse)))
    if at >= len(said) or at >= len(worse) or said[at].role != "assistant" or worse[at].role != "assistant":
        return None
    return Made(row_id, better, said, better.tools, kind="preference", turns=(at,), rejected=tuple(worse[at:]))


def _half(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    example = item.example
    labels = example.labels
    score = _score(item)
    at = query_place(example.messages)
    if score is None:
        return Left(LIMITS, "no rating and no quality")
    if labels.user_satisfaction is None and labels.validation_confidence < limits.min_confidence:
        return Left(LIMITS, f"confidence below {limits.min_confidence}")
    if config.low <= score <= config.high:
        return Left(LIMITS, f"neither above {config.high} nor below {config.low}")
    if reason := _unfounded(item, better=score > config.high):
        return Left(LIMITS, reason)
    if at is None or at + 1 >= len(example.messages):
        return Left(AT_KIND, "no query and answer")
    return [
        Half(
            f"preference-{example.id}",
            example,
            example.messages,
            example.tools,
            kind="preference",
            turns=(at + 1,),
            side=1 if score > config.high else -1,
            score=score,
        )
    ]


def _reviews(item: Item) -> list[LabelRecord]:
    """Return what reviewers said of the example, of each the latest."""
    return latest_of_each(one for one in item.labels if one.source is LabelSource.REVIEW and one.recovery is None)


def _score(item: Item) -> float | None:
    labels, said = item.example.labels, [stated(one) for one in _reviews(item)]
    if labels.response_quality is not None and any("response_quality" in one for one in said):
        return labels.response_quality
    if labels.user_satisfaction is not None:
        return labels.user_satisfaction
    if labels.response_quality is None and labels.success is not None and any("success" in one for one in said):
        return BEST if labels.success else 0.0
    return labels.response_quality


def _unfounded(item: Item, *, better: bool) -> str | None:
    """Return why the example is no better half, or no worse one, whatever it scores."""
    example, labels = item.example, item.example.labels
    reviewed = any("success" in stated(one) for one in _reviews(item))
    if reviewed and labels.success is not None and labels.success is not better:
        return "its score is not what reviewers say" if better else "accepted by a reviewer"
    if better:
        return None
    judged = applicable(counted(example.validations))
    failed = any(one.verdict is Verdict.FAILED for one in judged)
    # Without a validation, a quality is one that somebody gave.
    given = labels.response_quality is not None and not judged and labels.validation_confidence > 0
    founded = labels.user_satisfaction is not None or bool(_reviews(item)) or labels.success is False or failed
    return None if founded or given else "nobody says that it is bad"


KIND = Kind("preference", "better and worse ways to go on", make, frozenset({"feedback", "labels", "recoveries"}))
