"""Homes with a history, filled by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from evaluation.ledger import DecisionRecord, Ledger, Observation, OverrideRecord, RolloutEvent, RolloutRecord
from evaluation.ledger.records import RolloutStatus
from evaluation.observed import Seen, observations
from evaluation.pair_rows import PairRow, write_rows
from evaluation.records import Example, Labels, Source, ToolCall, Validation, Verdict
from evaluation.scenarios import ExpectedCall, Kind
from evaluation.stats.intervals import Estimate
from tests.evaluation.ledger.making import example as whole_example


def figures(success: float, *, n: int = 280) -> dict[str, Estimate]:
    half = 1.96 * (success * (1 - success) / n) ** 0.5
    quality = 5 * success
    return {
        "task_success": Estimate(value=success, low=success - half, high=success + half, n=n),
        "quality": Estimate(value=quality, low=quality - 0.15, high=quality + 0.15, n=n),
        "cost": Estimate(value=5e-5, low=4.8e-5, high=5.2e-5, n=n),
    }


def compared(base: tuple[str, float], candidate: tuple[str, float], at: datetime, digest: str) -> list[Observation]:
    """What a comparison leaves behind."""
    seen = Seen("compare", f"t-{digest}", digest, at)
    return [one for name, success in (base, candidate) for one in observations(name, figures(success), seen)]


def rollout(candidate: str, champion: str | None, status: RolloutStatus, at: datetime) -> RolloutRecord:
    return RolloutRecord(
        id=f"ro-{candidate}", model=candidate.partition(":")[0], champion=champion, candidate=candidate,
        status=status, created_at=at - timedelta(hours=2), updated_at=at,
    )  # fmt: skip


def ended(record: RolloutRecord, at: datetime) -> RolloutEvent:
    promoted = record.status is RolloutStatus.PROMOTED
    reason = "every stage was passed" if promoted else "success fell below the champion's"
    return RolloutEvent(rollout_id=record.id, kind="promoted" if promoted else "aborted", actor="controller",
                        reason=reason, at=at)  # fmt: skip


def decision(subject: str, outcome: str, at: datetime, **inputs: str) -> DecisionRecord:
    evidence: dict[str, Any] = {"reason": "as told", "inputs": dict(inputs)}
    return DecisionRecord(id=f"d-{subject}-{at:%j%H}", subject=subject, outcome=outcome, evidence=evidence,
                          policy_hash="p", at=at)  # fmt: skip


def request(
    number: int, at: datetime, version: str, *, success: bool = True, tool: str = "search", key: str = "tools"
) -> Example:
    """A request that was served."""
    base = whole_example(number, Labels(success=success), source=Source.PRODUCTION, model_version=version,
                         scenario_id=None, part=None)  # fmt: skip
    fields = {"id": f"p{number:06}", "timestamp": at, "task_key": key, "tools_used": (tool,), "validations": (),
              "conversation": f"talk-{number // 3}", "query": "q" * (10 + number % 40), "error": None}  # fmt: skip
    return base.model_copy(update=fields)


def attempted(
    number: int, scenario: str, version: str, *, success: bool, run: str, at: datetime, tool: str = "search"
) -> Example:
    """An attempt at a scenario."""
    base = whole_example(number, Labels(success=success), scenario_id=scenario, scenario_group=scenario,
                         part="held_out", run_id=run, model_version=version)  # fmt: skip
    verdict = Verdict.PASSED if success else Verdict.FAILED
    validation = Validation(name="answer", verdict=verdict, confidence=1.0, reason="as told")
    fields = {"id": f"{version}-{run}-{number:06}", "timestamp": at, "tools_used": (tool,), "query": f"do {scenario}",
              "validations": (validation,), "error": None, "task_key": "tools"}  # fmt: skip
    return base.model_copy(update=fields)


def rows(base: str, candidate: str, *, scenarios: int = 120) -> list[PairRow]:
    """A comparison in which one tool is worse and the others are better."""
    lot, out = Random(5), []
    for number in range(scenarios):
        kind = (Kind.ONE_CALL, Kind.CHAIN, Kind.NO_TOOL)[number % 3]
        tool = ("search", "book", "mail")[number % 3]
        for arm, chance in ((base, 0.6), (candidate, 0.9 if tool != "mail" else 0.4)):
            expected, given = ExpectedCall(name=tool, arguments={}), ToolCall(id="c", name=tool, arguments={})
            out.append(PairRow(scenario_id=f"s{number}", group=f"g{number // 2}", kind=kind, tags=(f"tool:{tool}",),
                               arm=arm, expected_calls=(expected,), given_calls=(given,),
                               measured={"task_success": float(lot.random() < chance), "cost": 1e-5}))  # fmt: skip
    return out


def fill(home: Path, now: datetime, days: int = 120, per_day: int = 12) -> None:
    """Fill a home with four versions: two promoted, one rolled back, one rejected against a person's will."""
    home.mkdir(parents=True, exist_ok=True)
    lot = Random(7)
    begin = now - timedelta(days=days)
    promoted = (begin + timedelta(days=days * 0.25), begin + timedelta(days=days * 0.6))
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        ledger.observe(compared(("agent:1", 0.52), ("agent:2", 0.70), promoted[0] - timedelta(hours=3), "one"))
        ledger.observe(compared(("agent:2", 0.69), ("agent:3", 0.68), begin + timedelta(days=days * 0.4), "two"))
        ledger.observe(compared(("agent:2", 0.71), ("agent:4", 0.88), promoted[1] - timedelta(hours=3), "three"))
        path = home / "loops" / "t003" / "compare.jsonl"
        path.parent.mkdir(parents=True)
        write_rows(path, rows("base", "candidate"))
        ledger.record_decision(decision("agent:2", "approve", promoted[0] - timedelta(hours=3)))
        ledger.record_decision(decision("agent:3", "approve", begin + timedelta(days=days * 0.4)))
        ledger.record_decision(decision("agent:4", "inconclusive", promoted[1] - timedelta(hours=3), turn="t003",
                                        base="agent:2", candidate="agent:4", rows=str(path)))  # fmt: skip
        last = ledger.decisions("agent:4")[0]
        ledger.override(OverrideRecord(id="o1", decision_id=last.id, outcome="approve", by="Ada", reason="we need it",
                                       at=promoted[1] - timedelta(hours=1)))  # fmt: skip
        for candidate, champion, status, at in (
            ("agent:2", "agent:1", RolloutStatus.PROMOTED, promoted[0]),
            ("agent:3", "agent:2", RolloutStatus.ROLLED_BACK, begin + timedelta(days=days * 0.41)),
            ("agent:4", "agent:2", RolloutStatus.PROMOTED, promoted[1]),
        ):
            record = ledger.create_rollout(rollout(candidate, champion, status, at))
            ledger.append_event(ended(record, at))
        ledger.set_champion("agent", "agent:4")
        ledger.add_examples(list(_served((begin, days, per_day), promoted, lot)))


def _served(when: tuple[datetime, int, int], promoted: tuple[datetime, datetime], lot: Random) -> list[Example]:
    out: list[Example] = []
    begin, days, per_day = when
    for day in range(days):
        at = begin + timedelta(days=day)
        version, chance = ("agent:1", 0.52) if at < promoted[0] else ("agent:2", 0.70)
        if at >= promoted[1]:
            # The last version gets slowly worse, as its users ask for another tool more and more.
            version, chance = "agent:4", 0.9 - 0.12 * (day / days)
        for _ in range(per_day if day % 7 < 5 else per_day // 3):
            tool = "book" if lot.random() < 0.2 + 0.5 * day / days else "search"
            success = lot.random() < chance
            out.append(request(len(out), at + timedelta(minutes=len(out) % 600), version, success=success, tool=tool))
    return out
