"""The gateway and its variants as Serve applications on a running Ray."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from evaluation.engines.transformers import EngineConfig
from evaluation.ledger import Ledger
from evaluation.models import Completion, Sampling
from evaluation.records import Message, ToolSpec
from serving.capture import home_secret
from serving.engine import app_name, engine_app
from serving.gateway import Gateway, Routing
from serving.http import build_app
from serving.spool import Spool

POLL_S = 0.25
"""How often a gateway replica reads the rollout record."""
GATEWAY = "gateway"


class PortTaken(Exception):
    """The port is used by another program. Says which flag to change."""


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
    ) -> AsyncIterator[str | Completion]:
        """Yield pieces of text, and at last the completion."""
        handle = self._handle.options(stream=True)
        async for piece in handle.stream.remote(messages, tools, sampling):
            yield piece


def routing_of(ledger: Ledger, model: str) -> Routing:
    """Return who gets what: the active rollout's weights, else the champion alone."""
    champion = ledger.champion(model) or ""
    rollout = ledger.active_rollout(model)
    if rollout is None:
        return Routing(model, {champion: 100.0}, aliases={"champion": champion})
    aliases = {"champion": champion, "candidate": rollout.candidate}
    return Routing(model, dict(rollout.weights) or {champion: 100.0}, rollout.stage, aliases, rollout.id)


app = build_app(lambda: _running[0])
_running: list[Gateway] = []


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.2})
@serve.ingress(app)
class GatewayDeployment:
    """The ingress: one gateway, its routing read anew from the ledger all the time."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._ledger = Ledger.open(config.ledger_url)
        self._backends: dict[str, HandleBackend] = {}
        self._gateway = Gateway(
            self._backend,
            Spool(Path(config.spool)),
            home_secret(Path(config.secret)),
            routing=routing_of(self._ledger, config.model),
            max_tokens=config.max_tokens,
        )
        _running[:] = [self._gateway]
        self._poll: asyncio.Task[None] | None = None
        self._last_error = ""

    def _backend(self, version: str) -> HandleBackend:
        if version not in self._backends:
            self._backends[version] = HandleBackend(version)
        return self._backends[version]

    async def check_health(self) -> None:
        """Start the polling with the replica's own loop, and say so where it has died."""
        if self._poll is None:
            self._poll = asyncio.create_task(self._keep_routing())
        elif self._poll.done():
            raise RuntimeError(f"the gateway no longer reads the rollout record: {self._last_error}")

    async def _keep_routing(self) -> None:
        while True:
            try:
                self._gateway.routing = await asyncio.to_thread(routing_of, self._ledger, self._config.model)
            except Exception as error:  # the ledger may be away for a while: the last weights stay in force
                self._last_error = str(error)
            await asyncio.sleep(POLL_S)

    async def routing(self) -> tuple[int, dict[str, float]]:
        """Return stage and weights in force, so that a controller can wait for them."""
        if self._poll is None:
            await self.check_health()
        return self._gateway.routing.stage, dict(self._gateway.routing.weights)


def check_port(host: str, port: int) -> None:
    """Raise `PortTaken` where the port cannot be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"expected port {port} on {host} to be free, found it taken ({error.strerror}); give another --port"
            ) from error


def start_variant(folder: str, version: str, engine: EngineConfig) -> None:
    """Deploy a version and wait until it answers."""
    serve.run(engine_app(folder, version, engine), name=app_name(version), route_prefix=None)


def start_gateway(config: GatewayConfig, host: str, port: int) -> DeploymentHandle[Any]:
    """Start Serve's HTTP proxy and the gateway; return its handle. Raises `PortTaken`."""
    if GATEWAY not in running():
        check_port(host, port)
    serve.start(http_options={"host": host, "port": port, "request_timeout_s": 120})
    bound = GatewayDeployment.bind(config)  # type: ignore[attr-defined]
    return serve.run(bound, name=GATEWAY, route_prefix="/")


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
