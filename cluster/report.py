"""What a turn came to, as one JSON document: the content of `report.json`.

Decisions: every figure is taken from a step's result, none is computed here, so that the report cannot disagree with
what decided. Figures that the data do not give are null.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from pydantic import BaseModel

from cluster.results import RolloutResult, TurnResults
from cluster.turn import Turn
from evaluation.gate import GateOutcome
from evaluation.gate_audit import in_force
from evaluation.scenarios import Part
from training.provenance import environment

Json = dict[str, Any]

PROMOTED, REJECTED, INCONCLUSIVE = 0, 3, 4
"""Exit statuses of `ratchet loop`."""


class Ending(NamedTuple):
    """How a turn ended."""

    outcome: str
    """`promoted`, `rejected`, `inconclusive`, `aborted` or `paused`."""
    exit_status: int
    sentence: str
    """For people."""


def ending(results: TurnResults) -> Ending:
    """Return how the turn ended, from the gate's decision and the rollout's."""
    base, candidate, gate = results.base.ref, results.candidate.ref, results.verdict.gate
    outcome = in_force(gate.outcome, results.override)
    if outcome is GateOutcome.REJECT:
        who = f"{results.override.by}, against the gate," if results.override else "The gate"
        return Ending("rejected", REJECTED, f"{who} rejected {candidate}; {base} stays in production.")
    if outcome is GateOutcome.INCONCLUSIVE or results.rollout is None:
        sentence = f"The gate could not tell whether {candidate} may replace {base}, which stays in production."
        return Ending("inconclusive", INCONCLUSIVE, sentence)
    decision = results.rollout.report.decision
    if decision == "promoted":
        against = f" {results.override.by} let it pass against the gate." if results.override else ""
        return Ending("promoted", PROMOTED, f"{candidate} was promoted: it answers in place of {base} now.{against}")
    if decision == "paused":
        sentence = f"The rollout of {candidate} paused without a decision; {base} stays in production."
        return Ending("paused", INCONCLUSIVE, sentence)
    return Ending("aborted", REJECTED, f"The rollout of {candidate} was aborted; {base} stays in production.")


def build_report(turn: Turn, results: TurnResults) -> Json:
    """Return the report, all but `seconds`, which end with the report itself. All values are JSON."""
    end, verdict, settings = ending(results), results.verdict, turn.settings
    return {
        "id": turn.id,
        "outcome": end.outcome,
        "exit_status": end.exit_status,
        "summary": end.sentence,
        "seed": settings.seed,
        "suite": plain(results.suite),
        "scenarios": {str(part): results.suite.counts.get(part, 0) for part in Part},
        "base": plain(verdict.base),
        "candidate": plain(verdict.candidate),
        "differences": plain(verdict.differences),
        "held_out_tools": plain(verdict.held_out_tools),
        "kinds": plain(verdict.kinds),
        "gate": _gate(results),
        "held_out_budget": plain(verdict.held_out),
        "rollout": _rollout(results.rollout),
        "test_run": plain(results.tests),
        "training": plain(results.trained),
        "snapshot": {"ref": results.selected.snapshot.ref, **plain(results.selected.snapshot)},
        "versions": _versions(results),
        "seeds": {"seed": settings.seed, "split_seed": results.suite.split_seed},
        "environment": environment(),
        "collected": plain(results.collected),
    }


def plain(value: Any) -> Any:
    """Return records, and dicts and lists of them, as JSON values; a float that JSON does not have becomes None."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _versions(results: TurnResults) -> Json:
    return {
        "base": results.base.ref,
        "candidate": results.candidate.ref,
        "champion": results.collected.champion,
        "digests": {"base": results.base.digest, "candidate": results.candidate.digest},
        "parameters": results.base.parameters,
    }


def _gate(results: TurnResults) -> Json:
    gate = plain(results.verdict.gate)
    return {
        "decision": gate.pop("outcome"),
        "id": results.verdict.decision_id,
        "override": plain(results.override),
        **gate,
    }


def _rollout(rollout: RolloutResult | None) -> Json:
    if rollout is None:
        reason = "the gate did not approve the candidate, so that no user has met it"
        return {"decision": "none", "reason": reason, "stages": [], "requests": 0, "failed_requests": 0, "traffic": []}
    report = plain(rollout.report)
    return {**report, "stages": [_stage(stage) for stage in report["stages"]]}


def _stage(stage: Json) -> Json:
    counts = {key: value for key, value in stage.items() if isinstance(value, int) and key != "weight"}
    return {
        "weight": stage["weight"],
        "counts": counts,
        "evidence": stage.get("measurements", []),
        "decision": stage["decision"],
        "reason": stage["reason"],
        "seconds": stage["seconds"],
    }
