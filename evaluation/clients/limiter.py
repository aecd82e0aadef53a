"""How many requests one endpoint is sent at the same time: it adapts to what the endpoint can take.

Decisions: additive increase, multiplicative decrease (Chiu and Jain 1989; TCP's congestion avoidance): a full window of
answers raises the limit by `increase`, an overload (429, a timeout) multiplies it by `decrease`. As in TCP one window
of requests counts as one overload: those that were sent before the last decrease do not lower the limit again. Answers
raise it only while it is used. It starts at its most, so that an endpoint that can take everything gets everything. The
arithmetic is pure; `Limiter` lets requests through by it, first come, first served.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

_TICK_S = 0.001
"""Timers may be early by the resolution of the loop's clock."""


@dataclass(frozen=True)
class Window:
    """The limit and what it depends on."""

    most: int
    """Never above it."""
    limit: float
    """Requests at the same time; its whole part counts."""
    sent: int = 0
    """Requests that were let through so far."""
    lowered_at: int = 0
    """How many had been sent when the limit was lowered last."""
    increase: float = 1.0
    """By so much the limit goes up with each full window of answers; by less, but at least 1, where it is small."""
    decrease: float = 0.5

    @classmethod
    def of(cls, most: int) -> Window:
        """Return the window that starts at its most; from 1 back to `most` takes at most 100 full windows."""
        if most < 1:
            raise ValueError(f"expected at least 1 request at the same time, found {most}")
        return cls(most, float(most), increase=max(1.0, most / 64))

    @property
    def size(self) -> int:
        """How many may be under way."""
        return max(int(self.limit), 1)

    def answered(self, in_flight: int) -> Window:
        """Return the window after an answer that came while `in_flight` requests were under way, itself included."""
        if 2 * in_flight < self.size:
            return self
        step = max(1.0, min(self.increase, self.limit / 8))
        return replace(self, limit=min(self.limit + step / self.limit, float(self.most)))

    def overloaded(self, number: int) -> Window:
        """Return the window after the endpoint could not take the `number`th request (counted from 0)."""
        if number < self.lowered_at:
            return self
        return replace(self, limit=max(self.limit * self.decrease, 1.0), lowered_at=self.sent)


class Slot:
    """A request that is under way."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.overloaded: bool | None = None
        """What came of it, told by who made it; None where it says nothing about the endpoint."""


class Limiter:
    """Lets requests through."""

    def __init__(self, most: int = 256) -> None:
        self.window = Window.of(most)
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._open_at = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Wait for a place, and hold it for the block, which says by `Slot.overloaded` what came of its request."""
        await self._enter()
        slot = Slot(self.window.sent)
        self.window = replace(self.window, sent=self.window.sent + 1)
        try:
            yield slot
        finally:
            if slot.overloaded is True:
                self.window = self.window.overloaded(slot.number)
            elif slot.overloaded is False:
                self.window = self.window.answered(self.in_flight)
            self.in_flight -= 1
            self._wake()

    def hold(self, seconds: float) -> None:
        """Let nobody through for so long: the endpoint asked for it."""
        self._open_at = max(self._open_at, asyncio.get_running_loop().time() + seconds)

    async def _enter(self) -> None:
        if not self._waiting and self._free():
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in and cancelled at once: the place goes to the next
                self.in_flight -= 1
            self._wake()
            raise

    def _free(self) -> bool:
        return self.in_flight < self.window.size and asyncio.get_running_loop().time() >= self._open_at

    def _wake(self) -> None:
        """Let in who may come in; while the endpoint asked for quiet, come back when that is over."""
        loop = asyncio.get_running_loop()
        if self._waiting and loop.time() < self._open_at:
            loop.call_at(self._open_at + _TICK_S, self._wake)
        while self._waiting and (self._waiting[0].done() or self._free()):
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
