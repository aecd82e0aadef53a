"""What holds of a decision of the gate, and what it rests on, for whoever asks later. Pure.

Decisions: a decision never changes; what a person said against it stands beside it for ever, with name and reason, and
the latest word holds. An override without a name or a reason is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from evaluation.gate import GateDecision, GateOutcome
from evaluation.ledger.records import DecisionRecord, OverrideRecord
from evaluation.records import Record, stable_id


class OverrideError(Exception):
    """The override cannot be made. Says what was expected and found."""


class Audited(Record):
    """A decision with everything that was said of it."""

    record: DecisionRecord
    decision: GateDecision | None
    """None where the record holds none that this code can read."""
    inputs: dict[str, Any]
    """What it rests on beside rows and policy: versions, digests, seed, suite, where the rows are."""
    overrides: tuple[OverrideRecord, ...]
    """The latest first."""
    holds: GateOutcome
    """What holds now."""


def in_force(outcome: GateOutcome, override: OverrideRecord | None) -> GateOutcome:
    """Return what holds: the gate's word, or a person's against it."""
    return outcome if override is None else GateOutcome(override.outcome)


def audited(record: DecisionRecord, overrides: Sequence[OverrideRecord]) -> Audited:
    """Return the decision as it stands. Raises `ValueError` where its outcome is none of the gate's."""
    evidence: Mapping[str, Any] = record.evidence
    inputs = evidence.get("inputs")
    try:
        known = {name: value for name, value in evidence.items() if name in GateDecision.model_fields}
        decision = GateDecision.model_validate(known)
    except ValidationError:
        decision = None
    return Audited(
        record=record,
        decision=decision,
        inputs=dict(inputs) if isinstance(inputs, dict) else {},
        overrides=tuple(overrides),
        holds=in_force(GateOutcome(record.outcome), next(iter(overrides), None)),
    )


def override_of(
    record: DecisionRecord, outcome: str, *, holds: str, by: str, reason: str, at: datetime
) -> OverrideRecord:
    """Return a person's word against a decision, of which `holds` is what holds now.

    Raises `OverrideError` for no name, no reason, or no other word.
    """
    mistakes = []
    if outcome not in (GateOutcome.APPROVE, GateOutcome.REJECT):
        mistakes.append(f"expected approve or reject, found {outcome!r}")
    if outcome == holds:
        mistakes.append(f"expected another word than the one that holds, found {outcome}, which holds already")
    if not by.strip():
        mistakes.append("--by: expected the name of the person who overrides the gate, found none")
    if len(reason.split()) < 2:
        mistakes.append(f"--reason: expected a reason that others can follow, found {reason!r}")
    if mistakes:
        raise OverrideError("\n".join(mistakes))
    name, why = by.strip(), " ".join(reason.split())
    return OverrideRecord(
        id=stable_id(record.id, outcome, name, why, at),
        decision_id=record.id,
        outcome=outcome,
        by=name,
        reason=why,
        at=at,
    )
