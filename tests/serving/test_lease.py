from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from evaluation.ledger import Ledger
from serving import lease as lease_module
from serving.lease import Lease, LeaseHeld
from tests.evaluation.ledger.making import rollout


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "LEASE_S", 0.8)
    monkeypatch.setattr(lease_module, "TRY_S", 0.05)


def made(folder: Path) -> Ledger:
    ledger = Ledger.open(f"sqlite:///{folder / 'ledger.db'}")
    ledger.create_rollout(rollout())
    return ledger


def test_it_names_this_process_is_renewed_and_is_given_back(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        lease = Lease(ledger, "ro1")
        async with lease.held():
            assert lease.owner.endswith(f"/{os.getpid()}")
            first = ledger.rollout("ro1").lease_until
            assert first is not None
            while ledger.rollout("ro1").lease_until == first:
                await asyncio.sleep(0.05)
            assert ledger.rollout("ro1").lease_owner == lease.owner
            until = ledger.rollout("ro1").lease_until
            assert until is not None
            assert until > first
        assert ledger.rollout("ro1").lease_owner is None

    with made(tmp_path) as ledger:
        asyncio.run(work(ledger))


def test_that_of_a_process_that_died_is_waited_out(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        async with Lease(ledger, "ro1").held():
            assert ledger.rollout("ro1").lease_owner != "host/1"

    with made(tmp_path) as ledger:
        assert ledger.acquire_lease("ro1", "host/1", 0.5)
        asyncio.run(work(ledger))


def test_that_of_a_process_that_works_is_respected(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        async with Lease(ledger, "ro1").held():
            pytest.fail("another process has the lease")

    with made(tmp_path) as ledger:
        assert ledger.acquire_lease("ro1", "host/1", timedelta(hours=1).total_seconds())
        with pytest.raises(LeaseHeld, match=r"another controller, host/1 .* stop that one"):
            asyncio.run(work(ledger))
        assert ledger.rollout("ro1").lease_owner == "host/1"
