from __future__ import annotations

from datetime import timedelta

import pytest

from evaluation.ledger import (
    DecisionRecord,
    Ledger,
    LedgerError,
    LookRecord,
    Observation,
    OverrideRecord,
    PinEvent,
    PinRecord,
    PinStatus,
)
from evaluation.scenarios import Expected, Kind
from tests.evaluation.attempts import scenario
from tests.evaluation.ledger.making import START


def _decision(name: str) -> DecisionRecord:
    return DecisionRecord(id=name, subject="m:2", outcome="reject", evidence={"a": 1}, policy_hash="p", at=START)


def _override(name: str, day: int = 0, decision: str = "abc1") -> OverrideRecord:
    at = START + timedelta(day)
    return OverrideRecord(id=name, decision_id=decision, outcome="approve", by="Ann", reason="checked by hand", at=at)


def _event(what: str, day: int = 0, passes: int | None = None) -> PinEvent:
    attempts = None if passes is None else 5
    at = START + timedelta(day)
    return PinEvent(what=what, by="Ann", reason="why", passes=passes, attempts=attempts, at=at)


def _pin(name: str, day: int = 0) -> PinRecord:
    made = scenario(Kind.NO_TOOL, Expected()).model_copy(update={"id": name})
    at = START + timedelta(day)
    return PinRecord(id=name, scenario=made, origin="suite:tools", trail=(_event("pinned", day),), at=at)


def test_a_decision_is_found_by_the_beginning_of_its_id(ledger: Ledger) -> None:
    for name in ("abc1", "abc2", "a%c"):
        ledger.record_decision(_decision(name))
    assert ledger.decision("abc1").evidence == {"a": 1}
    assert ledger.decision("a%").id == "a%c"  # a sign of LIKE counts as itself
    for wrong, found in (("abc", "several"), ("x", "none"), ("", "several")):
        with pytest.raises(LedgerError, match=f"names {found}"):
            ledger.decision(wrong)


def test_an_override_stands_beside_its_decision(ledger: Ledger) -> None:
    ledger.record_decision(_decision("abc1"))
    assert ledger.override(_override("o1"))
    assert not ledger.override(_override("o1", day=9))
    assert ledger.override(_override("o2", day=1))
    assert ledger.overrides("abc1") == (_override("o2", day=1), _override("o1"))
    assert ledger.decision("abc1") == _decision("abc1")
    with pytest.raises(LedgerError, match="No decision zzz"):
        ledger.override(_override("o3", decision="zzz"))


def test_a_pin_keeps_its_whole_trail(ledger: Ledger) -> None:
    assert ledger.pin([_pin("s1"), _pin("s2")]) == 2
    assert ledger.pin([_pin("s1", day=3)]) == 0
    pin = ledger.add_pin_event("s1", _event("quarantined", 1, passes=3))
    assert (pin.status, [e.what for e in pin.trail], pin.trail[-1].passes) == (
        PinStatus.QUARANTINED,
        ["pinned", "quarantined"],
        3,
    )
    assert [(p.id, p.status) for p in ledger.pins()] == [("s1", PinStatus.QUARANTINED), ("s2", PinStatus.ACTIVE)]
    assert [p.id for p in ledger.pins(PinStatus.ACTIVE)] == ["s2"]
    ledger.add_pin_event("s1", _event("removed", 2))
    assert [p.id for p in ledger.pins()] == ["s2"]
    assert ledger.pin([_pin("s1", day=4)]) == 1
    assert [e.what for e in ledger.pins()[0].trail] == ["pinned", "quarantined", "removed", "pinned"]
    with pytest.raises(LedgerError, match="expected a pinned scenario, found 's9'"):
        ledger.add_pin_event("s9", _event("removed"))
    with pytest.raises(LedgerError, match="found 'forgotten'"):
        ledger.add_pin_event("s1", _event("forgotten"))


def test_figures_are_found_by_what_they_are_of(ledger: Ledger) -> None:
    def seen(name: str, day: int, metric: str = "quality", subject: str = "m:1") -> Observation:
        return Observation(
            id=name,
            subject=subject,
            metric=metric,
            value=4.0,
            low=3.5,
            high=4.5,
            n=40,
            origin="test",
            origin_id="r1",
            at=START + timedelta(day),
        )

    every = [seen("b", 1), seen("a", 1), seen("c", 0, "cost"), seen("d", 3, subject="m:2")]
    assert ledger.observe(every) == 4
    assert ledger.observe(every[:2]) == 0
    assert ledger.observe([]) == 0
    assert [one.id for one in ledger.observations()] == ["c", "a", "b", "d"]
    assert [one.id for one in ledger.observations(metric="quality", subject="m:1")] == ["a", "b"]
    assert [one.id for one in ledger.observations(since=START + timedelta(2))] == ["d"]
    assert ledger.observations(task_key="planner") == ()
    assert ledger.observations(metric="cost") == (every[2],)


def test_looks_are_counted_once_each(ledger: Ledger) -> None:
    def look(name: str, digest: str = "d1") -> LookRecord:
        return LookRecord(id=name, digest=digest, scenarios=40, kind="compare", subject="m:2", at=START)

    assert [ledger.look(look(name)) for name in ("a", "b", "a")] == [1, 2, 2]
    assert ledger.look(look("c", "d2")) == 1
    assert [one.id for one in ledger.looks("d1")] == ["a", "b"]
    assert len(ledger.looks()) == 3
