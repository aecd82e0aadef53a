"""A home's collector: its outbox, its ledger, and a server that collects without a model.

The ledger may be away, and need not be there when this starts: rows wait in `<home>/spool/outbox.db` (what commands
keep) and `<home>/spool/inbox.db` (what came by HTTP) until one of the next commands or the server itself moves them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket
from typing import Any, NamedTuple

from cluster.home import Home
from cluster.settings import Settings
from evaluation.ledger import Ledger
from evaluation.ledger.collector import Collector, Kept
from evaluation.ledger.outbox import Outbox, OutboxError
from serving.access import Keys, read_keys
from serving.capture import home_secret
from serving.collecting import build_collector_app
from serving.inbox import Inbox

INBOX = "inbox.db"
OUTBOX = "outbox.db"
DRAIN_S = 0.5
"""How often the server moves what came to the ledger."""


class Collecting(NamedTuple):
    """A home that collects."""

    settings: Settings
    home: Home
    collector: Collector
    secret: bytes


@contextmanager
def collecting(
    flags: Mapping[str, Any], config: Path | None, *, origin: str, box: str = OUTBOX
) -> Iterator[Collecting]:
    """Open a home's outbox, and its ledger when it is first needed. Raises what settings, home and outbox raise."""
    settings = Settings.load(flags, config)
    home = Home.open(settings.home)
    url = home.ledger_url(settings.stores.ledger_url)
    outbox = Outbox(home.spool / box)
    collector = Collector(lambda: Ledger.open(url, busy_s=5), outbox, origin=origin)
    try:
        yield Collecting(settings, home, collector, home_secret(home.root / "secret"))
    finally:
        collector.close()
        outbox.close()


def drain_home(home: Home, ledger: Ledger) -> Kept:
    """Move what waits in any outbox of a home to its ledger; say where it went."""
    moved = Kept()
    for name, origin in ((OUTBOX, "outbox"), (INBOX, "gateway")):
        if (home.spool / name).exists():
            outbox = Outbox(home.spool / name)
            try:
                moved = moved.plus(Collector(ledger, outbox, origin=origin).drain())
            finally:
                outbox.close()
    return moved


def serve_collector(
    at: Collecting,
    address: tuple[str, int],
    told: Callable[[str], None],
    *,
    begun: Callable[[], None],
    reviews: Ledger | None = None,
) -> Kept:
    """Collect over HTTP until Ctrl-C; return what reached the ledger. `told` is given what its user should know.

    `address`: host and port; `begun` is called once requests are answered; `reviews`: the ledger whose review queue is
    served, too. Raises `PortTaken`.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                begun()

    from serving.port import check_port
    from serving.reviews import review_routes

    check_port(*address)
    routes = None if reviews is None else review_routes(reviews, at.settings.data.review)
    inbox = Inbox(
        at.collector.outbox,
        at.secret,
        rewards=at.settings.data.reward,
        dead_letters=at.collector.dead_letters,
        differences=at.collector.differences,
    )
    keys = read_keys(at.settings.data.collect.keys)
    drainer = Drainer(at.collector, told)
    drainer.thread.start()
    try:
        host, port = address
        with suppress(KeyboardInterrupt):  # the server has ended in good order and passes it on
            app = build_collector_app(inbox, routes, keys=Keys(keys) if keys else None)
            Server(uvicorn.Config(app, host=host, port=port, log_level="warning")).run()
    finally:
        drainer.stop.set()
        drainer.thread.join()
    return drainer.total.plus(at.collector.drain())


class Drainer:
    """Moves what came to the ledger, all the time, and tells once when the ledger goes away and comes back."""

    def __init__(self, collector: Collector, told: Callable[[str], None], every_s: float = DRAIN_S) -> None:
        self._collector, self._told, self._every_s = collector, told, every_s
        self.stop, self.total = threading.Event(), Kept()
        self.thread = threading.Thread(target=self._run, name="drain")

    def _run(self) -> None:
        trouble: str | None = None
        while not self.stop.wait(self._every_s):
            try:
                moved = self._collector.drain()
                now = self._collector.trouble if moved.waiting else None
            except OutboxError as error:
                moved, now = Kept(), str(error)
            except Exception as error:  # what comes next has to be moved, whatever was wrong with this
                moved, now = Kept(), f"Moving rows to the ledger failed: {type(error).__name__}: {error}."
            self.total = self.total.plus(moved._replace(waiting=0))
            if now != trouble:
                self._told(f"{now} What comes meanwhile waits." if now else "The ledger is back.")
                trouble = now
