from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from evaluation.ledger import ExampleFilter, Ledger, RolloutStatus
from evaluation.load import load
from evaluation.scenarios import Part, Scenario
from serving.app import GatewayConfig, deploy, start_variants, stop_variant
from serving.policy import RolloutPolicy
from serving.run import Controller, run_rollout
from serving.spool import Spool
from serving.users import Users
from tests.serving.backends import TOOL
from tests.serving.folders import free_port, make_plan, random_model

pytestmark = [pytest.mark.ray, pytest.mark.slow]
POLICY = RolloutPolicy(stages=(50.0, 100.0), min_conversations=2, max_conversations=12)


@pytest.fixture(scope="module")
def folders(ray_session: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    from ray import serve

    folder = tmp_path_factory.mktemp("models")
    yield random_model(folder / "one", 1), random_model(folder / "two", 2)
    serve.shutdown()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


def live(block: int) -> list[Scenario]:
    return list(load("tools", seed=1 + block).part(Part.LIVE))[:20]


async def ask_both_ways(port: int) -> None:
    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0) as client:
        said: Any = {"messages": [{"role": "user", "content": "Weather?"}], "tools": [TOOL], "max_tokens": 8}
        whole = await client.chat.completions.create(model="shop:2", **said)
        options: Any = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = [c async for c in await client.chat.completions.create(model="shop:2", **said, **options)]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == (
            whole.choices[0].message.content or ""
        )
        assert chunks[-1].usage == whole.usage


def test_two_equal_arms_pause_with_no_failed_request(folders: tuple[str, str], port: int, tmp_path: Path) -> None:
    plan = make_plan(tmp_path, POLICY, folders, port)
    with Ledger.open(plan.ledger_url) as ledger:
        ledger.set_champion("shop", "shop:1")
        report = asyncio.run(run_rollout(plan, ledger, live, lambda _: None))
        assert (report.decision, report.failed_requests, report.errors) == ("paused", 0, ())
        assert report.requests > 12
        assert report.captured == ledger.count(ExampleFilter(run_ids=(plan.rollout_id,))) >= 12
        assert ledger.champion("shop") == "shop:1"
        assert asyncio.run(run_rollout(plan, ledger, live, lambda _: None)) == report
        asyncio.run(ask_both_ways(port))


def test_weights_rise_and_a_promotion_happens_under_traffic_without_a_failed_request(
    folders: tuple[str, str], port: int, tmp_path: Path
) -> None:
    plan = make_plan(tmp_path, POLICY, folders, port)
    with Ledger.open(plan.ledger_url) as ledger:
        ledger.set_champion("shop", "shop:1")
        controller = Controller(plan, ledger, Spool(plan.spool), lambda _: None)
        began = time.perf_counter()
        controller.deploy()
        print(f"deployed in {time.perf_counter() - began:.1f} s")
        spool = controller.spool
        users = Users(f"http://127.0.0.1:{port}", "shop", 1, 6, scenarios=live, prefix="rise", keep=spool.talked)
        asyncio.run(rise(controller, users))
        assert spool.tally().failed == 0, spool.tally().errors
        assert ledger.champion("shop") == "shop:2"
        assert [e.kind for e in ledger.events(plan.rollout_id)] == ["started", "advanced", "promoted"]


def test_a_version_put_into_production_is_turned_to_when_it_answers(
    folders: tuple[str, str], port: int, tmp_path: Path
) -> None:
    from ray import serve

    serve.shutdown()
    plan = make_plan(tmp_path, POLICY, folders, port)
    config = GatewayConfig(plan.ledger_url, str(plan.spool), str(plan.secret), "shop", 6)
    with Ledger.open(plan.ledger_url) as ledger:
        ledger.set_champion("shop", "shop:1")
        deploy(config, {"shop:1": folders[0]}, plan.engine, (plan.host, port))
        assert asyncio.run(variant(port)) == "shop:1"
        ledger.set_champion("shop", "shop:2")
        for _ in range(4):
            time.sleep(0.5)
            assert asyncio.run(variant(port)) == "shop:1", "the new one does not answer yet"
        start_variants({"shop:2": folders[1]}, plan.engine)
        until = time.monotonic() + 30
        while asyncio.run(variant(port)) != "shop:2":
            assert time.monotonic() < until
        stop_variant("shop:1")
        assert asyncio.run(variant(port)) == "shop:2"


async def variant(port: int) -> str:
    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model="shop", messages=[{"role": "user", "content": "Weather?"}], max_tokens=4
        )
        return raw.headers["X-Ratchet-Variant"]


async def rise(controller: Controller, users: Users) -> None:
    stop = asyncio.Event()
    crowd = asyncio.create_task(users.run(3, stop))

    async def some_more() -> None:
        until = len(controller.spool.ended()) + 4
        while len(controller.spool.ended()) < until and not crowd.done():
            await asyncio.sleep(0.05)

    await some_more()
    controller._change(1, "advanced", "test")
    await controller.reached()
    await some_more()
    controller._change(1, "promoted", "test", RolloutStatus.PROMOTED)
    await controller.reached()
    await some_more()
    stop.set()
    await crowd
