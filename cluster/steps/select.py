"""Step 4: from the ledger to a snapshot, with the held-out part guarded."""

from __future__ import annotations

import asyncio
from itertools import chain

from cluster.results import BaseResult, SelectResult, TestRunResult
from cluster.turn import Tick, Turn
from evaluation.ledger import ExampleFilter
from evaluation.records import Source
from training.config import SMALL
from training.rehearsal import SHARE_IF_SMALL
from training.select import SelectConfig, select_snapshot


def select_config(config: SelectConfig, parameters: int) -> SelectConfig:
    """Return the settings with the share of made-up conversations that suits a base of so many `parameters`."""
    if config.rehearsal is not None:
        return config
    return config.model_copy(update={"rehearsal": SHARE_IF_SMALL if parameters <= SMALL else 0.0})


def select_examples(turn: Turn, tick: Tick, base: BaseResult, tests: TestRunResult) -> SelectResult:
    """Select this turn's test examples, further ones of what went wrong, and what earlier turns collected."""
    ledger, settings = turn.ledger, turn.settings
    tested = ledger.examples(ExampleFilter(run_ids=(tests.run_id,)))
    served = list(ledger.examples(ExampleFilter(sources=(Source.PRODUCTION,))))
    seeds = {"seed": settings.seed, "split_seed": turn.suite().split_seed}
    snapshot, funnel = asyncio.run(
        select_snapshot(
            chain(tested, served),
            turn.suite().scenarios,
            select_config(settings.select, base.parameters),
            folder=turn.home.snapshots / settings.model,
            feedback=ledger.feedback_by_example([example.id for example in served]),
            further=turn.further,
            name=turn.id,
            seeds=seeds,
            scales=settings.scales(),
            privacy=settings.data.privacy,
        )
    )
    return SelectResult(snapshot=snapshot, funnel=funnel)
