"""Examples, feedback, runs, decisions and rollouts, on disk before anybody is told so."""

from __future__ import annotations

from evaluation.ledger.errors import LedgerAway, LedgerError, RowRefused, StaleRecord
from evaluation.ledger.records import (
    DecisionRecord,
    DesiredState,
    ExampleFilter,
    LookRecord,
    LoopRecord,
    Observation,
    OverrideRecord,
    PinEvent,
    PinRecord,
    PinStatus,
    RolloutEvent,
    RolloutRecord,
    RolloutStatus,
    RunRecord,
    Status,
)
from evaluation.ledger.rollouts import aborted
from evaluation.ledger.store import Ledger

__all__ = [
    "DecisionRecord",
    "DesiredState",
    "ExampleFilter",
    "Ledger",
    "LedgerAway",
    "LedgerError",
    "LookRecord",
    "LoopRecord",
    "Observation",
    "OverrideRecord",
    "PinEvent",
    "PinRecord",
    "PinStatus",
    "RolloutEvent",
    "RolloutRecord",
    "RolloutStatus",
    "RowRefused",
    "RunRecord",
    "StaleRecord",
    "Status",
    "aborted",
]
