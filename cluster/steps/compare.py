"""Step 7: base and candidate on the same held-out scenarios, turn and turn about; then the gate."""

from __future__ import annotations

from collections import Counter

from cluster.pairing import ROWS, Watch, run_arms
from cluster.results import BaseResult, CompareResult, RegisterResult
from cluster.turn import Tick, Turn
from evaluation.compare import HELD_OUT_TOOL, Comparison, summarise
from evaluation.engines.client import LocalModel
from evaluation.gate import judge
from evaluation.gate_rules import pinned
from evaluation.ledger import DecisionRecord
from evaluation.ledger.store import utc_now
from evaluation.models import Sampling
from evaluation.observed import Seen, look_at, observations, scenarios_digest
from evaluation.pair_rows import PairRow
from evaluation.pairs import Arm, PairOptions
from evaluation.records import stable_id
from evaluation.scenarios import Part
from evaluation.stats.intervals import Estimate


def compare_and_gate(turn: Turn, tick: Tick, base: BaseResult, candidate: RegisterResult) -> CompareResult:
    """Return the comparison and the gate's decision; both stand in the ledger before this returns."""
    rows = _run(turn, tick, base, candidate)
    policy, metrics = turn.settings.gate, turn.settings.all_metrics()
    comparison = summarise(rows, alpha=policy.alpha, metrics=metrics)
    gate = judge(comparison, policy, pinned(rows), metrics=metrics)
    now = utc_now()
    _remember(turn, comparison, {"base": base.ref, "candidate": candidate.ref})
    turn.ledger.record_decision(
        DecisionRecord(
            id=stable_id(turn.id, gate.rows_hash, gate.policy_hash),
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


def _remember(turn: Turn, comparison: Comparison, refs: dict[str, str]) -> None:
    """Write both arms' figures, and that the held-out scenarios were looked at."""
    held_out = {scenario.id: scenario.digest() for scenario in turn.suite().part(Part.HELD_OUT)}
    digest, now = scenarios_digest(held_out), utc_now()
    seen = Seen("compare", f"{turn.id}/{comparison.rows_hash}", digest, now)
    found = {"base": comparison.base, "candidate": comparison.candidate}
    turn.ledger.observe([one for arm, ref in refs.items() for one in observations(ref, found[arm], seen)])
    turn.ledger.look(look_at(digest, refs["candidate"], seen))


def _run(turn: Turn, tick: Tick, base: BaseResult, candidate: RegisterResult) -> list[PairRow]:
    settings = turn.settings
    sampling = Sampling(settings.run.temperature, settings.run.max_tokens, settings.seed)
    engine = settings.engine.build(alone=True)
    models = {
        "base": LocalModel.load(base.folder, base.ref, engine),
        "candidate": LocalModel.load(candidate.folder, candidate.ref, engine),
    }

    def tell(rows: list[PairRow], done: int, total: int) -> None:
        right = Counter(row.arm for row in rows if row.success)
        tick(done, total, f"{right['base']} against {right['candidate']} right")

    try:
        return run_arms(
            turn.folder,
            turn.suite().part(Part.HELD_OUT),
            {name: Arm(model, sampling, scales=settings.scales()) for name, model in models.items()},
            run_id=turn.run_id("compare", base, candidate),
            options=PairOptions(settings.run.block, settings.run.attempts, metrics=settings.all_metrics()),
            watch=Watch(turn.ledger.add_examples, tell),
        ).rows
    finally:
        for model in models.values():
            model.close()


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
