"""The whole turn, one call per step. Read this file first.

    suite → base → test_run → select → train → register → compare → rollout → collect → report

Each step is a function in `cluster/steps/`; its result is a small record, kept as JSON, and what the next steps are
given. A turn that was stopped anywhere goes on with `ratchet loop --resume <id>`; Ray is started by the first step
that needs it, and not at all where all of those were done before.
"""

from __future__ import annotations

from contextlib import ExitStack

from cluster.results import (
    BaseResult,
    CollectResult,
    CompareResult,
    RegisterResult,
    ReportResult,
    RolloutResult,
    SelectResult,
    SuiteResult,
    TestRunResult,
    TrainResult,
    TurnResults,
)
from cluster.session import ray_session
from cluster.steps.base import find_base
from cluster.steps.collect import count_collected
from cluster.steps.compare import compare_and_gate
from cluster.steps.register import register_candidate
from cluster.steps.report import write_report
from cluster.steps.rollout import roll_out
from cluster.steps.select import select_examples
from cluster.steps.suite import draw_suite
from cluster.steps.test_run import run_tests
from cluster.steps.train import train_candidate
from cluster.turn import Turn
from evaluation.gate import GateOutcome
from evaluation.gate_audit import in_force


def run_turn(turn: Turn) -> ReportResult:
    """Take a model once round the loop; the report's `exit_status` says how it ended."""
    suite = turn.step("suite", draw_suite, SuiteResult)
    base = turn.step("base", find_base, BaseResult, suite)
    tests = turn.step("test_run", lambda t, tick: run_tests(t, tick, base), TestRunResult, suite, base)
    selected = turn.step("select", lambda t, tick: select_examples(t, tick, base, tests), SelectResult, base, tests)
    with ExitStack() as session:

        def with_ray() -> None:
            session.enter_context(ray_session(turn.settings))

        trained = turn.step(
            "train",
            lambda t, tick: train_candidate(t, tick, base, selected),
            TrainResult,
            base,
            selected,
            before=with_ray,
        )
        candidate = turn.step(
            "register",
            lambda t, tick: register_candidate(t, tick, base, selected=selected, trained=trained),
            RegisterResult,
            base,
            selected,
            trained,
        )
        verdict = turn.step(
            "compare", lambda t, tick: compare_and_gate(t, tick, base, candidate), CompareResult, base, candidate
        )
        override = next(iter(turn.ledger.overrides(verdict.decision_id)), None)
        rollout = None
        if in_force(verdict.gate.outcome, override) is GateOutcome.APPROVE:
            rollout = turn.step(
                "rollout",
                lambda t, tick: roll_out(t, tick, base, candidate),
                RolloutResult,
                candidate,
                verdict,
                before=with_ray,
            )
    collected = turn.step("collect", count_collected, CollectResult, verdict, *([rollout] if rollout else []))
    results = TurnResults(
        suite=suite,
        base=base,
        tests=tests,
        selected=selected,
        trained=trained,
        candidate=candidate,
        verdict=verdict,
        override=override,
        rollout=rollout,
        collected=collected,
    )
    return turn.always("report", lambda t, tick: write_report(t, results))
