"""A rollout from start to end: deploy the candidate beside the champion, shift traffic by stages, promote or abort.

The controller acts on what `serving/policy.py` decides, and keeps the whole state in the ledger's rollout record: every
change is one update with its event, made from the revision that was read. Called again after a kill, it goes on from
the record. Traffic comes from simulated users. Order on the way down: weight to zero, wait for what is under way,
delete the application.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from evaluation.engines.transformers import EngineConfig
from evaluation.ledger import Ledger, RolloutEvent, RolloutRecord, RolloutStatus
from evaluation.ledger.store import utc_now
from evaluation.records import Record
from evaluation.scenarios import Scenario
from serving.app import GatewayConfig, deploy, routing_of, stop_variant
from serving.capture import flush
from serving.policy import (
    Action,
    ArmEvidence,
    RolloutDecision,
    RolloutPolicy,
    StageEvidence,
    StageTraffic,
    Summary,
    decide,
)
from serving.spool import Spool
from serving.users import Users

LOOK_S = 0.5
"""How often the evidence is looked at."""
LEASE_S = 30.0
OWNER = "loop"


class LeaseHeld(Exception):
    """Another controller acts on this rollout."""


@dataclass(frozen=True)
class RolloutPlan:
    """What to roll out, and how. `model` is the registered name; versions are `name:number`."""

    rollout_id: str
    model: str
    champion: str
    champion_folder: str
    candidate: str
    candidate_folder: str
    policy: RolloutPolicy
    engine: EngineConfig
    host: str
    port: int
    spool: Path
    """Path of the spool file."""
    secret: Path
    ledger_url: str
    users: int
    seed: int
    max_tokens: int


@dataclass(frozen=True)
class RolloutProgress:
    """How far a rollout is."""

    weight: float
    conversations: int
    of: int
    """Conversations after which the stage pauses."""
    words: str


class StageReport(Record):
    """One stage, as it ended."""

    weight: float
    champion: int
    """Conversations of the champion in this stage."""
    candidate: int
    champion_successes: int
    """Over the rollout so far."""
    candidate_successes: int
    champion_conversations: int
    candidate_conversations: int
    decision: str
    reason: str
    measurements: tuple[dict[str, Any], ...]
    seconds: float


class RolloutReport(Record):
    """The rollout, as it ended."""

    decision: str
    """`promoted`, `aborted` or `paused`."""
    reason: str
    stages: tuple[StageReport, ...]
    requests: int
    failed_requests: int
    errors: tuple[str, ...] = ()
    captured: int
    """Examples of this rollout in the ledger."""
    feedback: int
    traffic: tuple[tuple[float, float], ...]
    """Seconds since the start, and the candidate's share of the weight."""
    latency_ms: dict[str, float]
    """Mean milliseconds per model call, by arm."""


async def run_rollout(
    plan: RolloutPlan,
    ledger: Ledger,
    scenarios: Callable[[int], Sequence[Scenario]],
    on_progress: Callable[[RolloutProgress], None],
) -> RolloutReport:
    """Roll out on the running Ray; return when the rollout is promoted, aborted or paused. Raises `PortTaken`."""
    controller = Controller(plan, ledger, Spool(plan.spool), on_progress)
    try:
        if controller.ended is not None:
            return controller.ended
        await asyncio.to_thread(controller.deploy)
        await controller.reached()
        stop = asyncio.Event()
        users = Users(
            base_url=f"http://{plan.host}:{plan.port}",
            model=plan.model,
            seed=plan.seed,
            max_tokens=plan.max_tokens,
            scenarios=scenarios,
            prefix=f"{plan.rollout_id}-{controller.record.revision}",
        )
        crowd = asyncio.create_task(users.run(plan.users, stop))
        try:
            while (decision := await controller.look(crowd)) is None:
                await asyncio.sleep(LOOK_S)
        finally:
            stop.set()
            await crowd
        return await controller.finish(decision, users)
    finally:
        controller.spool.close()


class Controller:
    """Carries a rollout out."""

    def __init__(
        self, plan: RolloutPlan, ledger: Ledger, spool: Spool, on_progress: Callable[[RolloutProgress], None]
    ) -> None:
        self.plan, self.ledger, self.spool = plan, ledger, spool
        self._on_progress = on_progress
        self._started = self._stage_started = time.monotonic()
        self._traffic: list[tuple[float, float]] = []
        self._stages: list[StageReport] = []
        self.record = ledger.create_rollout(
            RolloutRecord(
                id=plan.rollout_id,
                model=plan.model,
                champion=plan.champion,
                candidate=plan.candidate,
                weights=self._weights(0),
                created_at=utc_now(),
                updated_at=utc_now(),
            )
        )
        self._stages = [StageReport.model_validate(s) for s in self.record.evidence.get("stages", [])]  # type: ignore[union-attr]
        report = self.record.evidence.get("report")
        self.ended = None if report is None else RolloutReport.model_validate(report)
        """The report of a rollout that ended in an earlier call."""

    def _weights(self, percent: float) -> dict[str, float]:
        return {self.plan.candidate: percent / 100, self.plan.champion: 1 - percent / 100}

    def deploy(self) -> None:
        """Start champion, candidate and gateway; then give the candidate its first share."""
        plan = self.plan
        folders = {plan.champion: plan.champion_folder, plan.candidate: plan.candidate_folder}
        config = GatewayConfig(plan.ledger_url, str(plan.spool), str(plan.secret), plan.model, plan.max_tokens)
        deploy(config, folders, plan.engine, (plan.host, plan.port))
        if self.record.status is RolloutStatus.PENDING:
            self._change(0, "started", "champion and candidate answer")
        self._started = self._stage_started = time.monotonic()
        self._note_traffic()

    def _change(self, stage: int, kind: str, reason: str, status: RolloutStatus = RolloutStatus.RUNNING) -> None:
        if not self.ledger.acquire_lease(self.record.id, OWNER, LEASE_S):
            raise LeaseHeld(f"rollout {self.record.id} is in the hands of another controller; stop that one, or wait")
        weight = self.plan.policy.stages[stage] if status is RolloutStatus.RUNNING else self._weight_at_end(status)
        changed = self.record.model_copy(
            update={
                "stage": stage,
                "weights": self._weights(weight),
                "status": status,
                "evidence": {"stages": [s.model_dump(mode="json") for s in self._stages]} | self._report(),
            }
        )
        event = RolloutEvent(
            rollout_id=self.record.id, kind=kind, actor=OWNER, reason=reason, detail={"weight": weight}, at=utc_now()
        )
        if status is RolloutStatus.PROMOTED:
            written = self.ledger.set_champion(self.plan.model, self.plan.candidate, changed, event=event)
            self.record = written or changed
        else:
            self.record = self.ledger.update_rollout(changed, self.record.revision, event)

    def _weight_at_end(self, status: RolloutStatus) -> float:
        ends = {RolloutStatus.PROMOTED: 100.0, RolloutStatus.ROLLED_BACK: 0.0}
        return ends.get(status, self.plan.policy.stages[self.record.stage])

    def _note_traffic(self) -> None:
        share = self.record.weights[self.plan.candidate]
        now = round(time.monotonic() - self._started, 2)
        if self._traffic:
            self._traffic.append((now, self._traffic[-1][1]))
        self._traffic.append((now, share))

    async def reached(self) -> None:
        """Wait until the gateway routes by the record."""
        routing = await asyncio.to_thread(routing_of, self.ledger, self.plan.model)
        wanted = {"model": routing.model, "stage": routing.stage, "weights": dict(routing.weights)}
        async with httpx.AsyncClient(base_url=f"http://{self.plan.host}:{self.plan.port}", timeout=10) as client:
            while (await client.get("/v1/ratchet/rollout")).json() != wanted:
                await asyncio.sleep(0.05)

    async def look(self, crowd: asyncio.Task[None]) -> RolloutDecision | None:
        """Look at the evidence and act on it; return the decision that ends the rollout."""
        if crowd.done():
            crowd.result()
        decision = await asyncio.to_thread(self._judge)
        if decision.action is Action.HOLD:
            return None
        self._close_stage(decision)
        if decision.action is Action.ADVANCE:
            await asyncio.to_thread(self._change, self.record.stage + 1, "advanced", decision.reason)
            self._note_traffic()
            self._stage_started = time.monotonic()
            await self.reached()
            return None
        return decision

    def evidence(self) -> StageEvidence:
        """Return what both arms did so far."""
        return StageEvidence(champion=self._arm(self.plan.champion), candidate=self._arm(self.plan.candidate))

    def _arm(self, version: str) -> ArmEvidence:
        f = self.spool.figures(version)
        latency = Summary(n=f.latency_n, mean=f.latency_mean, sd=f.latency_sd)
        return ArmEvidence(
            conversations=f.conversations,
            successes=f.successes,
            requests=f.requests,
            errors=f.errors,
            latency_ms=latency,
        )

    def _judge(self) -> RolloutDecision:
        stage = self.record.stage
        evidence = self.evidence()
        traffic = StageTraffic(
            champion=self.spool.assigned(self.plan.champion, stage),
            candidate=self.spool.assigned(self.plan.candidate, stage),
        )
        decision = decide(self.plan.policy, stage, evidence, traffic)
        ended = traffic.champion + traffic.candidate
        words = f"{evidence.candidate.successes} of {evidence.candidate.conversations} right at {decision.weight:g}%"
        self._on_progress(RolloutProgress(decision.weight, ended, self.plan.policy.max_conversations, words))
        flush(self.spool, self.ledger)
        return decision

    def _close_stage(self, decision: RolloutDecision) -> None:
        evidence, stage = self.evidence(), self.record.stage
        self._stages.append(
            StageReport(
                weight=decision.weight,
                champion=self.spool.assigned(self.plan.champion, stage),
                candidate=self.spool.assigned(self.plan.candidate, stage),
                champion_successes=evidence.champion.successes,
                candidate_successes=evidence.candidate.successes,
                champion_conversations=evidence.champion.conversations,
                candidate_conversations=evidence.candidate.conversations,
                decision=decision.action,
                reason=decision.reason,
                measurements=tuple(m.model_dump(mode="json") for m in decision.measurements),
                seconds=round(time.monotonic() - self._stage_started, 2),
            )
        )

    def _report(self) -> dict[str, Any]:
        return {} if self.ended is None else {"report": self.ended.model_dump(mode="json")}

    async def finish(self, decision: RolloutDecision, users: Users) -> RolloutReport:
        """Move all captured examples, write the end to the ledger, then take down what no longer answers."""
        status, word, gone = {
            Action.PROMOTE: (RolloutStatus.PROMOTED, "promoted", self.plan.champion),
            Action.ABORT: (RolloutStatus.ROLLED_BACK, "aborted", self.plan.candidate),
            Action.PAUSE: (RolloutStatus.PAUSED, "paused", None),
        }[decision.action]
        await asyncio.to_thread(flush, self.spool, self.ledger, quiet_s=0)
        self._note_traffic()
        report = self.ended = self._ended(word, decision.reason, users)
        await asyncio.to_thread(self._change, self.record.stage, word, decision.reason, status)
        if gone is not None:
            await self.reached()
            await asyncio.to_thread(stop_variant, gone)
        return report

    def _ended(self, word: str, reason: str, users: Users) -> RolloutReport:
        evidence = self.evidence()
        means = {"champion": evidence.champion.latency_ms.mean, "candidate": evidence.candidate.latency_ms.mean}
        return RolloutReport(
            decision=word,
            reason=reason,
            stages=tuple(self._stages),
            requests=users.tally.requests,
            failed_requests=users.tally.failed_requests,
            errors=tuple(users.tally.errors),
            captured=self.spool.captured(),
            feedback=users.tally.rated,
            traffic=tuple(self._traffic),
            latency_ms=means,
        )
