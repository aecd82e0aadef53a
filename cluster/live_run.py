"""How far a test run is, on a terminal: share done, rate, successes, cost, failures by kind. Silent anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from evaluation.run import Progress


@contextmanager
def shown(console: Console, total: int, currency: str) -> Iterator[Callable[[Progress], None]]:
    """Give what is told of progress; on a terminal it draws one line, elsewhere nothing."""
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True, refresh_per_second=5) as bar:
        yield _Line(bar, bar.add_task("", total=total), currency)


class _Line:
    def __init__(self, bar: Bar, task: TaskID, currency: str) -> None:
        self._bar, self._task, self._currency = bar, task, currency
        self._begun: tuple[float, int] | None = None

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        since, first = self._begun or (now, progress.done)
        self._begun = (since, first)
        rate = (progress.done - first) / (now - since) if now > since else None
        said = progress_line(progress, rate, self._currency)
        self._bar.update(self._task, completed=progress.done, description=said)


def progress_line(progress: Progress, rate: float | None, currency: str) -> str:
    """Return what the line says; `rate`: attempts per second, where it is known."""
    parts = [f"{rate:.3g}/s"] if rate is not None else []
    parts += [f"{progress.successes} right", f"{progress.cost:.4g} {currency}"]
    most = sorted(progress.failures.items(), key=lambda item: (-item[1], item[0]))
    parts += [f"{number} {kind.value}" for kind, number in most]
    return " · ".join(parts)
