"""What the harness itself costs: time per scenario, calls in flight, memory; beside inspect_ai where it does the same.

Each measurement runs in a process of its own, ours and the peer's turn and turn about, so that whatever else the
machine does strikes both.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench_eval_peers import BENCH, Package, install, output
from tests.bench_eval_rows import Figure, Peer, Row, Skipped, compared

INSPECT = Package("inspect_ai", "0.3.285")
HERE = Path(__file__).parent

OURS_CONCURRENCY = 64
PEER_CONCURRENCY, PEER_BUFFER = 256, 1000
"""What made the peer fastest of 10, 32, 100 and 256 at once, with its own buffer (10) and with 500 and 1,000."""
PEER = Peer(
    f"{INSPECT.name} {INSPECT.version}",
    f"max_samples={PEER_CONCURRENCY} max_connections={PEER_CONCURRENCY} log_buffer={PEER_BUFFER} log_format=eval "
    "log_realtime=False score_display=False display=none log_model_api=False no sandbox, includes() as scorer; "
    "up to a buffer of samples is lost with the process",
)
GROWN = 1.15
"""Memory counts as flat below this ratio."""


class Run(NamedTuple):
    """What one measurement printed."""

    seconds: float
    cpu: float
    in_flight: int
    passed: int
    peak_mib: float


class Asked(NamedTuple):
    """What is measured."""

    samples: int
    concurrency: int
    latency_ms: float = 0.0
    log_buffer: int | None = None
    """The peer's alone."""
    ledger: bool = False
    """Ours alone."""

    @property
    def arguments(self) -> list[str]:
        """The arguments of the measuring programs."""
        out = ["--samples", str(self.samples), "--concurrency", str(self.concurrency)]
        out += ["--latency-ms", str(self.latency_ms)]
        out += [] if self.log_buffer is None else ["--log-buffer", str(self.log_buffer)]
        return [*out, "--ledger"] if self.ledger else out


def ours(asked: Asked) -> Run:
    """Measure our harness once. Raises `NotMeasured`."""
    return _measured("ours", [sys.executable, "-m", "tests.bench_eval_ours"], asked)


def peer(asked: Asked) -> Run:
    """Measure the peer once. Raises `NotMeasured`."""
    return _measured("peer", [str(INSPECT.python), str(HERE / "bench_eval_peer.py")], asked)


def _measured(who: str, command: Sequence[str], asked: Asked) -> Run:
    logs = BENCH / "runs" / who
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    try:
        text = output([*command, *asked.arguments, "--logs", str(logs)])
    finally:
        shutil.rmtree(logs, ignore_errors=True)
    return Run(**json.loads(text.strip().splitlines()[-1]))


def time_rows(samples: int, repetitions: int) -> Iterator[Row]:
    """Yield time per three-call scenario with a model that takes none, and where the time goes."""
    lacking = install(INSPECT)
    mine, kept, theirs = [], [], []
    for _ in range(repetitions):
        mine.append(ours(Asked(samples, OURS_CONCURRENCY)))
        kept.append(ours(Asked(samples, OURS_CONCURRENCY, ledger=True)))
        if lacking is None:
            theirs.append(peer(Asked(samples, PEER_CONCURRENCY, log_buffer=PEER_BUFFER)))
    name = f"harness ms per three-call scenario, record included ({samples} scenarios × {repetitions})"
    if lacking is not None:
        yield Skipped(name, lacking)
        yield Figure(name, statistics.fmean(run.seconds for run in mine) / samples * 1000)
        return
    yield compared(name, _ms(mine, "seconds"), _ms(theirs, "seconds"), PEER, bar=0.2)
    yield compared("of it processor time, ms", _ms(mine, "cpu"), _ms(theirs, "cpu"), PEER)
    yield compared(
        "the same with each episode in the ledger, too, ms", _ms(kept, "seconds"), _ms(theirs, "seconds"), PEER
    )


def _ms(runs: Sequence[Run], field: str) -> list[float]:
    return [float(getattr(run, field)) / run.passed * 1000 for run in runs]


def flight_rows(samples: int) -> Iterator[Row]:
    """Yield how many model calls are in flight at once when 256 may be, with a model that takes 100 ms."""
    asked = Asked(samples, 256, latency_ms=100)
    mine = ours(asked)
    theirs: Run | None = peer(asked._replace(log_buffer=PEER_BUFFER)) if install(INSPECT) is None else None
    least = samples * 4 * 0.1 / 256
    yield Figure(
        f"most in flight at concurrency 256, model of 100 ms ({samples} scenarios)",
        float(mine.in_flight),
        peer=float(theirs.in_flight) if theirs else None,
        ratio=mine.in_flight / theirs.in_flight if theirs else None,
        bar=250.0,
        met=mine.in_flight >= 250,
        peer_version=PEER.version if theirs else None,
        peer_settings=PEER.settings if theirs else None,
    )
    name = f"mean in flight meanwhile (the least possible time, {least:.1f} s, would be 256)"
    means = [samples * 4 * 0.1 / run.seconds for run in (mine, theirs) if run is not None]
    yield Figure(name, means[0], *(means[1:] and [means[1], means[0] / means[1]]))


def memory_rows(few: int, many: int) -> Iterator[Row]:
    """Yield the peak memory of a run of `many` scenarios over that of a run of `few`."""
    small, large = (ours(Asked(samples, OURS_CONCURRENCY)) for samples in (few, many))
    yield Figure(f"peak memory at {few} scenarios, MiB", small.peak_mib)
    yield Figure(f"peak memory at {many} scenarios, MiB", large.peak_mib)
    ratio = large.peak_mib / small.peak_mib
    yield Figure(f"memory, {few} → {many} scenarios", ratio, bar=GROWN, met=ratio <= GROWN)
