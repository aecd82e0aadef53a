"""Step 7: base and candidate on the same held-out scenarios, turn and turn about; then the gate."""

from __future__ import annotations

import asyncio
from collections import Counter

from cluster.results import BaseResult, CompareResult, RegisterResult
from cluster.turn import Tick, Turn
from evaluation.compare import HELD_OUT_TOOL, Comparison, PairRow, read_rows, summarise
from evaluation.engines.client import LocalModel
from evaluation.files import atomic_write
from evaluation.gate import judge, pinned
from evaluation.ledger import DecisionRecord
from evaluation.ledger.store import utc_now
from evaluation.models import Sampling
from evaluation.pairs import PairOptions, run_pairs
from evaluation.records import Example, stable_id
from evaluation.scenarios import Part
from evaluation.stats.intervals import Estimate


def compare_and_gate(turn: Turn, tick: Tick, base: BaseResult, candidate: RegisterResult) -> CompareResult:
    """Return the comparison and the gate's decision; both stand in the ledger before this returns."""
    rows = _run(turn, tick, base, candidate)
    policy = turn.settings.gate
    comparison = summarise(rows, alpha=policy.alpha)
    gate = judge(comparison, policy, pinned(rows))
    turn.ledger.record_decision(
        DecisionRecord(
            id=stable_id(turn.id, gate.rows_hash, gate.policy_hash),
            subject=candidate.ref,
            outcome=gate.outcome,
            evidence=gate.model_dump(mode="json"),
            policy_hash=gate.policy_hash,
            at=utc_now(),
        )
    )
    return CompareResult(
        base=comparison.base,
        candidate=comparison.candidate,
        differences=_differences(comparison),
        held_out_tools=_slice(comparison, f"tag:{HELD_OUT_TOOL}"),
        kinds=_kinds(comparison),
        gate=gate,
        rows=str(turn.folder / "compare.jsonl"),
    )


def _run(turn: Turn, tick: Tick, base: BaseResult, candidate: RegisterResult) -> list[PairRow]:
    settings, path = turn.settings, turn.folder / "compare.jsonl"
    marker = turn.folder / "compare.run"
    run_id = turn.run_id("compare", base, candidate)
    if not (path.exists() and marker.exists() and marker.read_text() == run_id):
        atomic_write(path, "")
        atomic_write(marker, run_id)
    rows = _whole(read_rows(path))
    scenarios = turn.suite().part(Part.HELD_OUT)
    done = {row.scenario_id for row in rows}

    def on_block(new: list[PairRow], examples: list[Example]) -> None:
        turn.ledger.add_examples(examples)
        rows.extend(new)
        done.update(row.scenario_id for row in new)
        atomic_write(path, "".join(row.model_dump_json() + "\n" for row in rows))
        right = Counter(row.arm for row in rows if row.task_success)
        tick(len(done), len(scenarios), f"{right['base']} against {right['candidate']} right")

    engine = settings.engine.build(alone=True)
    models = {
        "base": LocalModel.load(base.folder, base.ref, engine),
        "candidate": LocalModel.load(candidate.folder, candidate.ref, engine),
    }
    sampling = Sampling(settings.run.temperature, settings.run.max_tokens, settings.seed)
    options = PairOptions(settings.run.block, settings.run.attempts, scales=settings.scales())
    try:
        asyncio.run(
            run_pairs(
                scenarios,
                models,
                run_id=run_id,
                sampling=sampling,
                options=options,
                on_block=on_block,
                skip=done,
            )
        )
    finally:
        for model in models.values():
            model.close()
    return rows


def _whole(rows: list[PairRow]) -> list[PairRow]:
    arms = Counter(row.scenario_id for row in rows)
    return [row for row in rows if arms[row.scenario_id] >= 2]


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
        if part.name.startswith("kind:")
    }
