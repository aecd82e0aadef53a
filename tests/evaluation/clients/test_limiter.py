from __future__ import annotations

import asyncio
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.clients.limiter import Limiter, Window


def test_a_full_window_of_answers_adds_and_an_overload_multiplies() -> None:
    window = Window(most=100, limit=10.0, increase=1.0, decrease=0.5)
    for _ in range(10):
        window = window.answered(10)
    assert window.limit == pytest.approx(11, abs=0.06)
    assert window.overloaded(0).limit == pytest.approx(5.5, abs=0.03)


def test_requests_sent_before_the_limit_went_down_do_not_lower_it_again() -> None:
    window = Window(most=100, limit=64.0, sent=64)
    for number in range(64):
        window = window.overloaded(number)
    assert window.limit == 32
    assert window.overloaded(64).limit == 16


def test_answers_do_not_raise_a_limit_that_is_not_used() -> None:
    assert Window(most=100, limit=50.0).answered(in_flight=10).limit == 50
    assert Window(most=100, limit=50.0).answered(in_flight=40).limit > 50


@given(st.integers(1, 300), st.lists(st.booleans(), max_size=200))
def test_the_limit_is_never_below_one_nor_above_its_most(most: int, outcomes: list[bool]) -> None:
    window = Window.of(most)
    assert window.size == most
    for good in outcomes:
        window = window.answered(window.size) if good else window.overloaded(window.sent)
        assert 1 <= window.size <= most


def test_it_recovers_from_one_to_its_most_within_100_windows() -> None:
    for most in (1, 8, 64, 256, 1000):
        window, windows = Window.of(most), 0
        for _ in range(20):
            window = window.overloaded(window.sent)
        assert window.size == 1
        while window.size < most:
            windows += 1
            for _ in range(window.size):
                window = window.answered(window.size)
        assert windows <= 100, most


def test_less_than_one_request_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 request"):
        Limiter(0)


def go_against(capacity: int, requests: int, most: int) -> tuple[list[int], int]:
    """Return the limits over time, and the overloads, against an endpoint that takes `capacity` and refuses others."""
    limits: list[int] = []
    refused = 0

    async def run() -> None:
        nonlocal refused
        limiter, under_way = Limiter(most), 0

        async def one() -> None:
            nonlocal refused, under_way
            while True:
                async with limiter.slot() as slot:
                    under_way += 1
                    full = under_way > capacity
                    await asyncio.sleep(0)
                    under_way -= 1
                    slot.overloaded = full
                    refused += full
                limits.append(limiter.window.size)
                if not full:
                    return

        await asyncio.gather(*(one() for _ in range(requests)))
        assert limiter.in_flight == 0

    asyncio.run(run())
    return limits, refused


@pytest.mark.parametrize("capacity", [1, 7, 40, 200])
def test_it_settles_near_what_the_endpoint_takes(capacity: int) -> None:
    limits, refused = go_against(capacity, 6000, most=256)
    settled = limits[len(limits) // 2 :]
    assert 0.5 * capacity <= statistics.mean(settled) <= max(1.3 * capacity, capacity + 4)
    assert min(limits) >= 1
    assert refused < (0.4 if capacity == 1 else 0.15) * len(limits)


def test_an_endpoint_that_takes_everything_gets_everything() -> None:
    limits, refused = go_against(1000, 600, most=256)
    assert (set(limits), refused) == ({256}, 0)


def test_places_are_given_in_order_and_never_too_many() -> None:
    async def run() -> list[int]:
        limiter, order = Limiter(3), list[int]()

        async def one(number: int) -> None:
            async with limiter.slot():
                order.append(number)
                assert limiter.in_flight <= 3
                await asyncio.sleep(0)

        await asyncio.gather(*(one(n) for n in range(50)))
        return order

    assert asyncio.run(run()) == list(range(50))


def test_a_request_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    async def run() -> int:
        limiter, entered = Limiter(1), 0

        async def one() -> None:
            nonlocal entered
            async with limiter.slot():
                entered += 1
                await asyncio.sleep(0.01)

        tasks = [asyncio.create_task(one()) for _ in range(20)]
        await asyncio.sleep(0.015)
        for task in tasks[::2]:
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert limiter.in_flight == 0
        return entered

    assert 10 <= asyncio.run(run()) < 20


def test_nobody_comes_in_while_the_endpoint_asked_for_quiet() -> None:
    async def run() -> None:
        limiter = Limiter(4)
        clock = asyncio.get_running_loop().time
        begun = clock()
        limiter.hold(0.3)
        limiter.hold(0.05)

        async def one() -> float:
            async with limiter.slot():
                return clock() - begun

        waiting = [asyncio.create_task(one()) for _ in range(6)]
        await asyncio.sleep(0)
        limiter.hold(0.4)
        times = await asyncio.wait_for(asyncio.gather(*waiting), 60)
        assert min(times) >= 0.4

    asyncio.run(run())
