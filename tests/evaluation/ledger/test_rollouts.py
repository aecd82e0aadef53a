from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from evaluation.ledger import Ledger, LedgerError, RolloutEvent, RolloutStatus, StaleRecord
from tests.evaluation.ledger.making import START, Clock, rollout


def _event(kind: str, rollout_id: str = "ro1") -> RolloutEvent:
    return RolloutEvent(
        rollout_id=rollout_id, kind=kind, actor="controller", reason="said so", at=START, detail={"n": [1]}
    )


def test_a_rollout_comes_back_whole(ledger: Ledger) -> None:
    given = rollout(evidence={"rows": [1, {"p": 0.25}], "none": None})
    assert ledger.create_rollout(given) == given
    assert ledger.create_rollout(rollout(stage=3)) == given
    assert ledger.rollout("ro1") == ledger.active_rollout("m") == given
    assert ledger.active_rollout("other") is None
    with pytest.raises(LedgerError, match="No rollout ro9"):
        ledger.rollout("ro9")


def test_one_model_has_one_active_rollout(ledger: Ledger) -> None:
    ledger.create_rollout(rollout())
    with pytest.raises(LedgerError, match=r"already has an active rollout, ro1 .* before you start ro2"):
        ledger.create_rollout(rollout("ro2"))
    ledger.create_rollout(rollout("ro3", model="other"))
    ledger.update_rollout(rollout(status=RolloutStatus.ABORTED), 0)
    assert ledger.active_rollout("m") is None
    ledger.create_rollout(rollout("ro2", created_at=START + timedelta(1)))
    assert [record.id for record in ledger.rollouts("m")] == ["ro2", "ro1"]


def test_a_stale_update_changes_nothing(ledger: Ledger, clock: Clock) -> None:
    read = ledger.create_rollout(rollout())
    clock.now += timedelta(minutes=1)
    written = ledger.update_rollout(read.model_copy(update={"stage": 1}), read.revision, _event("stage"))
    assert (written.stage, written.revision, written.updated_at) == (1, 1, clock.now)
    assert ledger.rollout("ro1") == written
    with pytest.raises(StaleRecord, match="at revision 1, the change was made from 0"):
        ledger.update_rollout(read.model_copy(update={"stage": 2}), read.revision, _event("lost"))
    assert ledger.rollout("ro1") == written
    assert [event.kind for event in ledger.events("ro1")] == ["stage"]


def test_of_many_updates_from_one_revision_one_wins(ledger: Ledger) -> None:
    read = ledger.create_rollout(rollout())

    def change(stage: int) -> bool:
        try:
            ledger.update_rollout(read.model_copy(update={"stage": stage}), 0)
        except StaleRecord:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(change, range(12))) == 1


def test_one_owner_holds_the_lease(ledger: Ledger, clock: Clock) -> None:
    read = ledger.create_rollout(rollout())
    assert ledger.acquire_lease("ro1", "a", 10)
    assert not ledger.acquire_lease("ro1", "b", 10)
    clock.now += timedelta(seconds=9)
    assert ledger.acquire_lease("ro1", "a", 10)
    clock.now += timedelta(seconds=9)
    assert not ledger.acquire_lease("ro1", "b", 10)
    ledger.update_rollout(read, 0)
    assert ledger.rollout("ro1").lease_owner == "a"
    clock.now += timedelta(seconds=1)
    assert ledger.acquire_lease("ro1", "b", 10)
    ledger.release_lease("ro1", "a")
    assert ledger.rollout("ro1").lease_until == clock.now + timedelta(seconds=10)
    ledger.release_lease("ro1", "b")
    assert ledger.acquire_lease("ro1", "a", 10)
    with pytest.raises(LedgerError, match="No rollout ro9"):
        ledger.acquire_lease("ro9", "a", 10)


def test_the_champion_and_its_rollout_change_together(ledger: Ledger) -> None:
    assert ledger.champion("m") is None
    assert ledger.set_champion("m", "1") is None
    read = ledger.create_rollout(rollout())
    done = read.model_copy(update={"status": RolloutStatus.PROMOTED})
    ledger.update_rollout(read, 0)
    with pytest.raises(StaleRecord):
        ledger.set_champion("m", "2", done, event=_event("promoted"))
    assert ledger.champion("m") == "1"
    assert ledger.rollout("ro1").status is RolloutStatus.PENDING
    with pytest.raises(LedgerError, match="No rollout ro9"):  # the event, last to be written, takes all back
        ledger.set_champion("m", "2", done.model_copy(update={"revision": 1}), event=_event("promoted", "ro9"))
    assert (ledger.champion("m"), ledger.rollout("ro1").revision) == ("1", 1)
    written = ledger.set_champion("m", "2", done.model_copy(update={"revision": 1}), event=_event("promoted"))
    assert written == ledger.rollout("ro1")
    assert (ledger.champion("m"), ledger.champion("other")) == ("2", None)
    assert [event.kind for event in ledger.events("ro1")] == ["promoted"]


def test_events_keep_their_order(ledger: Ledger) -> None:
    ledger.create_rollout(rollout())
    written = [ledger.append_event(_event(kind)) for kind in ("b", "a", "c")]
    assert ledger.events("ro1") == tuple(written)
    assert [event.seq for event in written] == [1, 2, 3]
    with pytest.raises(LedgerError, match="No rollout ro9"):
        ledger.append_event(_event("a", "ro9"))
