"""Figures and trails for tests of the history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from evaluation.ledger import Observation, RolloutEvent, RolloutRecord, RolloutStatus

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def observation(value: float, day: float, version: str = "agent:1", **fields: Any) -> Observation:
    """One figure of task success, with an interval of ± 0.05."""
    values: dict[str, Any] = {
        "id": f"{version}-{day}-{fields.get('origin', 'compare')}-{fields.get('suite_digest', 's')}",
        "subject": version, "metric": "task_success", "value": value, "low": value - 0.05, "high": value + 0.05,
        "n": 280, "origin": "compare", "origin_id": f"t{day}", "suite_digest": "s", "at": at(day),
    }  # fmt: skip
    return Observation(**values | fields)


def promoted(candidate: str, champion: str | None, day: float, status: RolloutStatus = RolloutStatus.PROMOTED,
             ) -> RolloutRecord:  # fmt: skip
    return RolloutRecord(id=f"ro-{candidate}", model="agent", champion=champion, candidate=candidate, status=status,
                         created_at=at(day - 0.1), updated_at=at(day))  # fmt: skip


def event(candidate: str, day: float, kind: str = "promoted", seq: int = 1) -> RolloutEvent:
    return RolloutEvent(rollout_id=f"ro-{candidate}", seq=seq, kind=kind, actor="c", reason="as told", at=at(day))
