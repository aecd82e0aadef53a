"""Step 8: the approved candidate meets users, stage by stage, behind the gateway."""

from __future__ import annotations

import asyncio

from ray import serve

from cluster.collecting import INBOX
from cluster.results import BaseResult, RegisterResult, RolloutResult
from cluster.turn import Tick, Turn, TurnError
from serving.access import read_keys
from serving.rollout_plan import RolloutPlan, RolloutProgress
from serving.run import run_rollout


def roll_out(turn: Turn, tick: Tick, base: BaseResult, candidate: RegisterResult) -> RolloutResult:
    """Roll out until promoted, aborted or paused; the gateway goes down with the turn. Raises `TurnError`."""
    settings = turn.settings
    require_compared(turn, base, candidate)
    plan = RolloutPlan(
        rollout_id=turn.id,
        model=settings.model,
        champion=base.ref,
        champion_folder=base.folder,
        candidate=candidate.ref,
        candidate_folder=candidate.folder,
        policy=settings.rollout,
        engine=settings.engine.build(alone=False),
        host=settings.serve.host,
        port=settings.serve.port,
        spool=turn.home.spool / f"{turn.id}.db",
        secret=turn.home.root / "secret",
        ledger_url=turn.ledger_url,
        users=settings.serve.users,
        seed=settings.seed,
        max_tokens=settings.run.max_tokens,
        prices=settings.price_table(),
        rewards=settings.data.reward,
        inbox=turn.home.spool / INBOX,
        keys=read_keys(settings.data.collect.keys),
    )

    def progress(p: RolloutProgress) -> None:
        tick(p.conversations, p.of, p.words)

    try:
        report = asyncio.run(run_rollout(plan, turn.ledger, turn.live, progress))
    finally:
        serve.shutdown()
    if report.decision == "promoted":
        number = int(candidate.ref.rpartition(":")[2])
        previous = int(base.ref.rpartition(":")[2])
        turn.registry.project_aliases(settings.model, champion=number, candidate=None, previous=previous)
    return RolloutResult(report=report)


def require_compared(turn: Turn, base: BaseResult, candidate: RegisterResult) -> None:
    """Raise `TurnError` where production moved on meanwhile: the gate's word is about `base` alone."""
    champion = turn.ledger.champion(turn.settings.model)
    if champion not in (base.ref, candidate.ref):
        raise TurnError(
            f"turn {turn.id}: expected {base.ref}, with which {candidate.ref} was compared, in production,"
            f" found {champion}; begin a new turn: ratchet loop"
        )
