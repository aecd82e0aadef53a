"""The lease on a rollout: one process at a time acts on it.

Its owner is host and process. It is renewed for as long as the process works, given back at the end, and runs out by
itself `LEASE_S` seconds after a process that died.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evaluation.ledger import Ledger

LEASE_S = 20.0
TRY_S = 0.5
"""How often a lease that somebody else has is asked for."""


class LeaseHeld(Exception):
    """Another controller acts on this rollout."""


class Lease:
    """This process's lease on one rollout."""

    def __init__(self, ledger: Ledger, rollout_id: str) -> None:
        self._ledger, self._rollout_id = ledger, rollout_id
        self.owner = f"{socket.gethostname()}/{os.getpid()}"

    def require(self) -> None:
        """Take or renew it. Raises `LeaseHeld`."""
        if not self._take():
            raise LeaseHeld(
                f"rollout {self._rollout_id} is in the hands of another controller,"
                f" {self._ledger.rollout(self._rollout_id).lease_owner} (host/process);"
                " stop that one, or wait until it is done"
            )

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold it; that of a process that died is waited out. Raises `LeaseHeld` where another one keeps it."""
        deadline = time.monotonic() + LEASE_S + TRY_S
        while time.monotonic() < deadline and not await asyncio.to_thread(self._take):
            await asyncio.sleep(TRY_S)
        await asyncio.to_thread(self.require)
        keeper = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)  # where it failed, the next `require` says so
            await asyncio.to_thread(self._ledger.release_lease, self._rollout_id, self.owner)

    async def _keep(self) -> None:
        while await asyncio.to_thread(self._take):
            await asyncio.sleep(LEASE_S / 4)

    def _take(self) -> bool:
        return self._ledger.acquire_lease(self._rollout_id, self.owner, LEASE_S)
