"""The gateway on the champion alone, until somebody ends it."""

from __future__ import annotations

import time

from rich.console import Console

from cluster.home import Home
from cluster.session import ray_session
from cluster.settings import Settings
from cluster.turn import TurnError
from evaluation.ledger import Ledger
from serving.app import GatewayConfig, check_port, deploy, routing_of
from serving.capture import flush
from serving.spool import Spool
from training.registry import Registry

FLUSH_S = 0.5
"""How often captured answers go from the spool to the ledger."""


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
    names = {champion, *routing_of(ledger, settings.model).weights}  # a paused rollout has two variants
    folders = {name: str(registry.load_path(registry.resolve(name))) for name in names}
    check_port(host, port)
    home.spool.mkdir(parents=True, exist_ok=True)
    config = GatewayConfig(
        ledger_url=home.ledger_url(settings.stores.ledger_url),
        spool=str(home.spool / "serve.db"),
        secret=str(home.root / "secret"),
        model=settings.model,
        max_tokens=settings.run.max_tokens,
    )
    with ray_session(settings):
        from ray import serve

        deploy(config, folders, settings.engine.build(alone=False), (host, port))
        Console().print(f"{version.ref} answers at http://{host}:{port}/v1 · Ctrl-C ends it", highlight=False)
        spool = Spool(home.spool / "serve.db")
        try:
            while True:
                flush(spool, ledger)
                time.sleep(FLUSH_S)
        finally:
            serve.shutdown()
            flush(spool, ledger, quiet_s=0)
            spool.close()
