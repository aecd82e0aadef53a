"""What is asked of one example before it becomes a row: pure functions that return why not, or None.

Shared by `ratchet data prepare` (`training/prepare/candidates.py`) and the loop's selection (`training/select.py`).
Decisions: an example from production is used where people rated it well, or where nobody did and its session was
reported a success.
"""

from __future__ import annotations

from collections.abc import Collection

from evaluation.records import Example
from training.guard import HeldOut


def left_out(
    example: Example,
    held_out: HeldOut,
    *,
    parts: Collection[str],
    task_keys: Collection[str] = (),
    sources: Collection[str] = (),
) -> str | None:
    """Return why the example is not asked for. Empty `task_keys` and `sources` are all; `parts` are the suite's."""
    origin = example.provenance
    said = [message.content for message in example.messages if message.role == "user"]
    if task_keys and example.task_key not in task_keys:
        return f"task key {example.task_key}"
    if sources and origin.source not in sources:
        return f"source {origin.source}"
    if origin.part is not None and origin.part not in parts:
        return f"part {origin.part}"
    if held_out.overlap(origin.scenario_id, origin.scenario_group, said):
        return "overlaps with the held-out part"
    return None if example.messages else "no messages"


def is_good(example: Example, min_rating: float) -> bool:
    """Return whether the example is right as it is, by its labels and by people's ratings."""
    labels = example.labels
    if labels.success is False or labels.correct_tool_selection is False:
        return False
    if labels.user_satisfaction is not None:
        return labels.user_satisfaction >= min_rating
    return labels.success is True


def limited(example: Example, *, min_confidence: float, min_quality: float | None) -> str | None:
    """Return which limit the example does not meet; a person's rating needs no confidence, and a quality that is not
    known meets every limit.
    """
    labels = example.labels
    if labels.user_satisfaction is None and labels.validation_confidence < min_confidence:
        return f"confidence below {min_confidence}"
    if min_quality is not None and labels.response_quality is not None:
        return None if labels.response_quality >= min_quality else f"quality below {min_quality}"
    return None


def rank(example: Example) -> tuple[float, float, str]:
    """Return what the better of two examples has less of: quality and confidence are negated, ties go by id."""
    labels = example.labels
    quality = labels.response_quality if labels.response_quality is not None else labels.user_satisfaction
    return -(quality or 0.0), -labels.validation_confidence, example.id
