"""The gateway and its variants as Serve applications on a running Ray."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from evaluation.engines.config import EngineConfig
from evaluation.ledger import Ledger
from evaluation.ledger.collector import Collector
from evaluation.ledger.outbox import Outbox
from evaluation.models import Completion, Sampling
from evaluation.pricing import PriceTable, load_prices
from evaluation.records import Message, ToolSpec
from evaluation.rewards import RewardConfig
from serving.access import Keys
from serving.capture import home_secret
from serving.engine import app_name, engine_app
from serving.gateway import Gateway, Routing
from serving.http import build_app
from serving.inbox import Inbox
from serving.port import check_port
from serving.spool import Spool

POLL_S = 0.25
"""How often a gateway replica reads the rollout record."""
GATEWAY = "gateway"
RUNNING = "RUNNING"


@dataclass(frozen=True)
class GatewayConfig:
    """What a gateway replica needs; plain values only."""

    ledger_url: str
    spool: str
    """Path of the spool file."""
    secret: str
    """Path of the key that user ids are hashed with."""
    model: str
    max_tokens: int
    prices: PriceTable = field(default_factory=load_prices)
    inbox: str = ""
    """Path of the outbox file for what others collected; empty: none is taken."""
    rewards: RewardConfig = field(default_factory=RewardConfig)
    keys: tuple[str, ...] = field(default=(), repr=False)
    """Let in whoever sends examples or feedback; none: everybody is."""


class HandleBackend:
    """A variant's application, asked through its Serve handle."""

    def __init__(self, version: str) -> None:
        self._handle: DeploymentHandle[Any] = serve.get_app_handle(app_name(version))

    async def complete(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> Completion:
        """Return the next assistant turn."""
        answer: Completion = await self._handle.complete.remote(messages, tools, sampling)
        return answer

    async def stream(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> AsyncGenerator[str | Completion, None]:
        """Yield pieces of text, and at last the completion. Closing it cancels the request."""
        answer = self._handle.options(stream=True).stream.remote(messages, tools, sampling)
        done = False
        try:
            async for piece in answer:
                yield piece
            done = True
        finally:
            if not done:
                answer.cancel()


def routing_of(ledger: Ledger, model: str) -> Routing:
    """Return who gets what: the active rollout's weights, else the champion alone."""
    champion, rollout = ledger.champion(model), ledger.active_rollout(model)
    if rollout is None:
        return Routing(model, {champion: 1.0}, aliases={"champion": champion}) if champion else Routing(model, {})
    aliases = {"candidate": rollout.candidate} | ({"champion": champion} if champion else {})
    first = {rollout.candidate: rollout.weights.get(rollout.candidate, 0.0)}
    return Routing(model, first | rollout.weights, rollout.stage, aliases, rollout.id, rollout.id)


_running: list[Gateway] = []


def gateway_app() -> FastAPI:
    """Return the replica's application. Serve calls it by name there, so that `_running` is the replica's own."""
    return build_app(lambda: _running[0])


def set_running(gateway: Gateway) -> None:
    """Make `gateway` the one that this process answers with."""
    _running[:] = [gateway]


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.2})
@serve.ingress(gateway_app)
class GatewayDeployment:
    """The ingress: one gateway, its routing read anew from the ledger all the time."""

    async def __init__(self, config: GatewayConfig) -> None:  # type: ignore[misc]  # Serve awaits it
        self._config = config
        self._ledger = Ledger.open(config.ledger_url)
        self._backends: dict[str, HandleBackend] = {}
        self._gateway = Gateway(
            self._backend,
            Spool(Path(config.spool)),
            home_secret(Path(config.secret)),
            routing=routing_of(self._ledger, config.model),
            max_tokens=config.max_tokens,
            prices=config.prices,
            inbox=self._inbox() if config.inbox else None,
            keys=Keys(config.keys) if config.keys else None,
        )
        set_running(self._gateway)
        self._last_error = ""
        self._poll = asyncio.create_task(self._keep_routing())

    def _backend(self, version: str) -> HandleBackend:
        if version not in self._backends:
            self._backends[version] = HandleBackend(version)
        return self._backends[version]

    def _inbox(self) -> Inbox:
        """Return the inbox. Only the ledger's owner moves what is in it; this asks the ledger what it has already."""
        config, outbox = self._config, Outbox(Path(self._config.inbox))
        collector = Collector(self._ledger, outbox, origin="gateway")
        return Inbox(
            outbox,
            home_secret(Path(config.secret)),
            rewards=config.rewards,
            dead_letters=collector.dead_letters,
            differences=collector.differences,
        )

    async def check_health(self) -> None:
        """Raise where the polling has died."""
        if self._poll.done():
            raise RuntimeError(f"the gateway no longer reads the rollout record: {self._last_error}")

    async def _keep_routing(self) -> None:
        while True:
            try:
                new = await asyncio.to_thread(routing_of, self._ledger, self._config.model)
                # A version that came into production just now may not answer yet: until it does, the others go on.
                if new.weights.keys() <= self._gateway.routing.weights.keys() or await asyncio.to_thread(
                    answers, new.weights
                ):
                    self._gateway.routing = new
            except Exception as error:  # the ledger may be away for a while: the last weights stay in force
                self._last_error = str(error)
            await asyncio.sleep(POLL_S)


def deploy(config: GatewayConfig, folders: Mapping[str, str], engine: EngineConfig, address: tuple[str, int]) -> None:
    """Start the variants (`folders` by version) and the gateway, all at once; return when all of them answer.

    `address`: host and port. Raises `PortTaken` before anything is started.
    """
    host, port = address
    if GATEWAY not in running():
        check_port(host, port)
    serve.start(http_options={"host": host, "port": port, "request_timeout_s": 120})
    bound = GatewayDeployment.bind(config)  # type: ignore[attr-defined]
    serve.run_many([*_targets(folders, engine), serve.RunTarget(bound, GATEWAY, "/")])


def start_variants(folders: Mapping[str, str], engine: EngineConfig) -> None:
    """Start further variants (`folders` by version) behind the gateway that runs; return when they answer."""
    serve.run_many(_targets(folders, engine))


def _targets(folders: Mapping[str, str], engine: EngineConfig) -> list[serve.RunTarget]:
    return [
        serve.RunTarget(engine_app(folder, version, engine), app_name(version), None)
        for version, folder in folders.items()
    ]


def answers(versions: Iterable[str]) -> bool:
    """Whether all `versions` have an application that runs."""
    found = serve.status().applications
    return all((app := found.get(app_name(v))) is not None and app.status == RUNNING for v in versions)


def running() -> set[str]:
    """Return the names of the applications that run."""
    try:
        return set(serve.status().applications)
    except Exception:  # Serve has not been started: there is no narrower error across its versions
        return set()


def stop_variant(version: str) -> None:
    """Drain and delete a version's application."""
    if app_name(version) in running():
        serve.delete(app_name(version))
