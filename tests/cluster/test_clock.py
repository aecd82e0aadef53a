from __future__ import annotations

import time
from pathlib import Path

from cluster.clock import Clock, taken


def test_what_earlier_processes_took_counts_and_what_lay_between_them_does_not(tmp_path: Path) -> None:
    assert taken(tmp_path) is None
    Clock(tmp_path, time.monotonic() - 100).keep()
    again = Clock(tmp_path, time.monotonic() - 20)
    assert 120 <= again.total() < 150
    assert 100 <= (taken(tmp_path) or 0) < 120
    again.keep()
    assert 120 <= (taken(tmp_path) or 0) < 150


def test_it_is_not_written_at_every_tick(tmp_path: Path) -> None:
    clock = Clock(tmp_path, time.monotonic())
    clock.keep(every_s=60)
    assert taken(tmp_path) is None
    late = Clock(tmp_path, time.monotonic() - 61)
    late.keep(every_s=60)
    assert (taken(tmp_path) or 0) >= 61
