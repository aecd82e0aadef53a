"""Kills processes that write, at random moments, and counts what they had confirmed and what is there afterwards.

The processes are forked from one that has imported everything, so that a kill costs a fraction of a second. Two kinds:
the ledger's writer (confirms a batch when `add_examples` has returned) and the collector (the server of `ratchet data
serve`: it confirms with 202, and moves rows to the ledger meanwhile).
"""

from __future__ import annotations

import multiprocessing
import random
import socket
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from evaluation.ledger import Ledger
from evaluation.ledger.collector import Collector
from evaluation.ledger.outbox import Outbox

_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOAD = ["tests.killing", "uvicorn", "serving.collecting", "cluster.collecting"]
TALK = [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes. " * 40}]
BATCH = 4


class Killed(NamedTuple):
    """What kills did."""

    kills: int
    confirmed: int
    """Rows that were confirmed to whoever sent them."""
    lost: int
    """Of those, how many the ledger does not hold."""
    doubled: int
    """Ids of which the ledger holds more than one row."""
    halves: int
    """Batches of which only a part is there."""
    unconfirmed: int
    """Rows that are there though the kill came before they were confirmed: allowed."""


def kill_writers(kills: int, seed: int, url: str | None = None) -> Killed:
    """Kill `kills` writers of one ledger (`url`; None: a SQLite file of its own), one after the other."""
    _CONTEXT.set_forkserver_preload(_PRELOAD)
    chance, confirmed = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        where = url or f"sqlite:///{folder}/ledger.db"
        Ledger.open(where).close()
        for number in range(kills):
            mine, theirs = _CONTEXT.Pipe(duplex=False)
            process = _CONTEXT.Process(target=_write, args=(where, number, theirs))
            process.start()
            theirs.close()
            confirmed += _told(mine, process, chance.uniform(0.0, 0.25))
        return _counted(kills, confirmed, where, BATCH)


def kill_collectors(kills: int, seed: int) -> Killed:
    """Kill `kills` collectors of one home, one after the other, while examples are sent to them."""
    _CONTEXT.set_forkserver_preload(_PRELOAD)
    chance, confirmed = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        url, box, sent = f"sqlite:///{folder}/ledger.db", Path(folder) / "inbox.db", 0
        Ledger.open(url).close()
        for _ in range(kills):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            process = _CONTEXT.Process(target=_collect, args=(url, box, port))
            process.start()
            found, sent = _post(port, sent, process, chance.uniform(0.0, 0.25))
            confirmed += found
        outbox = Outbox(box)
        with Ledger.open(url) as ledger:
            while Collector(ledger, outbox, origin="test").drain().waiting:
                pass
        outbox.close()
        return _counted(kills, confirmed, url, 1)


def _write(url: str, number: int, told: Connection) -> None:
    from tests.evaluation.ledger.making import example

    ledger, step = Ledger.open(url), 0
    while True:
        rows = [example(n).model_copy(update={"id": f"k{number}-{step}-{n}"}) for n in range(BATCH)]
        ledger.add_examples(rows)
        told.send([row.id for row in rows])
        step += 1


def _told(mine: Connection, process: Any, after_s: float) -> list[str]:
    """Read what the process confirms, kill it so long after its first word, and read the rest."""
    found = list(mine.recv())
    deadline = time.monotonic() + after_s
    while (left := deadline - time.monotonic()) > 0:
        if mine.poll(left):
            found += mine.recv()
    process.kill()
    process.join()
    try:
        while True:
            found += mine.recv()
    except (EOFError, OSError):
        mine.close()
    return found


def _collect(url: str, box: Path, port: int) -> None:
    """What `ratchet data serve` does, without its settings."""
    import uvicorn

    from cluster.collecting import Drainer
    from serving.collecting import build_collector_app
    from serving.inbox import Inbox

    outbox = Outbox(box)
    drainer = Drainer(Collector(lambda: Ledger.open(url), outbox, origin="gateway"), print, every_s=0.01)
    drainer.thread.start()
    app = build_collector_app(Inbox(outbox, b"key"))
    uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical")).run()


def _post(port: int, sent: int, process: Any, after_s: float) -> tuple[list[str], int]:
    """Send examples one by one until the collector is killed, so long after its first answer; return what it took."""
    found: list[str] = []
    deadline, until = float("inf"), time.monotonic() + 60
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as http:
        while time.monotonic() < min(deadline, until):
            name, sent = f"c{sent}", sent + 1
            try:
                answer = http.post("/v1/ratchet/examples", json={"id": name, "messages": TALK})
            except httpx.TransportError:
                time.sleep(0.01)
                continue
            assert answer.status_code == 202, answer.text
            found += answer.json()["ids"]
            if deadline == float("inf"):
                deadline = time.monotonic() + after_s
        process.kill()
        process.join()
    assert found, "the collector never answered"
    return found, sent


def _counted(kills: int, confirmed: list[str], url: str, batch: int) -> Killed:
    with Ledger.open(url) as ledger:
        there = [example.id for example in ledger.examples()]
    kept = set(there)
    return Killed(
        kills=kills,
        confirmed=len(confirmed),
        lost=len(set(confirmed) - kept),
        doubled=len(there) - len(kept),
        halves=len(there) % batch,
        unconfirmed=len(kept - set(confirmed)),
    )
