from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from evaluation.scenarios import Scenario
from serving import users as users_module
from serving.spool import Tally
from serving.users import Users
from tests.serving.folders import free_port
from tests.serving.served import Served, says


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    new = Served(tmp_path, free_port())
    new.start()
    yield new
    new.stop()


def crowd(port: int, live: Callable[[int], Sequence[Scenario]], seen: list[Tally], **more: frozenset[int]) -> Users:
    return Users(f"http://127.0.0.1:{port}", "shop", 1, 6, scenarios=live, prefix="p", keep=seen.append, **more)


def port_of(served: Served) -> int:
    return served._server.config.port


def test_each_scenario_is_asked_once_and_the_crowd_ends_with_the_last_one(served: Served) -> None:
    seen: list[Tally] = []
    users = crowd(port_of(served), lambda block: says("shop:1", 7) if block < 2 else (), seen, asked=frozenset({0, 9}))
    asyncio.run(users.run(3, asyncio.Event()))
    assert len(seen) == 12
    assert sum(tally.failed for tally in seen) == 0
    ended = served.gateway._spool.ended()
    assert sorted(ended) == sorted(f"p-{n}" for n in range(14) if n not in (0, 9))


def test_a_conversation_whose_first_request_fails_counts_as_a_failure_of_its_variant(served: Served) -> None:
    for backend in served.backends.values():
        backend.failures = 1_000
    seen: list[Tally] = []
    asyncio.run(
        crowd(port_of(served), lambda block: says("shop", 20) if block == 0 else (), seen).run(3, asyncio.Event())
    )
    figures = [served.gateway._spool.figures(version) for version in ("shop:1", "shop:2")]
    assert sum(f.conversations for f in figures) == 20
    assert sum(f.successes for f in figures) == 0
    assert [f.errors for f in figures] == [2 * f.conversations for f in figures]
    assert (sum(t.requests for t in seen), sum(t.failed for t in seen)) == (40, 20)
    assert "out of order" in seen[0].errors[0]


def test_suites_are_expanded_beside_the_event_loop(served: Served) -> None:
    threads: list[int] = []

    def live(block: int) -> list[Scenario]:
        threads.append(threading.get_ident())
        return says("shop:1", 2) if block == 0 else []

    asyncio.run(crowd(port_of(served), live, []).run(2, asyncio.Event()))
    assert len(threads) == 2
    assert threading.get_ident() not in threads


def test_users_wait_for_a_gateway_that_is_away_and_lose_no_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users_module, "PATIENCE_S", (0.1, 0.4))
    late, seen = Served(tmp_path, free_port()), list[Tally]()
    users = crowd(port_of(late), lambda block: says("shop:1", 2) if block == 0 else (), seen)

    async def come_back() -> None:
        talks = asyncio.create_task(users.run(2, asyncio.Event()))
        began = time.monotonic()
        while len(seen) < 4:
            await asyncio.sleep(0.01)
        assert len(seen) <= 2 * ((time.monotonic() - began) / 0.1 + 2), (
            "two users, who wait a tenth of a second at least"
        )
        await asyncio.to_thread(late.start)
        await talks

    asyncio.run(come_back())
    late.stop()
    assert sorted(late.gateway._spool.ended()) == ["p-0", "p-1"]
    assert sum(tally.failed for tally in seen) == len(seen) - 2


def test_users_who_wait_for_the_gateway_stop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users_module, "PATIENCE_S", (600, 600))
    seen = list[Tally]()
    users = crowd(free_port(), lambda _: says("shop:1", 5), seen)

    async def stop_soon() -> bool:
        stop = asyncio.Event()
        talks = asyncio.create_task(users.run(2, stop))
        while len(seen) < 2:
            await asyncio.sleep(0.01)
        stop.set()
        ended, _ = await asyncio.wait({talks}, timeout=60)
        return talks in ended

    assert asyncio.run(stop_soon()), "they wait for 600 s where nothing ends their waiting"
