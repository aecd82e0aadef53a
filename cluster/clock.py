"""How long a turn took: wall time, over all the processes that worked on it.

Kept in `<home>/loops/<id>/seconds.json` at every step's end and every few seconds in between, so that a process that
is killed takes no more than those seconds out of the count.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from evaluation.files import atomic_write

KEEP_S = 5.0


def taken(folder: Path) -> float | None:
    """Return the seconds that the turn in `folder` took so far; None where it never ran."""
    path = folder / "seconds.json"
    return float(json.loads(path.read_text(encoding="utf-8"))["total"]) if path.exists() else None


class Clock:
    """Counts on from what earlier processes took. `begun`: when this one began, by `time.monotonic`."""

    def __init__(self, folder: Path, begun: float) -> None:
        self._path = folder / "seconds.json"
        self._before = taken(folder) or 0.0
        self._begun = begun
        self._kept = begun

    def total(self) -> float:
        """Return the seconds of all processes, this one's till now."""
        return round(self._before + time.monotonic() - self._begun, 2)

    def keep(self, every_s: float = 0.0) -> None:
        """Write the total, unless it was written less than `every_s` ago. Raises `DiskError`."""
        now = time.monotonic()
        if now - self._kept >= every_s:
            self._kept = now
            atomic_write(self._path, json.dumps({"total": self.total()}) + "\n")
