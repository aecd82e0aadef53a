"""The gateway on a real port without Ray, routed by a ledger, and scenarios that only one version gets right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn

from evaluation.ledger import Ledger
from evaluation.records import Message
from evaluation.scenarios import Expected, ExpectedAnswer, Kind, Part, Scenario
from serving.app import routing_of
from serving.gateway import Gateway
from serving.http import build_app
from tests.serving.backends import ROUTING, make_gateway


def says(version: str, count: int, block: int = 0) -> list[Scenario]:
    """Return scenarios that `version` alone gets right, as the scripted backend says its version."""
    return [
        Scenario(
            id=f"s{block}-{n}",
            group=f"g{n}",
            part=Part.LIVE,
            kind=Kind.NO_TOOL,
            messages=(Message(role="user", content=f"Weather {block}-{n}?"),),
            tools=(),
            expected=Expected(answer=ExpectedAnswer(contains=(version,))),
        )
        for n in range(count)
    ]


class Served:
    """A gateway that answers at `port`, until it is stopped."""

    def __init__(self, folder: Path, port: int, ledger: Ledger | None = None) -> None:
        self.gateway, self.backends = make_gateway(folder)
        self._ledger = ledger
        app = build_app(self._current)
        self._server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def _current(self) -> Gateway:
        if self._ledger is not None:
            self.gateway.routing = routing_of(self._ledger, ROUTING.model)
        return self.gateway

    def start(self) -> None:
        """Return when it answers."""
        self._thread.start()
        wait_for(lambda: self._server.started)

    def stop(self) -> None:
        """Return when it no longer answers."""
        self._server.should_exit = True
        self._thread.join()


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
