"""Results of a made-up turn, for tests of what is written from them."""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.console import Console

from cluster.clock import Clock
from cluster.home import Home
from cluster.results import (
    BaseResult,
    CollectResult,
    CompareResult,
    RegisterResult,
    RolloutResult,
    SelectResult,
    SuiteResult,
    TestRunResult,
    TrainResult,
    TurnResults,
)
from cluster.settings import Settings
from cluster.turn import Turn
from evaluation.gate import GateDecision, GateOutcome
from evaluation.gate_policy import GatePolicy
from evaluation.gate_results import RuleOutcome, RuleResult
from evaluation.ledger import Ledger
from evaluation.stats.intervals import Estimate
from serving.rollout_plan import RolloutReport, StageReport
from training.prepare.funnel import Funnel, FunnelStep
from training.snapshot import Snapshot, SnapshotMeta

MEASURED = {
    "tool_accuracy": (0.71, 0.968),
    "exact_calls": (0.58, 0.914),
    "task_success": (0.525, 0.889),
    "protocol_clean": (0.97, 0.996),
    "quality": (3.1, 4.6),
    "tokens_per_episode": (412.0, 398.0),
    "latency_ms": (118.0, 112.5),
    "cost": (0.0000523, 0.0000498),
}


def estimate(value: float | None, n: int = 280) -> Estimate:
    if value is None:
        return Estimate(value=None, low=None, high=None, n=0)
    return Estimate(value=value, low=value * 0.95, high=min(value * 1.04, 1.0) if value <= 1 else value * 1.04, n=n)


def arm(index: int, n: int = 280) -> dict[str, Estimate]:
    return {name: estimate(pair[index], n) for name, pair in MEASURED.items()}


def differences() -> dict[str, Estimate]:
    return {name: estimate(pair[1] - pair[0]) for name, pair in MEASURED.items()}


def gate(outcome: GateOutcome) -> GateDecision:
    passed = outcome is GateOutcome.APPROVE
    rules = (
        RuleResult(name="accuracy", outcome=RuleOutcome.PASSED, evidence={}, reason="1.69 times the base's."),
        RuleResult(
            name="cost",
            outcome=RuleOutcome.PASSED if passed else RuleOutcome.FAILED,
            evidence={"ratio": 0.95, "limit": None},
            reason="0.95 times the base's, below 1.2 is asked.",
            change="" if passed else "a candidate with lower cost",
        ),
    )
    return GateDecision(
        outcome=outcome,
        reason="all 2 rules passed." if passed else "cost: too high.",
        rules=rules,
        policy=GatePolicy(),
        policy_hash="p" * 24,
        rows_hash="r" * 24,
    )


def stage(weight: float, counts: tuple[int, int], seconds: float, decision: str) -> StageReport:
    return StageReport(
        weight=weight,
        champion=counts[0],
        candidate=counts[1],
        champion_successes=int(counts[0] * 0.52),
        candidate_successes=int(counts[1] * 0.88),
        champion_conversations=counts[0],
        candidate_conversations=counts[1],
        decision=decision,
        reason="the interval of candidate − champion lies above −0.05.",
        measurements=({"name": "success", "outcome": "successful", "low": 0.1, "high": float("inf")},),
        seconds=seconds,
    )


def rollout(decision: str) -> RolloutResult:
    stages = (
        stage(10, (90, 10), 14.0, "advance"),
        stage(50, (41, 39), 9.5, "advance"),
        stage(100, (0, 60), 8.0, "promote" if decision == "promoted" else decision),
    )
    return RolloutResult(
        report=RolloutReport(
            decision=decision,
            reason="every stage was passed.",
            stages=stages,
            requests=514,
            failed_requests=0,
            captured=514,
            feedback=103,
            traffic=((0.0, 0.1), (14.0, 0.5), (23.5, 1.0)),
            latency_ms={"champion": 119.0, "candidate": 111.0},
        )
    )


def results(outcome: GateOutcome = GateOutcome.APPROVE, decision: str = "promoted") -> TurnResults:
    approved = outcome is GateOutcome.APPROVE
    snapshot = Snapshot(
        path="/home/snapshots/agent",
        version=0,
        rows=811,
        meta=SnapshotMeta(name="t001"),
        schema_hash="s" * 24,
        content_hash="c" * 64,
        ids_hash="i" * 24,
    )
    steps = (FunnelStep(name="correct", rows_in=900, rows_out=811, reasons={"corrected": 390, "unjudged": 89}),)
    kinds = {kind: {"base": estimate(0.4, 40), "candidate": estimate(0.9, 40)} for kind in ("one_call", "no_tool")}
    return TurnResults(
        suite=SuiteResult(
            name="tools", seed=0, split_seed=0, digest="d" * 24, counts={"train": 900, "held_out": 280, "live": 400},
            tools=40, domains=8, held_out_tools=5,
        ),
        base=BaseResult(folder="/m/1", ref="agent:1", digest="a" * 64, is_champion=False, parameters=3_100_000),
        tests=TestRunResult(run_id="t001/test", examples=900, failures={"malformed_output": 4}, metrics=arm(0, 900)),
        selected=SelectResult(snapshot=snapshot, funnel=Funnel(steps=steps, scrubbed={})),
        trained=TrainResult(
            folder="/m/t", run="run", recipe="lora", steps=120, first_eval_loss=1.2, best_eval_loss=0.14, picture="p",
        ),
        candidate=RegisterResult(ref="agent:2", folder="/m/2", digest="b" * 64),
        verdict=CompareResult(
            decision_id="d1",
            base=arm(0), candidate=arm(1), differences=differences(), kinds=kinds, gate=gate(outcome), rows="x",
            held_out_tools={"base": arm(0, 35), "candidate": arm(1, 35), "differences": differences()},
        ),
        rollout=rollout(decision) if approved else None,
        collected=CollectResult(
            production=514 if approved else 0, feedback=103 if approved else 0, total=1974,
            champion="agent:2" if approved and decision == "promoted" else "agent:1",
        ),
    )  # fmt: skip


def turn(folder: Path, **flags: object) -> Turn:
    home = Home.open(folder / "home")
    settings = Settings.load({"home": str(home.root), **flags}, env={})
    ledger = Ledger.open(home.ledger_url(None))
    return Turn("t001", settings, home, ledger, Console(quiet=True), Clock(home.loops / "t001", time.monotonic()))


def write_curve(made: Turn) -> None:
    path = made.home.training / made.id / "curve.json"
    path.parent.mkdir(parents=True)
    points: list[dict[str, float]] = [{"step": 0, "eval_loss": 1.2}]
    for step in range(1, 121):
        points.append({"step": step, "loss": 1.2 * 0.97**step + 0.12 + 0.03 * (step % 3), "learning_rate": 1e-3})
        if step % 20 == 0:
            points.append({"step": step, "eval_loss": 1.15 * 0.97**step + 0.14})
    path.write_text(json.dumps(points))
