"""What a rollout is asked to do, how far it is, and what it reports when it ends. Plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.engines.config import EngineConfig
from evaluation.pricing import PriceTable, load_prices
from evaluation.records import Record
from evaluation.rewards import RewardConfig
from serving.policy import RolloutPolicy


class RolloutStuck(Exception):
    """Nothing moves any more. Says what was waited for, and how to go on."""


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
    prices: PriceTable = field(default_factory=load_prices)
    rewards: RewardConfig = field(default_factory=RewardConfig)
    inbox: Path | None = None
    """Path of the outbox file for what others collect; None: the gateway takes none."""
    keys: tuple[str, ...] = field(default=(), repr=False)
    """Let in whoever sends examples or feedback; none: everybody is."""


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
