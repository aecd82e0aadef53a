"""Step 7: base and candidate on the same held-out scenarios, turn and turn about; then the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from cluster.looks import looked
from cluster.pairing import ROWS, Watch, run_arms
from cluster.results import BaseResult, CompareResult, RegisterResult
from cluster.turn import Tick, Turn
from evaluation.compare import HELD_OUT_TOOL, Comparison, summarise
from evaluation.engines.client import LocalModel
from evaluation.gate import judge
from evaluation.gate_rules import RegressionEvidence, pinned, regression_evidence
from evaluation.held_out import HeldOutBudget, held_out_digest
from evaluation.ledger import DecisionRecord, PinRecord
from evaluation.ledger.store import utc_now
from evaluation.models import Sampling
from evaluation.observed import Seen, observations
from evaluation.pair_rows import PairRow
from evaluation.pairs import Arm, PairOptions
from evaluation.records import stable_id
from evaluation.regression import PinAttempt, pinned_scenarios, regression_run
from evaluation.scenarios import Part
from evaluation.stats.intervals import Estimate


def compare_and_gate(turn: Turn, tick: Tick, base: BaseResult, candidate: RegisterResult) -> CompareResult:
    """Return the comparison and the gate's decision; both stand in the ledger before this returns."""
    rows, regression = _run(turn, tick, base, candidate)
    policy, metrics = turn.settings.gate, turn.settings.all_metrics()
    comparison = summarise(rows, alpha=policy.alpha, metrics=metrics)
    gate = judge(comparison, policy, regression, metrics=metrics)
    now = utc_now()
    spent = _remember(turn, comparison, {"base": base.ref, "candidate": candidate.ref})
    decision_id = stable_id(turn.id, gate.model_dump(mode="json"))
    turn.ledger.record_decision(
        DecisionRecord(
            id=decision_id,
            subject=candidate.ref,
            outcome=gate.outcome,
            evidence=gate.model_dump(mode="json") | _inputs(turn, base, candidate),
            policy_hash=gate.policy_hash,
            at=now,
        )
    )
    return CompareResult(
        base=comparison.base,
        candidate=comparison.candidate,
        differences=_differences(comparison),
        held_out_tools=_slice(comparison, f"tag:{HELD_OUT_TOOL}"),
        kinds=_kinds(comparison),
        gate=gate,
        decision_id=decision_id,
        held_out=spent,
        rows=str(turn.folder / ROWS),
    )


def _inputs(turn: Turn, base: BaseResult, candidate: RegisterResult) -> dict[str, object]:
    """Return what the decision rests on beside rows and policy: enough to do it again."""
    return {
        "inputs": {
            "turn": turn.id,
            "base": base.ref,
            "base_digest": base.digest,
            "candidate": candidate.ref,
            "candidate_digest": candidate.digest,
            "suite_digest": turn.suite().digest(),
            "seed": turn.settings.seed,
            "rows": str(turn.folder / ROWS),
        }
    }


def _remember(turn: Turn, comparison: Comparison, refs: dict[str, str]) -> HeldOutBudget:
    """Write both arms' figures, and that the held-out scenarios were looked at; return what those are worth by now."""
    held_out = turn.suite().part(Part.HELD_OUT)
    origin = f"{turn.id}/{comparison.rows_hash}"
    seen = Seen("compare", origin, held_out_digest(held_out), utc_now())
    found = {"base": comparison.base, "candidate": comparison.candidate}
    turn.ledger.observe([one for arm, ref in refs.items() for one in observations(ref, found[arm], seen)])
    return looked(turn.ledger, turn.settings, held_out, kind="compare", subject=refs["candidate"], origin=origin)


class Attempted(NamedTuple):
    """What both arms did."""

    rows: list[PairRow]
    """On the held-out scenarios."""
    regression: RegressionEvidence
    """The candidate on what is pinned."""


def _run(turn: Turn, tick: Tick, base: BaseResult, candidate: RegisterResult) -> Attempted:
    settings = turn.settings
    sampling = Sampling(settings.run.temperature, settings.run.max_tokens, settings.seed)
    engine = settings.engine.build(alone=True)
    models = {
        "base": LocalModel.load(base.folder, base.ref, engine),
        "candidate": LocalModel.load(candidate.folder, candidate.ref, engine),
    }
    arms = {name: Arm(model, sampling, scales=settings.scales()) for name, model in models.items()}
    try:
        return attempt_arms(turn, tick, arms, turn.run_id("compare", base, candidate))
    finally:
        for model in models.values():
            model.close()


def attempt_arms(turn: Turn, tick: Tick, arms: Mapping[str, Arm], run_id: str) -> Attempted:
    """Attempt the held-out scenarios with `base` and `candidate`, and what is pinned beside them with `candidate`."""
    settings, held_out = turn.settings, turn.suite().part(Part.HELD_OUT)
    options = PairOptions(settings.run.block, settings.run.attempts, metrics=settings.all_metrics())

    def tell(rows: list[PairRow], done: int, total: int) -> None:
        right = Counter(row.arm for row in rows if row.success)
        tick(done, total, f"{right['base']} against {right['candidate']} right")

    watch = Watch(turn.ledger.add_examples, tell)
    rows = run_arms(turn.folder, held_out, arms, run_id=run_id, options=options, watch=watch).rows
    pins = turn.ledger.pins()
    # Apart from the others: what was pinned because it failed once is no sample, and belongs into no figure.
    apart = run_arms(
        turn.folder / "pinned",
        pinned_scenarios(pins, beside=held_out),
        {"candidate": arms["candidate"]},
        run_id=f"{run_id}/pinned",
        options=replace(options, timed=0),
        watch=Watch(turn.ledger.add_examples, lambda rows, done, total: None),
    ).rows
    return Attempted(rows, _regression(pins, rows, apart))


def _regression(pins: Sequence[PinRecord], rows: Sequence[PairRow], apart: Sequence[PairRow]) -> RegressionEvidence:
    """Return how the candidate did on pinned scenarios; one whose text changed since counts as it was pinned."""
    separate = {row.scenario_id for row in apart}
    own = [row for row in rows if row.arm == "candidate" and row.scenario_id not in separate]
    attempts = [PinAttempt(row.scenario_id, row.success) for row in (*own, *apart)]
    suite = pinned([row for row in rows if row.scenario_id not in separate])
    return regression_evidence(regression_run(pins, attempts), suite)


def _differences(comparison: Comparison) -> dict[str, Estimate]:
    return {name: metric.difference for name, metric in comparison.metrics.items()}


def _slice(comparison: Comparison, name: str) -> dict[str, dict[str, Estimate]]:
    for part in comparison.slices:
        if part.name == name:
            return {
                "base": {k: m.base for k, m in part.metrics.items()},
                "candidate": {k: m.candidate for k, m in part.metrics.items()},
                "differences": {k: m.difference for k, m in part.metrics.items()},
            }
    return {}


def _kinds(comparison: Comparison) -> dict[str, dict[str, Estimate]]:
    return {
        part.name.removeprefix("kind:"): {
            "base": part.metrics["task_success"].base,
            "candidate": part.metrics["task_success"].candidate,
        }
        for part in comparison.slices
        if part.division == "kind" and "task_success" in part.metrics
    }
