"""The gateway on what is in production, until somebody ends it.

A version that comes into production meanwhile (`ratchet model deploy`) is started beside the others; the gateway turns
to it when it answers, and what has left production is taken down a while later.
"""

from __future__ import annotations

import time

from rich.console import Console

from cluster.collecting import INBOX
from cluster.home import Home
from cluster.session import ray_session
from cluster.settings import Settings
from cluster.turn import TurnError
from evaluation.ledger import Ledger, LedgerAway
from evaluation.ledger.collector import Collector
from evaluation.ledger.outbox import Outbox
from serving.access import read_keys
from serving.app import GatewayConfig, deploy, routing_of, start_variants, stop_variant
from serving.capture import flush
from serving.port import check_port
from serving.spool import Spool
from training.registry import Registry, RegistryError

FLUSH_S = 0.5
"""How often captured answers go from the spool to the ledger, and how often is looked for another version."""
LINGER_S = 10.0
"""How long a version that has left production stays up: the gateway turns away from it, and its answers end."""


def serve_champion(settings: Settings, home: Home, ledger: Ledger, registry: Registry) -> None:
    """Serve until Ctrl-C. Raises `TurnError` where nothing is in production, and `PortTaken`."""
    champion = ledger.champion(settings.model)
    if champion is None:
        raise TurnError(
            f"expected a version of {settings.model} in production, found none;"
            " run `ratchet loop`, or put one there with `ratchet model deploy`"
        )
    version = registry.resolve(champion)
    host, port = settings.serve.host, settings.serve.port
    variants = Variants(settings, ledger, registry)
    folders = variants.wanted()
    check_port(host, port)
    home.spool.mkdir(parents=True, exist_ok=True)
    config = GatewayConfig(
        ledger_url=home.ledger_url(settings.stores.ledger_url),
        spool=str(home.spool / "serve.db"),
        secret=str(home.root / "secret"),
        model=settings.model,
        max_tokens=settings.run.max_tokens,
        prices=settings.price_table(),
        inbox=str(home.spool / INBOX),
        rewards=settings.data.reward,
        keys=read_keys(settings.data.collect.keys),
    )
    with ray_session(settings):
        from ray import serve

        deploy(config, folders, settings.engine.build(alone=False), (host, port))
        variants.up.update(folders)
        Console().print(f"{version.ref} answers at http://{host}:{port}/v1 · Ctrl-C ends it", highlight=False)
        spool = Spool(home.spool / "serve.db")
        outbox = Outbox(home.spool / INBOX)
        collector = Collector(ledger, outbox, origin="gateway")
        away: LedgerAway | None = None
        try:
            while True:
                try:
                    flush(spool, ledger, rewards=settings.data.reward)
                    variants.follow(time.monotonic())
                    away = None
                except LedgerAway as error:  # answers go on, and what is captured waits in the spool
                    if away is None:
                        Console(stderr=True).print(f"ratchet: {error}", highlight=False, markup=False)
                    away = error
                collector.drain()
                time.sleep(FLUSH_S)
        finally:
            serve.shutdown()
            flush(spool, ledger, quiet_s=0, rewards=settings.data.reward)
            collector.drain()
            spool.close()
            outbox.close()


class Variants:
    """The versions that run behind the gateway."""

    def __init__(self, settings: Settings, ledger: Ledger, registry: Registry) -> None:
        self._settings = settings
        self._ledger = ledger
        self._registry = registry
        self.up: dict[str, str] = {}
        """Folders of those that run, by version."""
        self._left: dict[str, float] = {}
        self._refused: set[str] = set()

    def wanted(self) -> dict[str, str]:
        """Return the folders of all that is in production: a paused rollout has two. Raises `RegistryError`."""
        names = set(routing_of(self._ledger, self._settings.model).weights)
        if champion := self._ledger.champion(self._settings.model):
            names.add(champion)
        return {name: self.up.get(name) or self._folder(name) for name in names}

    def follow(self, now: float) -> None:
        """Start what came into production, and stop what left it `LINGER_S` before. `now`: monotonic seconds."""
        try:
            wanted = self.wanted()
        except RegistryError as error:
            # A damaged version was put into production: what answers now goes on, and its user is told once.
            if str(error) not in self._refused:
                self._refused.add(str(error))
                Console(stderr=True).print(f"ratchet: {error}", highlight=False, markup=False)
            return
        new = {name: folder for name, folder in wanted.items() if name not in self.up}
        if new:
            start_variants(new, self._settings.engine.build(alone=False))
            self.up.update(new)
            Console().print(f"{', '.join(new)} came into production and answers now", highlight=False)
        for gone in self.up.keys() - wanted.keys():
            if now - self._left.setdefault(gone, now) >= LINGER_S:
                stop_variant(gone)
                del self.up[gone]
        self._left = {name: at for name, at in self._left.items() if name in self.up and name not in wanted}

    def _folder(self, name: str) -> str:
        return str(self._registry.load_path(self._registry.resolve(name)))
