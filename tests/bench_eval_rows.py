"""What one figure of the benchmark is, and the arithmetic of figures: shares, ratios of interleaved pairs, verdicts."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from evaluation.stats.intervals import log_ratio_interval, proportion


class Figure(NamedTuple):
    """One row of `eval.json`."""

    figure: str
    ours: float | None
    peer: float | None = None
    ratio: float | None = None
    low: float | None = None
    """Of the 95% interval: of the ratio where there is one, else of `ours`."""
    high: float | None = None
    bar: float | None = None
    met: bool | None = None
    """None where no bar is set."""
    peer_version: str | None = None
    peer_settings: str | None = None


class Skipped(NamedTuple):
    """A figure that cannot be had here, and why: no failure of the benchmark."""

    figure: str
    reason: str


class NotMeasured(Exception):
    """A figure that should have been measured and was not."""


Row = Figure | Skipped


def share(figure: str, right: int, n: int, bar: float | None = None) -> Figure:
    """Return a share with its exact interval; met where it is at least `bar`. Raises `NotMeasured` where n is 0."""
    if n == 0:
        raise NotMeasured(f"{figure}: expected rows, found none")
    estimate = proportion(right, n)
    met = None if bar is None else right / n >= bar
    return Figure(f"{figure} (n = {n})", right / n, low=estimate.low, high=estimate.high, bar=bar, met=met)


def count(figure: str, found: int, bar: int = 0) -> Figure:
    """Return a number of things that there should be at most `bar` of."""
    return Figure(figure, float(found), bar=float(bar), met=found <= bar)


class Peer(NamedTuple):
    """Whom a figure is compared with."""

    version: str
    settings: str


def compared(figure: str, ours: Sequence[float], peer: Sequence[float], whom: Peer, bar: float | None = None) -> Figure:
    """Return means of interleaved repetitions and their ratio, with the interval of the pairs; met at most at `bar`."""
    ratio = log_ratio_interval(np.array(ours), np.array(peer))
    met = None if bar is None or ratio.value is None else ratio.value <= bar
    means = (statistics.fmean(ours), statistics.fmean(peer))
    return Figure(figure, *means, ratio.value, ratio.low, ratio.high, bar, met, *whom)


def machine() -> list[Figure]:
    """Return this machine's own baseline: fixed Python work and synced writes, which every other time rests on."""
    rows = [Figure(f"machine: cores ({platform.python_implementation()} {platform.python_version()})", _cores())]
    rows.append(Figure("machine: 3,000,000 additions in Python, s", _fastest(_additions)))
    rows.append(Figure("machine: write of 64 KiB synced to the disk, s", _fastest(_synced)))
    return rows


def _cores() -> float:
    return float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _fastest(work: Callable[[], object], times: int = 5) -> float:
    return min(seconds(work) for _ in range(times))


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes, by the clock on the wall."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _additions() -> int:
    total = 0
    for number in range(3_000_000):
        total += number
    return total


def _synced() -> None:
    with TemporaryDirectory(dir=".ratchet/bench") as folder, (Path(folder) / "block").open("wb") as file:
        file.write(bytes(65_536))
        file.flush()
        os.fsync(file.fileno())
