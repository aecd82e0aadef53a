"""Which labels of an example are in force, when a review is settled, and what similar examples take over. Pure.

Decisions: people beat rules, rules beat models, models beat what the body says, and that beats what was taken over
from examples like it, field by field. Of each person, rule or model the latest label counts. Among people most voices
hold, and at least as many as were asked for (`needed`); with one asked for, a tie goes to the latest. Qualities agree
that are within a point of their median. As soon as a person has said anything, weak labels say nothing. The confidence
in force is that of whoever says whether the example succeeded (else chose the right tools, else its quality).
Of the quality, users' mean rating holds, as it stands (4 of 5 is 4.0), where no reviewer gave one; it changes no other
field and no confidence. A quality that the example was written with says nothing any more where people contradict what
it rests on: the example's own success, or, where it has none, which half of the scale it lies in.
Not covered: how good a reviewer is (every person's voice weighs the same).
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from evaluation.ledger.collected import LabelRecord, LabelSource, LabelVerdict, ReviewStatus
from evaluation.records import Labels, Message, stable_id

FIELDS = ("success", "correct_tool_selection", "response_quality")
"""What a label may say, in the order in which their confidences count."""
TOLERANCE = 1.0
"""Points of quality, of five, that two who agree may differ from their median by."""
MIDDLE = 2.5
"""Quality from which on an answer counts as rather right: one of which a validation failed is below it
(`evaluation/quality.py`)."""
WEAKEST = 0.5
"""A label that is taken over with less confidence than this would be no better than a guess."""


class Claim(NamedTuple):
    """A value of one field, and how sure its source is of it."""

    value: bool | float
    confidence: float


Claims = Mapping[str, Claim]


def stated(label: LabelRecord) -> dict[str, bool | float]:
    """Return what a label says of each field: its figures, and what its verdict implies where it gives none."""
    implied: dict[LabelVerdict, dict[str, bool | float]] = {
        LabelVerdict.ACCEPT: {"success": True, "correct_tool_selection": True},
        LabelVerdict.REJECT: {"success": False},
        LabelVerdict.CORRECT: {"success": False},
        LabelVerdict.RATE: {},
    }
    said = {name: getattr(label, name) for name in FIELDS}
    return implied[label.verdict] | {name: value for name, value in said.items() if value is not None}


def in_force(body: Labels, labels: Sequence[LabelRecord], needed: int = 1, rating: float | None = None) -> Labels:
    """Return the labels in force: those of the example's body, until a label or a rating says otherwise.

    `needed`: how many people have to agree. `rating`: users' mean, 1…5, where anybody gave one. What was undone, and
    answers about recoveries, count for nothing.
    """
    counting = [label for label in labels if label.undone_at is None and label.recovery is None]
    people = latest_of_each(label for label in counting if label.source is LabelSource.REVIEW)
    weak = [] if people else [_best(counting, LabelSource.PROPAGATED)]
    written = {name: Claim(value, body.validation_confidence) for name in FIELDS
               if (value := getattr(body, name)) is not None}  # fmt: skip
    agreed = _agreed(people, needed)
    if "response_quality" in written and "success" in agreed and _contradicts(bool(agreed["success"].value), body):
        del written["response_quality"]
    ranked = [agreed, _best(counting, LabelSource.RULE), _best(counting, LabelSource.MODEL),
              written, *weak]  # fmt: skip
    found = {name: next((claims[name] for claims in ranked if name in claims), None) for name in FIELDS}
    deciding = next((claim for claim in found.values() if claim is not None), None)
    confidence = body.validation_confidence if deciding is None else deciding.confidence
    values = {name: None if claim is None else claim.value for name, claim in found.items()}
    if rating is not None and "response_quality" not in agreed:
        values["response_quality"] = rating
    return body.model_copy(update={**values, "validation_confidence": confidence})


def _contradicts(success: bool, body: Labels) -> bool:
    """Whether people's verdict contradicts what the quality rests on that an example was written with."""
    if body.success is not None:
        return body.success is not success
    return body.response_quality is not None and (body.response_quality >= MIDDLE) is not success


def latest_of_each(labels: Iterable[LabelRecord]) -> list[LabelRecord]:
    """Return the latest label of each who gave one, the earliest first."""
    latest = {label.by: label for label in sorted(labels, key=_when)}
    return sorted(latest.values(), key=_when)


def settled(labels: Sequence[LabelRecord], needed: int) -> ReviewStatus:
    """Return where a review stands that these labels answer: `open`, `done` or `conflict`.

    Two agree who give the same verdict, and the same calls where they correct, a quality within a point where they
    rate, the same strategy where they say how an error should have been met.
    """
    people = latest_of_each(label for label in labels if label.undone_at is None)
    if len(people) < needed:
        return ReviewStatus.OPEN
    return ReviewStatus.DONE if agreeing(people, needed) else ReviewStatus.CONFLICT


def agreeing(people: Sequence[LabelRecord], needed: int) -> list[LabelRecord]:
    """Return the labels of the largest group that agrees, the earliest first; none where it is too small or tied."""
    groups = Counter(map(_opinion, people))
    if not groups:
        return []
    (opinion, count), *others = groups.most_common()
    tied = bool(others) and others[0][1] == count
    found = [label for label in people if _opinion(label) == opinion]
    if needed == 1 and tied:
        return [people[-1]]
    if any(label.verdict is LabelVerdict.RATE and label.response_quality is not None for label in found):
        found = _near([(label, label.response_quality) for label in found])
    return found if len(found) >= needed and not tied else []


def propagated(label: LabelRecord, similar: Mapping[str, float], at: datetime) -> list[LabelRecord]:
    """Return the weak labels that examples like the labelled one take over; `similar`: similarity 0…1 by example.

    Each has the label's confidence times its similarity, and names the label that it comes from; those below `WEAKEST`
    are left out. A weak label is taken over by nobody, and neither are corrected messages: they fit one conversation.
    """
    if label.source is LabelSource.PROPAGATED or label.undone_at is not None or label.recovery is not None:
        return []
    verdict = LabelVerdict.REJECT if label.verdict is LabelVerdict.CORRECT else label.verdict
    return [
        LabelRecord(
            id=stable_id("propagated", label.id, example_id),
            example_id=example_id,
            by=taken_over(label.id),
            source=LabelSource.PROPAGATED,
            verdict=verdict,
            confidence=label.confidence * similarity,
            success=label.success,
            correct_tool_selection=label.correct_tool_selection,
            response_quality=label.response_quality,
            note=f"from example {label.example_id}, which {label.by} labelled; similarity {similarity:.3f}",
            at=at,
        )
        for example_id, similarity in similar.items()
        if example_id != label.example_id and label.confidence * similarity >= WEAKEST
    ]


def taken_over(label_id: str) -> str:
    """Return who a weak label is by: the label that it was taken over from."""
    return f"label:{label_id}"


def _agreed(people: Sequence[LabelRecord], needed: int) -> dict[str, Claim]:
    found = {}
    for name in FIELDS:
        said = [(label, stated(label)[name]) for label in people if name in stated(label)]
        claim = _median(said, needed) if name == "response_quality" else _most(said, needed)
        if claim is not None:
            found[name] = claim
    return found


def _most(said: Sequence[tuple[LabelRecord, bool | float]], needed: int) -> Claim | None:
    """Return what most say; None where they are too few or tied. The latest breaks the tie where one is enough."""
    if not said:
        return None
    counts = Counter(value for _, value in said).most_common()
    value, count = counts[0]
    if len(counts) > 1 and counts[1][1] == count:
        if needed > 1:
            return None
        value = said[-1][1]
    if count < needed:
        return None
    return Claim(value, statistics.fmean(label.confidence for label, other in said if other == value))


def _median(said: Sequence[tuple[LabelRecord, float]], needed: int) -> Claim | None:
    near = _near(said)
    if not said or len(near) < needed:
        return None
    return Claim(statistics.median(v for _, v in said), statistics.fmean(label.confidence for label in near))


def _near(said: Sequence[tuple[LabelRecord, float | None]]) -> list[LabelRecord]:
    """Return the labels whose value is within the tolerance of the median of all."""
    given = [(label, value) for label, value in said if value is not None]
    if not given:
        return []
    middle = statistics.median(value for _, value in given)
    return [label for label, value in given if abs(value - middle) <= TOLERANCE]


def _best(labels: Sequence[LabelRecord], source: LabelSource) -> dict[str, Claim]:
    """Return what a source that is no person says: of its rules or models the surest, then the latest."""
    found: dict[str, Claim] = {}
    latest = latest_of_each(label for label in labels if label.source is source)
    for label in sorted(latest, key=lambda one: (one.confidence, _when(one))):
        found |= {name: Claim(value, label.confidence) for name, value in stated(label).items()}
    return found


def _opinion(label: LabelRecord) -> Hashable:
    if label.recovery is not None:
        return ("recovery", label.recovery.strategy)
    if label.verdict is LabelVerdict.CORRECT:
        return ("correct", _gist(label.messages))
    if label.verdict is LabelVerdict.RATE:
        return ("rate", label.success, label.correct_tool_selection)
    return label.verdict


def _gist(messages: Sequence[Message]) -> str:
    """Return what a corrected conversation comes to: its calls, and its last text where that is not one of them."""
    calls = [(call.name, call.arguments) for message in messages for call in message.tool_calls]
    return stable_id(calls, [message.content for message in messages[-1:] if not message.tool_calls])


def _when(label: LabelRecord) -> tuple[datetime, str]:
    return label.at, label.id
