"""The regression set: pinned scenarios that every candidate has to pass, and whether one of them can be relied on.

Decisions: a pinned scenario is passed where every attempt at it succeeded, failed where one did not, and not attempted
where there was none, or where one could not be judged: what is missing never passes. A flaky one, by repeated runs of
one model, is quarantined: attempted and reported apart, without a say. Pure; the set itself stands in the ledger
(`evaluation/ledger/judgement.py`). Not covered: a scenario that flakes less often than the repeated runs can show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from evaluation.records import Record
from evaluation.scenarios import Part, Scenario

if TYPE_CHECKING:
    from evaluation.ledger import PinRecord

REGRESSION = "regression"
"""Tag of pinned scenarios."""
LEAST_ATTEMPTS = 3
"""Fewer attempts say nothing of flakiness."""
EXAMPLE_RATE = 0.8
"""The pass rate by whose example a number of attempts is judged."""
QUARANTINED = "quarantined"


class Steadiness(StrEnum):
    """What repeated runs of one scenario showed."""

    STEADY_PASS = "steady_pass"
    STEADY_FAIL = "steady_fail"
    FLAKY = "flaky"
    """It passed and it failed."""
    UNKNOWN = "unknown"
    """Too few attempts."""


class Flaky(Record):
    """Whether a scenario comes out the same every time, as far as repeated runs tell."""

    steadiness: Steadiness
    passes: int
    attempts: int
    missed: float
    """Chance that a scenario which passes 80% of the time would have looked steady in as many attempts, 0…1."""
    reason: str


def looks_steady(attempts: int, rate: float = EXAMPLE_RATE) -> float:
    """Return the chance that `attempts` independent attempts, each passed with probability `rate`, all end the same.

    That is `rate`ⁿ + (1 − `rate`)ⁿ; 1 without attempts.
    """
    return min(1.0, rate**attempts + (1 - rate) ** attempts)


def attempts_to_tell(rate: float = EXAMPLE_RATE, missed: float = 0.05) -> int:
    """Return how many attempts show a scenario of this pass rate as flaky but for a chance of `missed`.

    Raises `ValueError` where no number does: rate and chance lie strictly between 0 and 1.
    """
    if not (0 < rate < 1 and 0 < missed < 1):
        raise ValueError(f"expected a pass rate and a chance between 0 and 1, found {rate:g} and {missed:g}")
    attempts = LEAST_ATTEMPTS
    while looks_steady(attempts, rate) > missed:
        attempts += 1
    return attempts


def flakiness(passes: int, attempts: int) -> Flaky:
    """Say whether a scenario is flaky: it passed `passes` of `attempts` attempts of one model, whose seeds differ.

    Raises `ValueError` where the counts cannot be.
    """
    if not 0 <= passes <= attempts:
        raise ValueError(f"expected 0 to {attempts} passes of {attempts} attempts, found {passes}")
    missed = looks_steady(attempts)
    said = f"{passes} of {attempts} attempts passed"
    if 0 < passes < attempts:
        # Both outcomes occurred, which no number of attempts takes back.
        kind, reason = Steadiness.FLAKY, f"{said}: it comes out either way."
    elif attempts < LEAST_ATTEMPTS:
        kind, reason = Steadiness.UNKNOWN, f"{said}; at least {LEAST_ATTEMPTS} are needed to tell."
    else:
        kind = Steadiness.STEADY_PASS if passes else Steadiness.STEADY_FAIL
        reason = f"{said}; one that passes {EXAMPLE_RATE:.0%} of the time looks as steady in {missed:.0%} of cases."
    return Flaky(steadiness=kind, passes=passes, attempts=attempts, missed=missed, reason=reason)


class PinAttempt(NamedTuple):
    """One attempt at a scenario."""

    scenario_id: str
    passed: bool | None
    """None: it could not be judged."""


class PinOutcome(Record):
    """How a candidate did on one pinned scenario."""

    passed: bool | None
    """Every attempt succeeded. None: not attempted, or an attempt could not be judged and none failed."""
    passes: int
    attempts: int


class RegressionRun(Record):
    """How a candidate did on the regression set."""

    outcomes: dict[str, PinOutcome]
    """By scenario; these decide."""
    quarantined: dict[str, PinOutcome]
    """By scenario; reported, and decide nothing."""

    @property
    def passed(self) -> dict[str, bool | None]:
        """What decides, by scenario: passed, failed, or None where it was not attempted."""
        return {name: outcome.passed for name, outcome in self.outcomes.items()}

    @property
    def failed(self) -> tuple[str, ...]:
        """Scenarios that decide, and of which an attempt failed."""
        return tuple(name for name, passed in self.passed.items() if passed is False)

    @property
    def missing(self) -> tuple[str, ...]:
        """Scenarios that decide, and of which nothing is known."""
        return tuple(name for name, passed in self.passed.items() if passed is None)


def regression_run(pins: Sequence[PinRecord], attempts: Iterable[PinAttempt]) -> RegressionRun:
    """Return how one candidate's attempts did on the pinned scenarios; attempts at others are passed over."""
    made: dict[str, list[bool | None]] = defaultdict(list)
    for one in attempts:
        made[one.scenario_id].append(one.passed)
    outcomes = {pin.id: _outcome(made.get(pin.id, ())) for pin in sorted(pins, key=lambda pin: pin.id)}
    apart = {pin.id for pin in pins if pin.status == QUARANTINED}
    return RegressionRun(
        outcomes={name: outcome for name, outcome in outcomes.items() if name not in apart},
        quarantined={name: outcome for name, outcome in outcomes.items() if name in apart},
    )


def _outcome(verdicts: Sequence[bool | None]) -> PinOutcome:
    passed: bool | None = None
    if False in verdicts:
        passed = False
    elif verdicts and None not in verdicts:
        passed = True
    return PinOutcome(passed=passed, passes=sum(verdict is True for verdict in verdicts), attempts=len(verdicts))


def pinned_scenarios(pins: Sequence[PinRecord], beside: Iterable[Scenario] = ()) -> tuple[Scenario, ...]:
    """Return the pinned scenarios that are not among `beside` as they were pinned, tagged `regression`, by id.

    A comparison that attempts `beside` anyway has to attempt these, too. Their rows decide whether something came back
    and belong into no figure: what was pinned because it failed once is no sample of anything.
    """
    there = {scenario.id: _content(scenario) for scenario in beside}
    return tuple(
        tagged(pin.scenario)
        for pin in sorted(pins, key=lambda pin: pin.id)
        if there.get(pin.id) != _content(pin.scenario)
    )


def tagged(scenario: Scenario) -> Scenario:
    """Return the scenario with the tag `regression`."""
    if REGRESSION in scenario.tags:
        return scenario
    return scenario.model_copy(update={"tags": (*scenario.tags, REGRESSION)})


def _content(scenario: Scenario) -> str:
    """Return a digest of what a model meets: the same in every part of a suite, and with any tags."""
    return scenario.model_copy(update={"tags": (), "part": Part.HELD_OUT, "group": ""}).digest()
