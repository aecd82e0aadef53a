"""Repeated runs of the pinned scenarios: which of them come out either way, and what follows for the regression set.

Decisions: the runs are one test run of the home, with a suite file beside its episodes, so that it is listed, shown and
gone on with as any other. Attempts that the model did not answer, and those that could not be judged, say nothing of a
scenario and are not counted. What is flaky is quarantined; what was quarantined comes back only where that was asked
for. Each change is a line of the pin's trail, with the counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cluster.running import ModelSource, digest
from cluster.runs import Run, RunPlan
from evaluation.clients.resolve import ClientOptions
from evaluation.ledger import Ledger, PinEvent, PinRecord, PinStatus
from evaluation.records import StopReason, stable_id
from evaluation.regression import Flaky, Steadiness, flakiness
from evaluation.splits import Suite
from evaluation.suite import save_jsonl
from evaluation.validators import task_success
from training.provenance import environment

SUITE = "suite.jsonl"
"""The run's scenarios, beside its episodes."""


class Sampled(NamedTuple):
    """How the model is asked."""

    attempts: int
    seed: int
    temperature: float
    max_tokens: int


class Finding(NamedTuple):
    """What repeated runs found of one pinned scenario, and what became of it."""

    pin: PinRecord
    """As it is now."""
    before: PinStatus
    flaky: Flaky
    unanswered: int
    """Attempts that say nothing of the scenario."""


def repeated_run(
    runs: Path, pins: Sequence[PinRecord], model: str, source: ModelSource, *, client: ClientOptions, how: Sampled,
    at: datetime,
) -> RunPlan:  # fmt: skip
    """Return the plan of a run that attempts every pinned scenario several times; its suite's file is written.

    `model`: as it was asked for; `at`: when the run begins. Raises `DiskError`.
    """
    scenarios = tuple(pin.scenario for pin in pins)
    name = f"run-{stable_id(at, source.name, 'repeated')[:10]}"
    suite = runs / name / SUITE
    save_jsonl(Suite(name="regression", seed=how.seed, split_seed=0, scenarios=scenarios), suite)
    return RunPlan(
        id=name,
        suite=str(suite),
        suite_digest=digest(scenarios),
        part=None,
        scenarios=len(scenarios),
        model=model,
        model_name=source.name,
        client=client,
        attempts=how.attempts,
        seed=how.seed,
        temperature=how.temperature,
        max_tokens=how.max_tokens,
        started_at=at,
        environment=environment(),
    )


def findings(pins: Sequence[PinRecord], run: Run) -> list[Finding]:
    """Return what the run says of each pinned scenario. Raises `RunFolderError`."""
    verdicts: dict[str, list[bool | None]] = defaultdict(list)
    for one in run.attempts():
        answered = one.episode.stop_reason not in (StopReason.MODEL_ERROR, StopReason.USER_ERROR)
        verdicts[one.scenario.id].append(task_success(one.validations) if answered else None)
    found = []
    for pin in pins:
        known = [verdict for verdict in verdicts[pin.id] if verdict is not None]
        flaky = flakiness(sum(known), len(known))
        found.append(Finding(pin, pin.status, flaky, len(verdicts[pin.id]) - len(known)))
    return found


def settle(
    ledger: Ledger, found: Sequence[Finding], *, by: str, where: str, release: bool, at: datetime
) -> list[Finding]:
    """Quarantine what is flaky, and release what was quarantined and is steady where `release`; return what is now.

    `where`: words for the trail, of model and run.
    """
    settled = []
    for one in found:
        what = _event_of(one, release)
        pin = one.pin
        if what:
            flaky = one.flaky
            pin = ledger.add_pin_event(
                pin.id,
                PinEvent(what=what, by=by, reason=f"{flaky.reason} {where}", passes=flaky.passes,
                         attempts=flaky.attempts, at=at),
            )  # fmt: skip
        settled.append(one._replace(pin=pin))
    return settled


def _event_of(one: Finding, release: bool) -> str:
    kind = one.flaky.steadiness
    if kind is Steadiness.FLAKY and one.before is PinStatus.ACTIVE:
        return "quarantined"
    steady = kind in (Steadiness.STEADY_PASS, Steadiness.STEADY_FAIL)
    return "released" if release and steady and one.before is PinStatus.QUARANTINED else ""
