"""Step 3: the base attempts the `train` scenarios; every episode becomes an example in the ledger."""

from __future__ import annotations

import asyncio

from cluster.results import BaseResult, TestRunResult
from cluster.turn import Tick, Turn
from evaluation.engines.client import LocalModel
from evaluation.figures import summarize
from evaluation.ledger import ExampleFilter, RunRecord
from evaluation.ledger.records import Status
from evaluation.ledger.store import utc_now
from evaluation.models import Sampling
from evaluation.outcomes import failures_by_kind, outcome_of
from evaluation.run import Progress, RunOptions, run_suite
from evaluation.scenarios import Part


def run_tests(turn: Turn, tick: Tick, base: BaseResult) -> TestRunResult:
    """Run what is missing of the test run; a run that was stopped goes on, one with other settings begins anew."""
    settings, suite = turn.settings, turn.suite()
    run_id = turn.run_id("test", base)
    record = RunRecord(
        id=run_id, kind="test", suite_digest=suite.digest(), model=base.ref, seed=settings.seed, started_at=utc_now()
    )
    turn.ledger.start_run(record)
    model = LocalModel.load(base.folder, base.ref, settings.engine.build(alone=True))
    sampling = Sampling(settings.run.temperature, settings.run.max_tokens, settings.seed)
    options = RunOptions(concurrency=settings.run.concurrency, attempts=settings.run.attempts, scales=settings.scales())

    def progress(p: Progress) -> None:
        tick(p.done, p.total or p.done, f"{p.successes} right")

    try:
        asyncio.run(
            run_suite(
                suite.part(Part.TRAIN),
                model,
                sink=turn.ledger,
                run_id=run_id,
                sampling=sampling,
                options=options,
                on_progress=progress,
                skip=turn.ledger.example_ids(run_id),
            )
        )
    finally:
        model.close()
    by_id = {s.id: s for s in suite.scenarios}
    examples = turn.ledger.examples(ExampleFilter(run_ids=(run_id,)))
    outcomes = [outcome_of(by_id[e.provenance.scenario_id or ""], e) for e in examples]
    failures = {str(kind): n for kind, n in failures_by_kind(outcomes).items()}
    turn.ledger.finish_run(run_id, Status.FINISHED, {"examples": len(outcomes), **failures})
    return TestRunResult(run_id=run_id, examples=len(outcomes), failures=failures, metrics=summarize(outcomes))
