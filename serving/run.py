"""A rollout from start to end: deploy the candidate beside the champion, shift traffic by stages, promote or abort.

The controller acts on what `serving/policy.py` decides, and keeps the whole state in the ledger's rollout record: every
change is one update with its event, made from the revision that was read. Called again after a kill, it goes on from
record, events and spool: every figure covers all processes, and conversations that were cut off are asked anew under
names of their own. One process at a time acts, by its lease. Traffic comes from simulated users. Order on the way down:
weight to zero, wait for what is under way, delete the application.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import httpx

from evaluation.ledger import Ledger, RolloutEvent, RolloutRecord, RolloutStatus
from evaluation.ledger.collector import Collector
from evaluation.ledger.outbox import Outbox
from evaluation.ledger.store import utc_now
from evaluation.scenarios import Scenario
from serving.app import GatewayConfig, deploy, routing_of, stop_variant
from serving.capture import flush
from serving.lease import Lease
from serving.policy import (
    Action,
    ArmEvidence,
    RolloutDecision,
    StageEvidence,
    StageTraffic,
    Summary,
    decide,
)
from serving.rollout_plan import RolloutPlan, RolloutProgress, RolloutReport, RolloutStuck, StageReport
from serving.spool import Spool
from serving.supply import out_of_scenarios
from serving.users import Users

LOOK_S = 0.5
"""How often the evidence is looked at."""
STUCK_S = 180.0
"""How long a rollout may go without an answer from the gateway or its variants."""


async def run_rollout(
    plan: RolloutPlan,
    ledger: Ledger,
    scenarios: Callable[[int], Sequence[Scenario]],
    on_progress: Callable[[RolloutProgress], None],
) -> RolloutReport:
    """Roll out on the running Ray; return when the rollout is promoted, aborted or paused.

    Raises `PortTaken`, `LeaseHeld`, and `RolloutStuck`.
    """
    controller = Controller(plan, ledger, Spool(plan.spool), on_progress)
    try:
        if controller.ended is not None:
            return controller.ended
        async with controller.lease.held():
            await asyncio.to_thread(controller.deploy)
            await controller.reached()
            stop = asyncio.Event()
            users = Users(
                base_url=f"http://{plan.host}:{plan.port}",
                model=plan.model,
                seed=plan.seed,
                max_tokens=plan.max_tokens,
                scenarios=scenarios,
                prefix=f"{plan.rollout_id}-{controller.starts()}",
                keep=controller.spool.talked,
                asked=controller.asked(),
                api_key=next(iter(plan.keys), "simulated"),
            )
            crowd = asyncio.create_task(users.run(plan.users, stop))
            try:
                while (decision := await controller.look(crowd)) is None:
                    await asyncio.sleep(LOOK_S)
            finally:
                stop.set()
                await crowd
            return await controller.finish(decision)
    finally:
        controller.close()


class Controller:
    """Carries a rollout out."""

    def __init__(
        self, plan: RolloutPlan, ledger: Ledger, spool: Spool, on_progress: Callable[[RolloutProgress], None]
    ) -> None:
        self.plan, self.ledger, self.spool = plan, ledger, spool
        self.lease = Lease(ledger, plan.rollout_id)
        self._on_progress = on_progress
        self._inbox = None if plan.inbox is None else Outbox(plan.inbox)
        self._moved = (-1, time.monotonic())
        """What was answered so far, and when that was last seen to grow."""
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

    def close(self) -> None:
        """Close the files; what waits in them stays."""
        self.spool.close()
        if self._inbox is not None:
            self._inbox.close()

    def _move(self, **options: Any) -> None:
        """Move what was captured and what others sent to the ledger."""
        flush(self.spool, self.ledger, rewards=self.plan.rewards, **options)
        if self._inbox is not None:
            Collector(self.ledger, self._inbox, origin="gateway").drain()

    def starts(self) -> int:
        """Return how often the rollout was started or gone on with."""
        return sum(event.kind in ("started", "resumed") for event in self.ledger.events(self.record.id))

    def asked(self) -> frozenset[int]:
        """Return the numbers of the scenarios whose outcome is known."""
        ours = re.compile(rf"{re.escape(self.record.id)}-\d+-(\d+)")  # beside them, anybody's
        return frozenset(int(name[1]) for name in map(ours.fullmatch, self.spool.ended()) if name)

    def deploy(self) -> None:
        """Start champion, candidate and gateway; then give the candidate its share."""
        plan = self.plan
        folders = {plan.champion: plan.champion_folder, plan.candidate: plan.candidate_folder}
        config = GatewayConfig(
            ledger_url=plan.ledger_url,
            spool=str(plan.spool),
            secret=str(plan.secret),
            model=plan.model,
            max_tokens=plan.max_tokens,
            prices=plan.prices,
            inbox=str(plan.inbox or ""),
            rewards=plan.rewards,
            keys=plan.keys,
        )
        deploy(config, folders, plan.engine, (plan.host, plan.port))
        if self.record.status is RolloutStatus.PENDING:
            self._change(0, "started", "champion and candidate answer")
        else:
            self._change(self.record.stage, "resumed", "the process before was stopped")

    def _change(self, stage: int, kind: str, reason: str, status: RolloutStatus = RolloutStatus.RUNNING) -> None:
        self.lease.require()
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
            rollout_id=self.record.id,
            kind=kind,
            actor=self.lease.owner,
            reason=reason,
            detail={"weight": weight},
            at=utc_now(),
        )
        if status is RolloutStatus.PROMOTED:
            written = self.ledger.set_champion(self.plan.model, self.plan.candidate, changed, event=event)
            self.record = written or changed
        else:
            self.record = self.ledger.update_rollout(changed, self.record.revision, event)

    def _weight_at_end(self, status: RolloutStatus) -> float:
        ends = {RolloutStatus.PROMOTED: 100.0, RolloutStatus.ROLLED_BACK: 0.0}
        return ends.get(status, self.plan.policy.stages[self.record.stage])

    def _shares(self) -> list[tuple[datetime, str, float]]:
        """Return when, by which event, which share became the candidate's: of all processes."""
        events = self.ledger.events(self.record.id)
        weights = ((e, e.detail.get("weight")) for e in events)
        return [(e.at, e.kind, weight / 100) for e, weight in weights if isinstance(weight, int | float)]

    def _traffic(self) -> tuple[tuple[float, float], ...]:
        shares = [(at, share) for at, _, share in self._shares()]
        points: list[tuple[float, float]] = []
        for at, share in [*shares, (utc_now(), shares[-1][1])] if shares else []:
            now = round((at - shares[0][0]).total_seconds(), 2)
            if points:
                points.append((now, points[-1][1]))
            if not points or share != points[-1][1]:
                points.append((now, share))
        return tuple(points)

    async def reached(self) -> None:
        """Wait until the gateway routes by the record. Raises `RolloutStuck` where it does not."""
        routing = await asyncio.to_thread(routing_of, self.ledger, self.plan.model)
        wanted = {"model": routing.model, "stage": routing.stage, "weights": dict(routing.weights)}
        found: Any = None
        deadline = time.monotonic() + STUCK_S
        async with httpx.AsyncClient(base_url=f"http://{self.plan.host}:{self.plan.port}", timeout=10) as client:
            while found != wanted:
                if time.monotonic() > deadline:
                    raise self._stuck(f"expected the gateway to route by {wanted}, found {found}")
                await asyncio.sleep(0.05)
                try:
                    found = (await client.get("/v1/ratchet/rollout")).json()
                except (httpx.HTTPError, ValueError) as error:
                    found = f"{type(error).__name__}: {error}"

    def _stuck(self, found: str) -> RolloutStuck:
        seen = "; ".join(self.spool.tally().errors)
        return RolloutStuck(
            f"rollout {self.record.id}: {found} for {STUCK_S:g} s{f' (users saw: {seen})' if seen else ''};"
            f" see the gateway's log, and go on with: ratchet loop --resume {self.record.id}"
        )

    async def look(self, crowd: asyncio.Task[None]) -> RolloutDecision | None:
        """Look at the evidence and act on it; return the decision that ends the rollout. Raises `RolloutStuck`."""
        spent = crowd.done()  # before the evidence is read, so that it is all there
        if spent:
            crowd.result()
        decision = await asyncio.to_thread(self._judge, spent)
        if decision.action is Action.HOLD:
            return None
        self._close_stage(decision)
        if decision.action is Action.ADVANCE:
            await asyncio.to_thread(self._change, self.record.stage + 1, "advanced", decision.reason)
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

    def _judge(self, spent: bool = False) -> RolloutDecision:
        """Judge the stage; `spent`: all scenarios are asked."""
        stage = self.record.stage
        evidence = self.evidence()
        traffic = StageTraffic(
            champion=self.spool.assigned(self.plan.champion, stage),
            candidate=self.spool.assigned(self.plan.candidate, stage),
        )
        decision = decide(self.plan.policy, stage, evidence, traffic)
        if decision.action is Action.HOLD:
            if spent:
                decision = out_of_scenarios(self.plan.policy, stage, evidence, traffic)
            else:
                self._check_moving(evidence)
        ended = traffic.champion + traffic.candidate
        words = f"{evidence.candidate.successes} of {evidence.candidate.conversations} right at {decision.weight:g}%"
        self._on_progress(RolloutProgress(decision.weight, ended, self.plan.policy.max_conversations, words))
        self._move()
        return decision

    def _check_moving(self, evidence: StageEvidence) -> None:
        answered = sum(arm.conversations + arm.requests for arm in (evidence.champion, evidence.candidate))
        before, at = self._moved
        if answered != before:
            self._moved = (answered, time.monotonic())
        elif time.monotonic() - at > STUCK_S:
            raise self._stuck("expected requests to be answered, found none")

    def _close_stage(self, decision: RolloutDecision) -> None:
        evidence, stage = self.evidence(), self.record.stage
        began = [at for at, kind, _ in self._shares() if kind in ("started", "advanced")]
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
                seconds=round((utc_now() - began[-1]).total_seconds(), 2) if began else 0.0,
            )
        )

    def _report(self) -> dict[str, Any]:
        return {} if self.ended is None else {"report": self.ended.model_dump(mode="json")}

    async def finish(self, decision: RolloutDecision) -> RolloutReport:
        """Move all captured examples, write the end to the ledger, then take down what no longer answers."""
        status, word, gone = {
            Action.PROMOTE: (RolloutStatus.PROMOTED, "promoted", self.plan.champion),
            Action.ABORT: (RolloutStatus.ROLLED_BACK, "aborted", self.plan.candidate),
            Action.PAUSE: (RolloutStatus.PAUSED, "paused", None),
        }[decision.action]
        await asyncio.to_thread(self._move, quiet_s=0)
        report = self.ended = self._ended(word, decision.reason)
        await asyncio.to_thread(self._change, self.record.stage, word, decision.reason, status)
        if gone is not None:
            await self.reached()
            await asyncio.to_thread(stop_variant, gone)
        return report

    def _ended(self, word: str, reason: str) -> RolloutReport:
        evidence, tally = self.evidence(), self.spool.tally()
        means = {"champion": evidence.champion.latency_ms.mean, "candidate": evidence.candidate.latency_ms.mean}
        return RolloutReport(
            decision=word,
            reason=reason,
            stages=tuple(self._stages),
            requests=tally.requests,
            failed_requests=tally.failed,
            errors=tally.errors,
            captured=self.spool.captured(),
            feedback=tally.rated,
            traffic=self._traffic(),
            latency_ms=means,
        )
